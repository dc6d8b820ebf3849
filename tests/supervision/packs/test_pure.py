"""Elements, cards, templates and the pack as a file: everything that needs no database."""

from __future__ import annotations

import io
import random
import zipfile
from dataclasses import replace
from datetime import datetime
from functools import cache

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from docx import Document
from openpyxl import Workbook, load_workbook

from ingestion.catalog.load import Catalog
from ingestion.exchange import signatures
from supervision.packs import checking, container, document, sheet, word
from supervision.packs.card import ORDER, card
from supervision.packs.drawing import drawing
from supervision.packs.elements import Need, elements, needs_of, satisfaction
from supervision.packs.limits import LIMITS
from supervision.packs.manifest import SPEC, FileEntry, Manifest, ModelEntry, Needed, Words
from supervision.rulebook.load import LoadedRule, Rulebook
from supervision.rulebook.reading import fields_read
from supervision.rulebook.spec import leaves
from tests.prefecture import SHANGHAI

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = signatures.pem_of(KEY.public_key())
IDS = ("assistance_after_death", "shell_companies")


@cache
def house() -> tuple[Rulebook, Catalog]:
    from ingestion import selectors as ingestion
    from supervision import selectors

    return selectors.rulebook(), ingestion.catalog()


def entry(rule: LoadedRule, content: bytes, catalog: Catalog, **more: object) -> ModelEntry:
    import hashlib

    usual = {
        "id": rule.id, "code": rule.code, "version": rule.version, "domain": rule.domain, "digest": rule.digest,
        "title": Words(zh=rule.title.zh, en=rule.title.en), "tests": len(rule.tests),
        "needs": tuple(
            Needed(feed=n.feed, feed_zh=n.feed_zh, column=n.column, zh=n.zh, type=n.type) for n in needs_of(rule, catalog)
        ),
        "files": (FileEntry(name=SPEC, size=len(content), sha256=hashlib.sha256(content).hexdigest()),),
    }  # fmt: skip
    return ModelEntry.model_validate(usual | more)


def packed(*ids: str, texts: dict[str, bytes] | None = None, **more: object) -> bytes:
    book, catalog = house()
    files, entries = {}, []
    for id in ids or IDS:
        content = (texts or {}).get(id) or document.text_of(book[id]).encode()
        files[id, SPEC] = content
        entries.append(entry(book[id], content, catalog, **more))
    manifest = Manifest(
        format="chuxiong-models/1", publisher="示例人民检察院", created_at=datetime(2026, 11, 20, tzinfo=SHANGHAI),
        models=tuple(entries),
    )  # fmt: skip
    return container.pack(manifest, files, KEY)


def rezipped(content: bytes, change) -> bytes:  # type: ignore[no-untyped-def]
    """The pack with its members changed: ``change`` takes and gives {name: bytes}."""
    with zipfile.ZipFile(io.BytesIO(content)) as before:
        members = change({m: before.read(m) for m in before.namelist()})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after:
        for name, data in members.items():
            after.writestr(name, data)
    return out.getvalue()


def test_every_model_travels_as_text_and_comes_back_the_same():
    book, catalog = house()
    for rule in book.values():
        text = document.text_of(rule).encode()
        assert len(text) < LIMITS.spec_bytes.value / 4
        back, problems = document.read_foreign(text, rule.id, catalog)
        assert problems == [] and back == rule and back.digest == rule.digest


def test_a_card_says_every_condition_and_parameter_in_both_languages():
    book, catalog = house()
    for rule in book.values():
        for language in ("zh", "en"):
            made = card(rule, catalog, language)
            labels = [s.label for s in made.steps]
            for leaf in leaves(rule.when):
                assert getattr(leaf, language) in labels
            for leg in rule.without:
                assert getattr(leg, language) in labels
            details = {s.label: s.detail for s in made.steps}
            for leaf in leaves(rule.when):
                assert details[getattr(leaf, language)], "an operator's phrase stands beside the label"
            assert [p.name for p in made.params] == list(rule.params)
            assert {(e.feed.code, e.column.name) for e in made.elements} == {
                (feed, column) for feed, columns in fields_read(rule).items() for column in columns
            }
            assert len(made.tests) == len(rule.tests)
    shown = card(book["assistance_after_death"], catalog, "zh")
    said = {s.label: s.detail for s in shown.steps}
    assert said["发放月份晚于死亡月份加宽限"] == (
        "救助与津贴发放的发放月份 晚于所比月份 死亡信息的死亡日期 〔宽限月数 1〕 个月"
    )
    assert next(p.value for p in shown.params if p.name == "red_total") == "5,000.00 元"


