"""Mass or odd use becomes visible: rules as data, counted as it happens, looked into by the audit administrator."""

from __future__ import annotations

import random
import secrets
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import ProgrammingError, connections, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from chuxiong.audit import oddities
from chuxiong.audit.record import record
from tests.prefecture import NOW, person

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        yield


def _watch() -> oddities.Watched:
    return oddities.watch(using="worker")


def _write(
    action: str, n: int, *, who: str = "lin", at: datetime = NOON, step: int = 1, **more: object
) -> None:
    for i in range(n):
        given = {"object_ref": f"XS-2026-{i:06d}", "object_kind": "clue", "office": "532301"} | more
        record(at=at + timedelta(seconds=i * step), actor=who, action=action, **given)  # type: ignore[arg-type]


def _found(chain) -> dict[tuple[str, str], int]:
    return {
        (rule, who): peak for rule, who, peak in chain.ask("select rule, subject, peak from audit_oddity")
    }


def test_each_rule_is_told_above_its_figure_and_not_at_it(chain):
    for n, (code, rule) in enumerate(oddities.rules().items()):
        hour = rule.hours.first if rule.hours else 12
        for more, name in ((0, "at"), (1, "above")):
            # Each case in a day of its own, by a person of its own: none counts for another.
            at = (NOON - timedelta(days=30 * (n + 1))).replace(hour=hour)
            _write(
                rule.actions[0], rule.over + more, who=f"{name}-{code}"[:60], at=at, detail=dict(rule.where),
                ip=f"10.0.{n}.{more}",
            )  # fmt: skip
    _watch()
    found = _found(chain)
    for n, (code, rule) in enumerate(oddities.rules().items()):
        who = {more: f"10.0.{n}.{more}" if rule.by == "address" else f"{name}-{code}"[:60]
               for more, name in ((0, "at"), (1, "above"))}  # fmt: skip
        assert found.get((code, who[1])) == rule.over + 1, code
        assert (code, who[0]) not in found, code


def test_the_count_is_that_of_an_obvious_count_whatever_the_rounds(chain, capsys):
    """Random rows, read in rounds as they come: the peaks of a count that looks at everything at once."""
    seed = secrets.randbelow(2**31)
    with capsys.disabled():
        print(f"\noddities seed {seed}")
    draw = random.Random(seed)
    # One opens some hundred clues within the hour, the other as many within a working day.
    rows = [
        (NOON + timedelta(seconds=draw.randint(0, reach)), who, draw.randint(0, 120))
        for who, reach in (("a", 90 * 60), ("b", 12 * 3600))
        for _ in range(400)
    ]
    rule = oddities.rules()["many_subjects"]
    rows.sort()
    cut = draw.randint(1, len(rows) - 1)
    for part in (rows[:cut], rows[cut:]):
        for at, who, clue in part:
            record(at=at, actor=who, action="clue.read", object_kind="clue", object_ref=str(clue))
        _watch()
    wanted: dict[tuple[str, str], int] = defaultdict(int)
    for at, who, _clue in rows:
        within = {c for a, w, c in rows if w == who and at - timedelta(minutes=rule.minutes) < a <= at}
        if len(within) > rule.over:
            wanted["many_subjects", who] = max(wanted["many_subjects", who], len(within))
    found = {key: peak for key, peak in _found(chain).items() if key[0] == "many_subjects"}
    assert set(wanted) == {("many_subjects", "a")} and found == dict(wanted)
    assert _watch() == oddities.Watched(0, 0)


def test_hours_pass_midnight_and_nothing_is_read_twice(chain):
    for hour, n in ((21, 1), (22, 2), (5, 3), (6, 4)):
        _write("identifier.read", 1, who=f"p{n}", at=NOON.replace(hour=hour))
    assert _watch().rows == 4
    assert set(_found(chain)) == {("numbers_at_night", "p2"), ("numbers_at_night", "p3")}
    assert _watch() == oddities.Watched(0, 0)


def test_a_round_takes_the_same_few_statements_whatever_there_is(chain):
    counts = []
    for n in (1, 300):
        _write("clue.read", n, who=f"w{n}")
        with CaptureQueriesContext(connections["worker"]) as seen:
            _watch()
        counts.append(len(seen))
    assert counts[0] == counts[1]


@pytest.fixture
def auditor(chain):
    made = person("auditor", roles=("audit_admin",))
    client = Client()
    client.force_login(made)
    return client


def test_the_administrator_sees_looks_into_and_closes_it(chain, auditor):
    assert "没有待核实的异常使用" in auditor.get("/audit/odd").content.decode()
    _write("identifier.disclose", 4, object_kind="disclosure")
    _watch()
    assert "有 1 条异常使用待核实" in auditor.get("/audit/").content.decode()
    page = auditor.get("/audit/odd").content.decode()
    assert "一天内多次导出或对外提供" in page and "lin" in page and "24 小时内超过 3" in page
    ((number,),) = chain.ask("select id from audit_oddity where rule = 'taken_out'")
    assert auditor.post(f"/audit/odd/{number}", {"note": " "}).status_code == 400
    assert auditor.post(f"/audit/odd/{number}", {"note": "已向本人核实，系专项核对"}).status_code == 302
    assert "没有待核实的异常使用" in auditor.get("/audit/odd").content.decode()
    assert "系专项核对" in auditor.get("/audit/odd?all=1").content.decode()
    assert auditor.post(f"/audit/odd/{number}", {"note": "再来"}).status_code == 409
    assert chain.ask("select reason from audit_auditevent where action = 'audit.acknowledge'") == [
        ("已向本人核实，系专项核对",)
    ]
    # What goes on after that asks for another look.
    _write("identifier.disclose", 1, object_kind="disclosure", at=NOON + timedelta(days=3650))
    _write("identifier.disclose", 4, object_kind="disclosure", at=NOW + timedelta(days=3650))
    _watch()
    assert "一天内多次导出或对外提供" in auditor.get("/audit/odd").content.decode()


def test_nobody_closes_what_is_about_oneself_and_nobody_else_looks(chain, auditor):
    _write("audit.export", 4, who="auditor", object_kind="audit")
    _watch()
    ((number,),) = chain.ask("select id from audit_oddity where rule = 'taken_out'")
    assert auditor.post(f"/audit/odd/{number}", {"note": "是我自己"}).status_code == 409
    assert "请另一位审计管理员" in auditor.get("/audit/odd").content.decode()
    other = Client()
    other.force_login(person("lin"))
    assert other.get("/audit/odd").status_code == 403
    assert other.post(f"/audit/odd/{number}", {"note": "x"}).status_code == 403
    with connections["default"].cursor() as cursor:
        cursor.execute("select count(*) from audit_oddities(false, null, null, 9)")
        assert cursor.fetchone() == (0,)
        for forbidden in ("select * from audit_oddity", "select * from audit_notice('[]', 1)"):
            with pytest.raises(ProgrammingError), transaction.atomic():
                cursor.execute(forbidden)


def test_refused_and_missed_accesses_leave_a_row_each(chain):
    desk = Client()
    desk.force_login(person("lin", roles=("analyst",)))
    assert desk.get("/clues/new").status_code == 403
    for _ in range(2):
        assert desk.get("/clues/XS-2026-999999").status_code == 404
    assert desk.get("/nowhere").status_code == 404
    rows = chain.ask(
        "select action, object_kind, object_ref from audit_auditevent where action like 'access.%' order by id"
    )
    assert rows == [
        ("access.refused", "door", "desk:enter"),
        ("access.missed", "clue", "XS-2026-999999"),
        ("access.missed", "clue", "XS-2026-999999"),
    ]
