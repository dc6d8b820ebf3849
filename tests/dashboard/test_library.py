"""Pages of the model library: what stands on them, how often the database is asked, what files say, who sees what."""

from __future__ import annotations

import io
import random
from collections import Counter
from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from docx import Document
from openpyxl import load_workbook

from chuxiong.accounts.models import Department, Person
from supervision import selectors
from supervision.models import Clue, RuleState
from tests.conftest import acting_as
from tests.prefecture import agreements, decided, person
from tests.supervision.packs.test_pure import IDS, packed

NOW = timezone.now()
RULE = "assistance_after_death"


def _client(someone: Person, language: str = "zh-hans") -> Client:
    client = Client()
    client.force_login(someone)
    client.cookies["django_language"] = language
    return client


def _clues(draw: random.Random, count: int, rule: str = RULE) -> list[Clue]:
    states = ["raised", "checking", "confirmed", "settled", "unfounded", "dismissed", "withdrawn", "merged"]
    made = []
    for n in range(count):
        state = draw.choice(states)
        made.append(
            Clue(
                number=f"XS-2026-{n:06d}", origin="model", rule=rule, rule_version=1, subject_kind="person",
                subject_ref=f"s{n}", level="ordinary", office=draw.choice(["532301", "532302"]), state=state,
                raised_at=NOW - timedelta(days=draw.randrange(300)), exercise=draw.random() < 0.1,
                **decided(state, draw.choice(["corrected", "improved"])),
            )
        )  # fmt: skip
        made[-1].kind = "by_supervision" if made[-1].outcome == "corrected" else ""
    with acting_as("owner"):
        Clue.objects.bulk_create(made)
    return made


def test_the_library_shows_every_model_and_asks_as_often_for_many_as_for_few(database):
    agreements()
    client = _client(person("reader", office="532301"))
    with CaptureQueriesContext(connection) as few:
        text = client.get("/models?text=死亡医学证明").content.decode()
    with CaptureQueriesContext(connection) as many:
        whole = client.get("/models").content.decode()
    # Now and then a process looks whether a draft was published since; that is no part of the page.
    asked = [[q for q in seen if "supervision_ruledraft" not in q["sql"]] for seen in (few, many)]
    assert len(asked[0]) == len(asked[1])
    book = selectors.rulebook()
    assert all(r.title.zh in whole and f'href="/models/{r.id}"' in whole for r in book.values())
    assert "死亡后仍领取社会救助" in text and "疑似空壳公司批量注册" not in text
    assert whole.index("民事检察") < whole.index("刑事检察") < whole.index("公益诉讼")


def test_models_are_narrowed_and_an_empty_shelf_says_why(database):
    agreements()
    client = _client(person("reader"))
    minors = client.get("/models?domain=minors").content.decode()
    assert minors.count('class="card model"') == sum(
        r.domain == "minors" for r in selectors.rulebook().values()
    )
    assert "没有这样的模型" in client.get("/models?text=不存在的词").content.decode()
    assert "没有这样的模型" in client.get("/models?data=fresh").content.decode(), "nothing was delivered yet"
    with acting_as("owner"):
        RuleState.objects.filter(rule=RULE).update(stopped_zh="协议已到期", status="live")
    assert "协议已到期" in client.get(f"/models/{RULE}").content.decode()
    for wrong in ("?domain=x&status=y&data=z", "?text=%00", "?text=" + "a" * 500):
        assert client.get(f"/models{wrong}").status_code == 200


def test_a_code_leads_to_its_model_or_to_all_that_bear_it(database):
    client = _client(person("reader"))
    assert client.get("/models/PI-10A")["Location"] == f"/models/{RULE}"
    assert client.get("/models/pi-10a")["Location"] == f"/models/{RULE}"
    assert client.get("/models/CR-09")["Location"] == "/models?text=CR-09"
    assert client.get("/models/nobody").status_code == 404
    assert client.get("/models/CR-09/card.docx").status_code == 302


def test_the_effect_counts_what_the_reader_sees_and_adds_up(database):
    seed = random.randrange(10**6)
    print("seed", seed)
    made = _clues(random.Random(seed), 120)
    for who, offices in ((person("all"), {"532301", "532302"}), (person("one", office="532302"), {"532302"})):
        effect = selectors.model_effect(who, RULE)
        seen = [c for c in made if c.office in offices and not c.exercise]
        assert sum(effect.endings.values()) == len(seen)
        assert Counter({k: n for k, n in effect.endings.items()}) == Counter(
            (c.state, c.outcome or "", c.kind if c.outcome else "") for c in seen
        )
        counted = [c for c in seen if c.state not in ("withdrawn", "merged")]
        total = effect.total
        assert total.found == len(counted)
        assert total.checked == sum(c.checked_at is not None for c in counted)
        assert total.confirmed == sum(c.confirmed_at is not None for c in counted)
        for month in (*effect.months, total):
            assert month.confirmed == month.corrected + month.improved + month.in_progress
            assert month.found >= month.checked >= month.confirmed >= 0 <= month.in_progress
        local = Counter(timezone.localtime(c.raised_at).strftime("%Y-%m") for c in counted)
        assert {f"{m.month:%Y-%m}": m.found for m in effect.months} == local
        page = _client(who).get(f"/models/{RULE}").content.decode()
        assert f'<td class="num">{len(seen):,}</td>' in page