def test_the_paper_card_keeps_the_listing_order_and_totals_add_up():
    book, catalog = house()
    rule = book["legal_representative_barred"]
    counted = word.Counted("示例院", [("查否", 2), ("监督纠正", 1)], [("2026-10", 3, 3, 1, 1, 0, 0)])
    for language, at in (("zh", 0), ("en", 1)):
        paper = Document(io.BytesIO(word.document(rule, card(rule, catalog, language), language, counted)))
        texts = [p.text for p in paper.paragraphs]
        found = [
            next(i for i, t in enumerate(texts) if t.endswith(word.HEADINGS[name][at])) for name in ORDER
        ]
        assert found == sorted(found)
        cells = [c.text for t in paper.tables for row in t.rows for c in row.cells]
        assert "2026-10" in cells and all(b.law in cells for b in rule.basis)
        assert all(t.name in cells for t in rule.tests)
    bare = Document(io.BytesIO(word.document(rule, card(rule, catalog, "zh"), "zh")))
    assert "由使用单位填写。" in [p.text for p in bare.paragraphs]


def test_the_legs_are_drawn_within_their_frame():
    book, catalog = house()
    titles = {c: f.title.zh for c, f in catalog.items()}
    drawn = 0
    for rule in book.values():
        picture = drawing(rule, titles, "zh")
        if picture is None:
            assert len(rule.sources) == 1 and not rule.without
            continue
        drawn += 1
        assert {b.words for b in picture.boxes} >= {s.zh for s in rule.sources.values()}
        for box in picture.boxes:
            assert box.x >= 0 and box.x + box.width <= picture.width
            assert box.y >= 0 and box.y + box.height <= picture.height
    assert drawn > 10


# ---- the template --------------------------------------------------------------------------------


def test_a_template_has_two_header_rows_and_is_satisfied_where_it_comes_from():
    book, catalog = house()
    for rule in book.values():
        own = elements(rule, catalog)
        content = sheet.write(rule.title.zh, own)
        book_ = load_workbook(io.BytesIO(content))
        first = book_.worksheets[1]
        assert (first["A1"].value, first["A2"].value) == (own[0].column.zh, own[0].column.name)
        assert first["A3"].value is None
        needs = sheet.read(content)
        assert [(n.zh, n.column) for n in needs] == [(e.column.zh, e.column.name) for e in own]
        met = satisfaction(needs, catalog)
        assert all(m.satisfied for m in met)
        assert [(m.feed.code, m.column.name) for m in met] == [(e.feed.code, e.column.name) for e in own]


def test_what_is_missing_is_named_and_nothing_else():
    seed = random.randrange(10**6)
    print("seed", seed)
    draw = random.Random(seed)
    book, catalog = house()
    for _ in range(40):
        rule = draw.choice(list(book.values()))
        needs = needs_of(rule, catalog)
        feed = draw.choice(sorted({n.feed for n in needs}))
        less = dict(catalog)
        if draw.random() < 0.4:
            del less[feed]
            met = satisfaction(needs, less)
            assert all(m.satisfied for m in met if m.need.feed != feed)
            continue
        gone = draw.choice([n.column for n in needs if n.feed == feed])
        spec = catalog[feed]
        less[feed] = spec.model_copy(update={"columns": tuple(c for c in spec.columns if c.name != gone)})
        for m in satisfaction(needs, less):
            if (m.need.feed, m.need.column) != (feed, gone):
                assert m.kind == "same"
            else:
                # Unless another column of the feed bears the same Chinese words.
                assert m.kind == "column" or m.column.name != gone
    other = satisfaction([Need("xx_other", "别处的表", "alien", "外星字段", "text")], catalog)
    assert [m.kind for m in other] == ["feed"]
    first = needs_of(book["shell_companies"], catalog)[0]
    assert satisfaction([replace(first, type="bool")], catalog)[0].kind == "type"


def _workbook(*cells: tuple[str, object]) -> bytes:
    book = Workbook()
    page = book.active
    page.title = "表一"
    for place, value in cells:
        page[place] = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("text", ["=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "＝1"])
def test_formulas_in_a_template_are_refused_at_their_cell(text):
    for place in ("A1", "B2"):
        with pytest.raises(sheet.Unreadable) as caught:
            sheet.read(_workbook(("A1", "姓名"), ("A2", "person_name"), ("B1", "号码"), (place, text)))
        assert place in caught.value.problem.place and caught.value.problem.cure_en


def test_what_we_write_into_a_template_is_never_a_formula():
    book, catalog = house()
    element = elements(book["shell_companies"], catalog)[0]
    hostile = replace(element, column=element.column.model_copy(update={"zh": "=HYPERLINK(1)"}))
    page = load_workbook(io.BytesIO(sheet.write("=1", [hostile]))).worksheets
    assert all(c.data_type != "f" for s in page for row in s.iter_rows() for c in row)
    assert page[1]["A1"].value == "'=HYPERLINK(1)"


def test_hostile_workbooks_are_refused_with_a_cure():
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (LIMITS.sheet_unpacked.value + 1))
    wide = _workbook(*((f"{'A' * 0}{_letter(n)}1", "列") for n in range(1, LIMITS.columns.value + 2)))
    cases = [
        b"no zip at all",
        b"PK\x03\x04" + bytes(200),
        b"0" * (LIMITS.sheet_bytes.value + 1),
        bomb.getvalue(),
        wide,
        _workbook(),
        _workbook(("A1", "很长" * LIMITS.text.value)),
        packed(),
    ]
    for content in cases:
        with pytest.raises(sheet.Unreadable) as caught:
            sheet.read(content)
        assert caught.value.problem.cure and caught.value.problem.what_en


def _letter(n: int) -> str:
    from openpyxl.utils import get_column_letter

    return get_column_letter(n)


# ---- the pack as a file --------------------------------------------------------------------------


def test_a_pack_opens_as_it_was_made():
    book, catalog = house()
    opened = container.open_pack(packed())
    assert [m.id for m in opened.manifest.models] == list(IDS)
    assert opened.signed_by(PEM)
    assert not opened.signed_by(signatures.pem_of(Ed25519PrivateKey.generate().public_key()))
    found = checking.outcomes(opened, catalog, list(book.values()))
    assert all(o.ready and o.standing == "same" and not o.missing for o in found)
    assert [checking.Outcome.restored(_through_json(o.stored())) for o in found] == found
    elsewhere = checking.outcomes(opened, catalog, [])
    assert [o.standing for o in elsewhere] == ["new", "new"]


def _through_json(kept: object) -> dict:  # type: ignore[type-arg]
    import json

    return json.loads(json.dumps(kept))


def test_no_altered_byte_is_taken_for_the_publishers():
    seed = random.randrange(10**6)
    print("seed", seed)
    draw = random.Random(seed)
    content = packed(IDS[0])
    whole = container.open_pack(content)
    refused = 0
    for _ in range(300):
        altered = bytearray(content)
        place = draw.randrange(len(altered))
        altered[place] ^= 1 << draw.randrange(8)
        try:
            opened = container.open_pack(bytes(altered))
        except container.Faulty as fault:
            refused += 1
            assert fault.problem.what and fault.problem.what_en and fault.problem.cure_en
            continue
        if opened.signed_by(PEM):
            # Only what tells nothing (a time of packing) can differ: what is read is the very same.
            assert (opened.raw, opened.files) == (whole.raw, whole.files)
        else:
            refused += 1
    assert refused > 150


def _swap(name: str, data: bytes):  # type: ignore[no-untyped-def]
    return lambda members: {**members, name: data}


def test_hostile_packs_are_refused_within_caps():
    good = packed(IDS[0])
    spec = f"models/{IDS[0]}/{SPEC}"
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b"0" * 30_000_000)
        archive.writestr("manifest.sig", b"{}")
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for n in range(LIMITS.members.value + 1):
            archive.writestr(f"{n}", b"")
    link = io.BytesIO()
    with zipfile.ZipFile(link, "w") as archive:
        info = zipfile.ZipInfo("manifest.json")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    double = io.BytesIO()
    with zipfile.ZipFile(double, "w") as archive, pytest.warns(UserWarning):
        archive.writestr("manifest.json", b"1")
        archive.writestr("manifest.json", b"2")
    cases = {
        "模型包": [b"", b"PK", b"x" * 1000, bytes(LIMITS.pack_bytes.value + 1), bomb.getvalue(), many.getvalue(), double.getvalue(), good[:-40]],
        "manifest.json": [link.getvalue(), rezipped(good, _swap("manifest.json", b"[]")), rezipped(good, _swap("manifest.json", b"\xff")), rezipped(good, lambda m: {k: v for k, v in m.items() if k != "manifest.json"}), rezipped(good, lambda m: {**m, "manifest.json": m["manifest.json"].replace(b"chuxiong-models/1", b"chuxiong-models/9")})],
        "manifest.sig": [rezipped(good, lambda m: {k: v for k, v in m.items() if k != "manifest.sig"}), rezipped(good, _swap("manifest.sig", b'{"alg": 1}')), rezipped(good, _swap("manifest.sig", b"[" * 5000))],
        "../../etc/cron.d/x": [rezipped(good, _swap("../../etc/cron.d/x", b"x"))],
        "models/other/model.yaml": [rezipped(good, _swap("models/other/model.yaml", b"x"))],
        spec: [rezipped(good, _swap(spec, b"id: other")), rezipped(good, lambda m: {k: v for k, v in m.items() if k != spec}), rezipped(good, lambda m: {**m, spec: m[spec] + b" "})],
    }  # fmt: skip
    for place, contents in cases.items():
        for content in contents:
            with pytest.raises(container.Faulty) as caught:
                container.open_pack(content)
            assert caught.value.problem.place.startswith(place), caught.value.problem
            assert caught.value.problem.cure and caught.value.problem.cure_en