def test_a_models_page_stands_in_the_listings_order_in_both_languages(database):
    agreements()
    someone = person("reader")
    headings = {
        "zh-hans": ("背景", "监督依据", "监督点（核查要点）", "数据要素", "研判规则", "已知的正常情形", "校验样例", "案例", "效果"),
        "en": ("Background", "Legal basis", "Points to check", "Data elements", "Rule", "Known innocents", "Stored tests", "Cases", "Effect"),
    }  # fmt: skip
    for language, words in headings.items():
        page = _client(someone, language).get(f"/models/{RULE}").content.decode()
        places = [page.index(f"</i>{w}") for w in words]
        assert places == sorted(places)
        # The sentence stands in both languages, whichever the page speaks.
        assert "发放月份晚于死亡月份" in page and "amount above zero" in page
    for client in (_client(someone, language) for language in headings):
        for rule in selectors.rulebook():
            assert client.get(f"/models/{rule}").status_code == 200, rule


def test_files_of_a_model_are_whole_and_on_record(database):
    _clues(random.Random(7), 30)
    client = _client(person("reader"))
    answer = client.get(f"/models/{RULE}/card.docx")
    assert "attachment" in answer["Content-Disposition"]
    cells = [c.text for t in Document(io.BytesIO(answer.content)).tables for r in t.rows for c in r.cells]
    assert "依法监督纠正：监督纠正" in cells
    book = load_workbook(io.BytesIO(client.get(f"/models/{RULE}/elements.xlsx").content))
    assert book.worksheets[1]["A2"].value
    from chuxiong.audit.models import AuditEvent

    with acting_as("owner"):
        assert list(AuditEvent.objects.filter(object_kind="model").order_by("pk").values_list("action", flat=True)) == [
            "model.card", "model.elements",
        ]  # fmt: skip


def test_a_template_is_compared_and_nothing_of_it_kept(database):
    client = _client(person("reader"))
    template = client.get(f"/models/{RULE}/elements.xlsx").content
    page = client.post("/models/elements", {"file": SimpleUploadedFile("a.xlsx", template)})
    assert page.status_code == 200 and "缺 0" in page.content.decode()
    assert client.post("/models/elements").status_code == 422
    bad = client.post("/models/elements", {"file": SimpleUploadedFile("a.xlsx", b"no")})
    assert bad.status_code == 422 and "另存为 .xlsx" in bad.content.decode()


def test_a_pack_goes_out_and_comes_in_by_the_pages(database):
    modeller = _client(person("modeller", roles=("modeller",)))
    assert modeller.get(f"/models/packs?model={RULE}").content.decode().count(" checked>") == 1
    out = modeller.post("/models/packs/export", {"model": list(IDS), "note": "供参考"})
    assert out["Content-Disposition"].endswith(".cxmodels")
    came = modeller.post("/models/packs/import", {"file": SimpleUploadedFile("a.cxmodels", out.content)})
    page = modeller.get(came["Location"]).content.decode()
    assert "2 个模型，其中 2 个规则有效且数据要素齐备" in page and "与本院的相同" in page and "供参考" in page
    unknown = modeller.post("/models/packs/import", {"file": SimpleUploadedFile("a.cxmodels", packed())})
    assert unknown.status_code == 422 and "register-key" in unknown.content.decode()
    assert modeller.get("/models/packs").content.decode().count('href="/models/packs/') == 2
    assert modeller.get("/models/packs/999").status_code == 404


def test_hits_of_a_closed_domain_are_for_its_department(database):
    closed = next(r for r in selectors.rulebook().values() if r.domain == "minors")
    with acting_as("owner"):
        RuleState.objects.filter(rule=closed.id).update(hits=7, undecided=1)
        RuleState.objects.filter(rule=RULE).update(hits=9)
        department = Department.objects.get(code="minors", office="532300")
    outside, inside = person("outside", roles=("head",)), person("inside", roles=("head",))
    with acting_as("owner"):
        Person.objects.filter(pk=inside.pk).update(department=department)
    inside.refresh_from_db()
    today = timezone.localdate()
    hits = {
        who.username: {r.rule.id: r.hits for r in selectors.model_rows(who, today=today)}
        for who in (outside, inside)
    }
    assert hits["outside"][closed.id] is None and hits["inside"][closed.id] == 7
    assert hits["outside"][RULE] == hits["inside"][RULE] == 9


def test_who_commands_sees_runs_and_starts_none(database):
    client = _client(person("zhou", roles=("dispatcher",)))
    page = client.get("/runs/").content.decode()
    assert "/runs/new" not in page
    assert client.get("/runs/new").status_code == 403
    assert "/runs/new" in _client(person("wu", roles=("head",))).get("/runs/").content.decode()