def test_a_rule_from_elsewhere_is_bounded_before_it_is_built():
    book, catalog = house()
    own = document.text_of(book[IDS[0]])
    laughs = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    cases = {
        "锚点": laughs,
        "嵌套": "a: " + "[" * 60 + "]" * 60,
        "两个模型": own + "\n---\n" + own,
        "YAML": "a: [",
        "不是一个模型文件": "- 1\n",
        "字节": "x" * (LIMITS.spec_bytes.value + 1),
        "不是度量": own.replace("救助 {months}", "救助 {months.__class__.__mro__}"),
        "花括号": own.replace("救助 {months}", "救助 {months"),
        "没有来源": own.replace("evidence:\n  - death", "evidence:\n  - nobody"),
    }
    for words, text in cases.items():
        assert text != own
        rule, problems = document.read_foreign(text.encode(), "x", catalog)
        assert rule is None and any(words in p.what for p in problems), (words, [str(p) for p in problems])
    for raw in (b"\xff\xfe", b"", b"null", b"? [a]\n: b\n", b"!!python/object/apply:os.system [ls]"):
        rule, problems = document.read_foreign(raw, "x", catalog)
        assert rule is None and problems and problems[0].cure


def test_outcomes_name_load_errors_at_their_place_and_missing_feeds():
    book, catalog = house()
    rules = list(book.values())
    text = yaml.safe_load(document.text_of(book[IDS[0]]))
    text["when"]["all"][1]["op"] = "almost"
    wrong = yaml.safe_dump(text, allow_unicode=True).encode()
    [found] = checking.outcomes(container.open_pack(packed(IDS[0], texts={IDS[0]: wrong})), catalog, rules)
    assert not found.ready and found.met == len(found.answers)
    assert any("when.late" in p.place and p.cure for p in found.problems)

    less = {code: feed for code, feed in catalog.items() if code != "ca_funeral"}
    [found] = checking.outcomes(container.open_pack(packed(IDS[0])), less, rules)
    assert not found.ready and {(a.feed, a.kind) for a in found.missing} == {("ca_funeral", "feed")}
    assert any("ca_funeral" in p.what for p in found.problems)
    assert len(found.answers) == found.met + len(found.missing)

    # What people read of the pack is not what runs.
    [found] = checking.outcomes(container.open_pack(packed(IDS[0], version=9)), catalog, rules)
    assert [p.place.rpartition(" ")[2] for p in found.problems] == ["version"] and not found.ready

    newer = yaml.safe_load(document.text_of(book[IDS[0]]))
    newer["params"]["grace_months"]["value"] = 2
    changed = yaml.safe_dump(newer, allow_unicode=True).encode()
    rule, problems = document.read_foreign(changed, "x", catalog)
    assert rule is not None and not problems
    [found] = checking.outcomes(
        container.open_pack(packed(IDS[0], texts={IDS[0]: changed}, digest=rule.digest)), catalog, rules
    )
    assert found.ready and found.standing == "other" and found.ours == "PI-10A v1"
