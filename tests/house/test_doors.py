"""The authorisation matrix: every door, socket and move × every kind of caller, as ``doors.yaml`` says.

Every request runs in a transaction that is rolled back, so that each caller meets the same house.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import secrets
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import yaml
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from chuxiong.accounts import people as accounts
from chuxiong.accounts.models import AGENCY_ROLES, Department, Person, Role
from chuxiong.vault import envelope
from chuxiong.vault.keys import keys
from chuxiong.vault.models import BatchKey
from ingestion.api.signing import sign, string_to_sign
from ingestion.cameras.registering import register as register_cameras
from ingestion.models import (
    Agreement,
    AgreementClearing,
    Batch,
    DataTicket,
    Delivery,
    HeaderAlias,
    ManualImport,
    Quarantine,
)
from ingestion.tickets.attachment import seal
from ingestion.water.registering import register as register_rivers
from ingestion.water.spec import read
from supervision.alarms import actions as alarm_actions
from supervision.clients import new_client
from supervision.clues.lifecycle import MOVES
from supervision.documents import filling
from supervision.documents import reading as documents
from supervision.documents.spec import kinds
from supervision.models import (
    Alarm,
    Checklist,
    ChecklistRow,
    Clue,
    ClueTrack,
    Disclosure,
    DisclosureClue,
    Document,
    Letter,
    LetterAnswer,
    Matter,
    ModelPack,
    Order,
    PoolQuery,
    RuleDraft,
    Run,
    TrackClock,
    TrackStep,
)
from tests.conftest import acting_as, empty_tables
from tests.front import carry
from tests.ingestion.test_cameras import GOOD as CAMERAS
from tests.ingestion.test_cameras import ONE as CAMERA
from tests.ingestion.test_water import GOOD

TABLE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("doors.yaml").read_text(encoding="utf-8"))
GROUPS: dict[str, list[str]] = TABLE["groups"]
STRANGERS = GROUPS["strangers"]
#: place → office, department
PLACES = {
    "own": ("532301", "public_interest"),
    "minors": ("532301", "minors"),
    "sibling": ("532302", "public_interest"),
    "prefecture": ("532300", "digital"),
}
#: roles that reach no office's clues: from a county and from the prefecture will do
BARRED = {"none", *GROUPS["administrators"]}
CALLERS = [*STRANGERS]
CALLERS += [
    f"{p}/{r}" for p in PLACES for r in GROUPS["people"] if r not in BARRED or p in ("own", "prefecture")
]
SIBLINGS = [c for c in CALLERS if c.startswith("sibling/")]
#: states in which a handler is already at work
HANDLED = {"checking", "needs_data", "confirmed", "acted"}
STATES = ["raised", "triaged", "dispatched", *sorted(HANDLED)]
#: for whom a provider's clerk or an agency's liaison at a place works
_AGENCIES = {("own", "provider"): "hr_bureau", ("own", "liaison"): "example_agency"}
FIRM, SUBJECT = "示例酿造有限公司", "532301195001017777"


@dataclass
class World:
    """What the callers come upon: clue numbers by name, and how each caller presents itself."""

    clues: dict[str, str] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    letter: str = ""
    #: what the pages about sources come upon, by the name in their addresses
    sources: dict[str, Any] = field(default_factory=dict)
    alarm: int = 0
    disc: str = ""
    target: int = 0
    disclosure: int = 0
    manual: int = 0
    batch: int = 0
    alias: int = 0
    http: Client = field(default_factory=Client)

    def ask(self, caller: str, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        """The answer to one request of the caller, after which everything is as it was."""
        self.http.cookies = SimpleCookie(self.cookies.get(caller, {}))
        with transaction.atomic(using="front"), transaction.atomic():
            if path.startswith("/api/") or caller in self.keys:
                answer = self._signed(caller, method, path, data or {})
            elif method == "GET":
                answer = self.http.get(path)
            else:
                answer = self.http.post(path, {k: self._filled(v) for k, v in (data or {}).items()})
            transaction.set_rollback(True)
            transaction.set_rollback(True, using="front")
        return answer

    def _signed(self, caller: str, method: str, path: str, data: dict[str, Any]) -> Any:
        body = json.dumps(data).encode() if method == "POST" else b""
        headers = {"If-Match": '"1"', "Idempotency-Key": secrets.token_hex(8)}
        if caller in self.keys:
            key, secret = self.keys[caller]
            stamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(12)
            signature = sign(secret, string_to_sign(method, path, body, stamp, nonce))
            headers |= {"X-App-Key": key, "X-Timestamp": stamp, "X-Nonce": nonce, "X-Signature": signature}
        return self.http.generic(method, path, body, content_type="application/json", headers=headers)

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filled(v) for v in value]
        return value.format(**self.clues, **self.sources)

    def path(self, row: str) -> str:
        """The address of a row: the door's route with this world's things in it."""
        door, _space, act = row.partition(" ")
        things = {
            "number": self.letter if door.startswith(("api:", "provider:")) else self.clues["raised"],
            "pk": self.disclosure if door.startswith("desk:") else self.target,
            "alarm": self.alarm,
            "call": 0,
            "view": 0,
            "pair": 0,
            "side": "before",
            "judgement": 0,
            "act": act or "open",
            "manual": self.manual,
            "batch": self.batch,
            "alias": self.alias,
            "feed": "hr_pension_payment" if door.startswith("api:") else "ca_funeral",
            "order": self.sources["order"],
            "matter": self.sources["matter"],
            "track": "support_suit",
            "river": "SL",
            "section": "D1",
            "token": "1.nobody~s",
            "scene": "overview",
            "camera": 1,
            "name": "1.m4s",
            "move": "accept" if door == "desk:move" else "acknowledge",
            **self.sources,
            "place": 0,
            "code": {
                "cameras": CAMERA,
                "exchange": self.disc,
                "api": self.disc,
                "analysis": self.sources["query"],
            }.get(door.split(":")[0], self.disc if door.endswith("file") else self.sources["code"]),
            "ticket": self.sources["own_ticket" if door.startswith("api:") else "ticket"],
            "agreement": self.sources["over" if act in ("approve", "decline") else "agreement"],
        }
        wanted = doors()[door].pattern.converters
        return reverse(door, kwargs={name: things[name] for name in wanted})


def _clue(number: str, **more: Any) -> Clue:
    state = more.get("state", "raised")
    now = timezone.now()
    usual = {
        "origin": "manual", "subject_kind": "place", "subject_ref": SUBJECT, "level": "ordinary", "title": f"{FIRM}的事项",
        "label": FIRM, "township": "示例镇", "material": {"text": FIRM}, "office": "532301", "raised_at": now,
        "responsible": "example_agency", "responsible_zh": "示例单位",
    }  # fmt: skip
    if state in ("confirmed", "acted", "settled", "unfounded"):
        usual |= {"checked_at": now, "confirmed_at": now if state != "unfounded" else None}
    if state == "settled":
        usual |= {"settled_at": now, "outcome": "improved"}
    return Clue(number=number, **(usual | more))


def _on_track(clue: Clue, now: datetime) -> dict[str, Any]:
    """A clue whose handling has begun: its track, its last step, the clock that runs."""
    track = ClueTrack.objects.create(
        clue=clue, code="transfer", version=1, opened_at=now, opened_by="own_handler"
    )
    day = timezone.localdate(now)
    step = TrackStep.objects.create(
        track=track, clue=clue, step="letter", happened_on=day, official_number="示例 1 号", approver="示例",
        entered_by="own_handler", entered_at=now,
    )  # fmt: skip
    clock = TrackClock.objects.create(
        track=track, clue=clue, started_by=step, step="letter", starts_on=day, due_on=day + timedelta(days=30)
    )
    return {"taken": step.pk, "clock": clock.pk, "today": day.isoformat()}


def _asked(clue: Clue, now: datetime) -> int:
    """A letter whose agency asks for more time."""
    day = now.date() + timedelta(days=9)
    asks = {"answer": "extension", "answered_at": now, "answer_until": day + timedelta(days=9)}
    letter = Letter.objects.create(
        number="FK-2026-900002", clue=clue, agency="someone_else_again", agency_zh="示例单位", subject="示例", text=FIRM,
        sent_at=now, due_on=day, updated_at=now, **asks,
    )  # fmt: skip
    LetterAnswer.objects.create(
        letter=letter, at=now, by="示例", answer="extension", until=asks["answer_until"]
    )
    return letter.pk


def _hire(world: World) -> None:
    departments = {(d.office_id, d.code): d for d in Department.objects.all()}
    made = []
    for caller in CALLERS:
        place, _slash, role = caller.partition("/")
        if role:
            made.append(
                Person(
                    username=caller.replace("/", "_"), name=f"{caller}演示员", password="!nobody", office_id=PLACES[place][0],
                    department=departments[PLACES[place]], roles=[] if role == "none" else [role],
                    agency=_AGENCIES.get((place, role), "someone_else") if role in AGENCY_ROLES else "",
                )
            )  # fmt: skip
    gone = Person(
        username="gone", name="对象演示员", password="!nobody", office_id="532301", roles=["handler"]
    )
    Person.objects.using("owner").bulk_create([*made, gone])
    world.people = {p.username.replace("_", "/", 1): p for p in Person.objects.select_related("office")}
    world.target = world.people["gone"].pk
    for caller in CALLERS:
        if caller in world.people:
            client = Client()
            client.force_login(world.people[caller])
            world.cookies[caller] = {"sessionid": client.cookies["sessionid"].value}
    _, code = accounts.create_duty_post(
        by=world.people["own/system_admin"], office="532301", zh="值班席", en="Post", at=timezone.now()
    )
    world.cookies["post"] = {settings.DUTY_POST_COOKIE: accounts.pair(code, at=timezone.now())[1]}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    empty_tables()
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        yield _built()
    empty_tables()


def _built() -> World:
    world = World()
    _hire(world)
    named = {state: {"state": state, "handler": "own_handler" * (state in HANDLED)} for state in STATES} | {
        "closed": {"closed_to": "minors"},
        "sealed": {"sealed": True, "admitted": ["own_prosecutor"]},
        "recused": {"recused": ["own_prosecutor"]},
        "merged": {"state": "merged"},
        "on_track": {"state": "acted", "handler": "own_handler"},
        "asked": {"state": "acted", "handler": "own_handler"},
    }
    world.clues = {name: f"XS-2026-90{n:04d}" for n, name in enumerate(named, 1)}
    with acting_as("owner"):
        clues = [_clue(world.clues[name], **more) for name, more in named.items()]
        clues.append(
            _clue("XS-2026-800001", office="532302", title="邻县自己的事项", label="", subject_ref="")
        )
        Clue.objects.bulk_create(clues)
        now = timezone.now()
        letter = Letter.objects.create(
            number="FK-2026-900001", clue=Clue.objects.get(number=world.clues["acted"]), agency="example_agency",
            agency_zh="示例单位", subject="示例", text=FIRM, sent_at=now, due_on=now.date() + timedelta(days=9), updated_at=now,
        )  # fmt: skip
        world.sources = _on_track(Clue.objects.get(number=world.clues["on_track"]), now)
        world.sources["asked_letter"] = _asked(Clue.objects.get(number=world.clues["asked"]), now)
        alarm = Alarm.objects.create(
            definition="discharge_reading", title_zh="超标", title_en="Above the limit", subject_kind="outfall", subject_ref=SUBJECT,
            series="w01018", day=now.date(), label=FIRM, office="532300", level="warning", readings=1, multiple=1.5, peak=75,
            limit_value=50, first_at=now, last_at=now, state="unreviewed", raised_at=now, landing=1,
        )  # fmt: skip
        asked = Disclosure.objects.create(
            office="532301", asked_by="own_prosecutor", asked_at=now, basis="示例 1 号", addressee="示例单位", reason="示例",
            named_clues=1,
        )  # fmt: skip
        DisclosureClue.objects.create(disclosure=asked, clue=Clue.objects.get(number=world.clues["checking"]))
        for caller, agency in (("agency", "example_agency"), ("other_agency", "someone_else")):
            client, secret = new_client(agency=agency, agency_zh="示例单位")
            world.keys[caller] = client.key, bytes.fromhex(secret)
        world.sources |= _sources(now)
        _imports(world)
        listed = Checklist.objects.create(
            number="示例核查 1 号",
            office="532301",
            made_by="own_handler",
            made_by_name="示例",
            made_at=now,
        )
        ChecklistRow.objects.create(
            checklist=listed, clue=Clue.objects.get(number=world.clues["checking"]), position=1, version=1
        )
        world.sources["checklist"] = listed.pk
        ordered = Order.objects.create(
            number="示例交办 1 号", clue=Clue.objects.get(number=world.clues["checking"]), office="532301", issued_by_name="示例",
            issued_at=now, due_on=now.date(), receipt_due=now, received_at=now, received_by="示例",
        )  # fmt: skip
        matter = Matter.objects.create(
            title="示例类案",
            lead_office="532300",
            lead="prefecture_prosecutor",
            opened_by="示例",
            opened_at=now,
        )
        query = PoolQuery.objects.create(
            person="own_prosecutor", office="532301", at=now, expires_at=now + timedelta(days=1), basis="case",
            case_number="示例 1 号", reason="示例", kind="person", subjects=[{"kind": "person", "ref": str(uuid.uuid4())}],
        )  # fmt: skip
        world.sources |= {"order": ordered.pk, "matter": matter.pk, "query": query.code}
        world.sources |= _document(Clue.objects.get(number=world.clues["checking"]), now)
        world.sources["model"] = "assistance_after_death"
        world.sources["pack"] = ModelPack.objects.create(
            way="out", digest="0" * 64, publisher="示例院", key="0" * 16, name="示例", size=1, created_at=now, listed=[],
            at=now, by="gone", by_name="示例",
        ).pk  # fmt: skip
        world.sources["run"] = Run.objects.create(
            rule="pension_after_death",
            mode="full",
            state="done",
            as_of=now.date(),
            started_at=now,
            seconds=1.0,
        ).pk
        world.sources["draft"] = RuleDraft.objects.create(
            rule="own_0", code="ZJ-0", version=1, spec="{}", office="532301", author="own_analyst", author_name="示例",
            created_at=now, changed_at=now,
        ).pk  # fmt: skip
        world.sources |= {"pattern": "a_without_b", "rule": "pension_after_death", "exclusion": 0}
        disc = Delivery.objects.create(
            code=uuid.uuid4(), way="disc", agency="example_agency", state="confirming", registered_by="gone", received_at=now
        )  # fmt: skip
    register_rivers(read(GOOD.replace("MN-ONE", f'"{SUBJECT}"'), name="r"), name="r")
    register_cameras(CAMERAS, name="c")
    carry()
    world.disc = str(disc.code)
    world.letter, world.alarm, world.disclosure = letter.number, alarm.pk, asked.pk
    return world


def _document(clue: Clue, now: datetime) -> dict[str, Any]:
    """A draft that bears a name, made by the clue's handler."""
    content = filling.fill(kinds()["consultation"].template.read_bytes(), {"事项": FIRM}, header="")
    draft = Document(
        clue=clue, kind="consultation", kind_version=1, version=1, check_only=False, digest=hashlib.sha256(content).hexdigest(),
        made_by="own_handler", made_by_name="示例", made_at=now, key_id=keys().current,
    )  # fmt: skip
    draft.sealed = keys().wrap(content, documents.place(draft, "file"))
    draft.typed = keys().wrap(b"{}", documents.place(draft, "typed"))
    draft.save()
    return {"document": draft.pk, "kind": "consultation", "form": "docx"}


def _sources(now: Any) -> dict[str, Any]:
    """An agreement in force, one that is over with a clearing to decide on, and a ticket with its provider's rows."""
    usual = {
        "agency": "hr_bureau", "agency_zh": "示例局", "title": "示例", "signed_on": "2026-01-01", "valid_from": "2026-01-01",
        "purposes": ["legal_supervision"], "fields": {"hr_pension_payment": ["*"]}, "data_class": "L4", "custodian": "甲",
    }  # fmt: skip
    agreement = Agreement.objects.create(number="示例-1", valid_to="2099-01-01", **usual)
    over = Agreement.objects.create(number="示例-2", valid_to="2026-01-02", **usual)
    clearing = AgreementClearing.objects.create(
        agreement=over, state="counted", reason="示例", requested_by="somebody", requested_at=now
    )
    tickets = []
    for agency in ("hr_bureau", "example_agency"):
        ticket = DataTicket.objects.create(
            feed="hr_pension_payment", agency=agency, agency_zh="示例局", kind="quarantine", subject="示例", text="示例", rows=1,
            state="sent", opened_by="系统", opened_at=now, sent_by="x", sent_at=now, due_on=now.date(), updated_at=now,
        )  # fmt: skip
        ticket.sealed, ticket.key_id = seal(ticket, b"rows")
        ticket.save()
        tickets.append(ticket.pk)
    return {
        "code": "hr_pension_payment", "agreement": agreement.pk, "over": over.pk, "clearing": clearing.pk,
        "ticket": tickets[0], "own_ticket": tickets[1], "today": timezone.localdate(),
    }  # fmt: skip


def _imports(world: World) -> None:
    """A file that own/custodian has had checked, and one that has become a batch with a quarantined row."""
    now, data_key = timezone.now(), envelope.new_data_key()
    usual = {
        "feed": "ca_funeral", "file_name": "a.csv", "size": 1, "digest": "0" * 64, "by": "own_custodian", "by_name": "演示",
        "office": "532301", "created_at": now,
    }  # fmt: skip
    tally = {"columns": 1, "undecided": 0, "missing": 0, "received": 1, "blank": 0, "quarantined": 0}
    world.manual = ManualImport.objects.create(**usual, state="ready", choices=["-"], tally=tally).pk
    batch = Batch.objects.create(
        feed="ca_funeral", file_name="b.csv", digest="1" * 64, size=1, received_at=now, received_by="演示", state="landed",
        received=1, quarantined=1, landed_at=now,
    )  # fmt: skip
    ManualImport.objects.create(**usual, state="handed", batch=batch)
    sealed = envelope.seal_text('{"火化编号": "1"}', data_key, f"{batch.pk}:2")
    Quarantine.objects.create(
        batch=batch, row_no=2, reasons=[{"column": "火化编号", "reason": "missing"}], sealed=sealed
    )
    BatchKey.objects.create(
        batch=batch.pk, sealed=keys().wrap(data_key, f"batch:{batch.pk}"), key_id=keys().current
    )
    alias = {"feed": "ca_funeral", "agency": "civil", "key": "甲", "header": "甲", "column": ""}
    world.alias = HeaderAlias.objects.create(**alias, made_by="x", made_by_name="演示", made_at=now).pk
    world.batch = batch.pk


# ---- the table and the house name the same doors ----------------------------------------------


@cache
def doors() -> dict[str, URLPattern]:
    """Every URL pattern of the house by its name, namespaces before it."""
    found: dict[str, URLPattern] = {}

    def walk(patterns: list[Any], prefix: str) -> None:
        for entry in patterns:
            if isinstance(entry, URLPattern):
                name = f"{prefix}{entry.name}"
                assert entry.name and name not in found, f"a door without a name of its own: {entry}"
                found[name] = entry
            else:
                walk(entry.url_patterns, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)

    walk(get_resolver().url_patterns, "")
    return found


def test_every_door_socket_and_move_has_its_row_and_every_row_its_door():
    from dashboard.desk.views import _ACTS
    from dashboard.routing import websocket_urlpatterns

    assert {row.partition(" ")[0] for row in TABLE["doors"]} == set(doors())
    assert all({"GET", "POST"} <= set(row) for row in TABLE["doors"].values())
    assert set(TABLE["moves"]) == set(MOVES) == set(_ACTS)
    assert set(TABLE["alarm_moves"]) == set(alarm_actions.PERMISSIONS)
    assert set(TABLE["sockets"]) == {str(route.pattern) for route in websocket_urlpatterns}
    assert set(GROUPS["people"]) == {*Role.objects.values_list("code", flat=True), "none"}


def test_the_two_faces_share_the_doors_between_them():
    from chuxiong import urls, urls_front, urls_inner

    assert {d for d in doors() if d.startswith("api:")} == {
        f"api:{p.name}" for entry in urls_front.urlpatterns for p in entry.url_patterns
    }
    faces = [str(p.pattern) for p in (*urls_front.urlpatterns, *urls_inner.urlpatterns)]
    assert sorted(faces) == sorted(str(p.pattern) for p in urls.urlpatterns)


# ---- reading the table ------------------------------------------------------------------------


def _fits(key: str, caller: str) -> bool:
    place, _slash, name = key.rpartition("/")
    at, _slash, role = caller.rpartition("/")
    return (not place or place == at) and role in GROUPS.get(name, [name])


def _wanted(row: dict[str, Any], caller: str) -> Any:
    """The answer of the first key that fits the caller."""
    keys = (
        row if caller not in STRANGERS else row | {k: v for k, v in TABLE["outside"].items() if k not in row}
    )
    return next((answer for key, answer in keys.items() if _fits(key, caller)), "no row fits")


def _listed(who: list[str], caller: str) -> bool:
    return any(_fits(key, caller) for key in who)


def _given(answer: Any, wanted: Any) -> Any:
    """The answer in the table's words."""
    if answer.status_code == 302 and isinstance(wanted, str):
        return f"302 {answer['Location'].partition('?')[0]}"
    return answer.status_code


def _differences(
    world: World,
    method: str,
    path: str,
    data: Any,
    wanted: dict[str, Any],
    echoed: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Callers who did not get what is wanted → (wanted, given); siblings who read of a clue of 532301."""
    wrong: dict[str, Any] = {}
    for caller, expected in wanted.items():
        answer = world.ask(caller, method, path, data)
        given = _given(answer, expected)
        if given != expected:
            wrong[caller] = expected, given
        if caller in SIBLINGS and (leak := _leak(world, answer) - echoed):
            wrong[f"{caller} reads"] = leak
    return wrong


def _leak(world: World, answer: Any) -> set[str]:
    content = answer.getvalue() if answer.streaming else answer.content
    if content.startswith(b"PK"):  # a spreadsheet: what its parts say
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            content = b"".join(parts.read(name) for name in parts.namelist())
    text = content.decode()
    return {word for word in (*world.clues.values(), FIRM, SUBJECT, world.letter) if word in text}


#: doors behind which no clue lies
_CLUELESS = re.compile(
    r"accounts:(?!hand_over)|audit:|cameras:|walls:|exchange:|api:|imports:(list|new|aliases|template)|sources:|provider:|set_language"
)


def _callers(row: str, answers: dict[str, Any]) -> list[str]:
    """Everybody; where no clue plays a part each role comes from one place only, from another at the next door."""
    if not _CLUELESS.match(row) and 405 not in answers.values():
        return CALLERS
    turn, chosen = list(TABLE["doors"]).index(row), [*STRANGERS]
    for n, role in enumerate(GROUPS["people"]):
        same = [caller for caller in CALLERS if caller.endswith(f"/{role}")]
        chosen.append(same[(turn + n) % len(same)])
    return chosen


# ---- pages ------------------------------------------------------------------------------------

_ROWS = [
    (row, method)
    for row, answers in TABLE["doors"].items()
    for method in ("GET", "POST")
    if isinstance(answers[method], dict)
]


@pytest.mark.parametrize(("row", "method"), _ROWS, ids=[f"{method} {row}" for row, method in _ROWS])
def test_each_caller_gets_what_the_table_says(world, row, method):
    answers = TABLE["doors"][row]
    data = answers.get("with") if method == "POST" else None
    wanted = {caller: _wanted(answers[method], caller) for caller in _callers(row, answers[method])}
    echoed = frozenset(world.clues[name] for name in answers.get("echoes", ()))
    assert _differences(world, method, world.path(row), data, wanted, echoed) == {}


@pytest.mark.parametrize("name", TABLE["sights"])
@pytest.mark.parametrize("door", [row for row, m in TABLE["doors"].items() if "sights" in m.values()])
def test_a_clue_is_there_for_those_whom_access_names(world, door, name):
    path = reverse(door, kwargs={"number": world.clues[name]})
    method = "GET" if TABLE["doors"][door]["GET"] == "sights" else "POST"
    data = {"who": "某人", "way": "by_phone", "occurred_on": "2026-01-05", "text": "询问进展"}
    wanted = {caller: _wanted(TABLE["sights"][name], caller) for caller in CALLERS}
    if method == "POST":
        wanted = {caller: 302 if answer == 200 else answer for caller, answer in wanted.items()}
    assert _differences(world, method, path, data, wanted) == {}


@pytest.mark.parametrize("move", TABLE["moves"])
def test_a_move_is_made_by_those_whom_the_table_names(world, move):
    row = TABLE["moves"][move]
    sight = TABLE["sights"].get(row["at"], TABLE["sights"]["raised"])
    wanted = {}
    for caller in CALLERS:
        seen = _wanted(sight, caller)
        wanted[caller] = (302 if _listed(row["who"], caller) else 409) if seen == 200 else seen
    path = reverse("desk:move", kwargs={"number": world.clues[row["at"]], "move": move})
    assert _differences(world, "POST", path, row.get("with"), wanted) == {}


@pytest.mark.parametrize("move", TABLE["alarm_moves"])
def test_an_alarm_is_handled_by_those_whom_the_table_names(world, move):
    wanted: dict[str, Any] = {}
    for caller in CALLERS:
        seen = _wanted({"readers": 409, "people": 403}, caller)
        wanted[caller] = 302 if _listed(TABLE["alarm_moves"][move], caller) else seen
    path = reverse("desk:alarm", kwargs={"alarm": world.alarm, "move": move})
    assert _differences(world, "POST", path, {}, wanted) == {}
    unknown = reverse("desk:alarm", kwargs={"alarm": world.alarm, "move": "nonsense"})
    assert world.ask("prefecture/head", "POST", unknown).status_code == 404


def test_the_search_for_leaks_finds_what_is_there(world):
    """The queue of the county's own people holds what no page of the sibling may hold."""
    found = _leak(world, world.ask("own/prosecutor", "GET", "/"))
    assert {world.clues["raised"], world.clues["sealed"], FIRM} <= found
    assert world.clues["closed"] not in found and world.clues["recused"] not in found
    sibling = world.ask("sibling/prosecutor", "GET", "/").content.decode()
    assert "XS-2026-800001" in sibling, "the sibling's pages are not simply empty"
    for number in (*world.clues.values(), FIRM):
        assert _leak(world, world.ask("sibling/head", "GET", f"/?closed=1&text={number}")) <= {number}
        assert "没有符合条件的线索" in world.ask("sibling/head", "GET", f"/?text={number}").content.decode()


# ---- what lies out of sight does not exist --------------------------------------------------------


def _whole(world: World, caller: str, method: str, path: str, data: dict[str, str]) -> tuple[Any, ...]:
    with CaptureQueriesContext(connection) as seen:
        answer = world.ask(caller, method, path, data)
    headers = {k: re.sub(r"nonce-[^']+", "", v) for k, v in answer.headers.items()}
    return answer.status_code, answer.content, headers, len(seen)


@pytest.mark.parametrize("name", ["sealed", "closed", "recused", "raised"])
def test_a_clue_out_of_sight_answers_to_the_byte_as_one_that_does_not_exist(world, name):
    caller = {"recused": "own/prosecutor", "raised": "sibling/head"}.get(name, "own/head")
    doings = [("GET", "", {}), ("GET", "/peek", {}), ("POST", "/accept", {})]
    doings += [("POST", f"/{move}", {k: str(v).format(**world.clues) for k, v in row.get("with", {}).items()})
               for move, row in TABLE["moves"].items() if "{" not in str(row.get("with"))]  # fmt: skip
    doings.append(
        (
            "POST",
            "/interference",
            {"who": "某人", "way": "by_phone", "occurred_on": "2026-01-05", "text": "问"},
        )
    )
    for method, tail, data in doings:
        hidden = _whole(world, caller, method, f"/clues/{world.clues[name]}{tail}", data)
        nothing = _whole(world, caller, method, f"/clues/XS-2026-999999{tail}", data)
        assert hidden == nothing, tail
        assert hidden[0] == 404, tail


def test_a_sealed_clue_cannot_be_felt_for_through_others(world):
    sealed, nothing = world.clues["sealed"], "XS-2026-999999"

    def told(method: str, path: str, data: dict[str, Any], number: str) -> str:
        page = world.ask("own/head", method, path, data).content.decode()
        return re.sub(
            r"name=.csrfmiddlewaretoken. value=.\w+|\d{2}:\d{2}(:\d{2})?|nonce=.[^ >]+",
            "",
            page.replace(number, "#"),
        )

    into = f"/clues/{world.clues['raised']}/merge"
    assert told("POST", into, {"into": sealed}, sealed) == told("POST", into, {"into": nothing}, nothing)
    bulk = {"move": "accept", "sure": "1"}
    both = [told("POST", "/clues/bulk", {**bulk, "clue": [f"{n}:1"]}, n) for n in (sealed, nothing)]
    assert both[0] == both[1]


def test_no_colleague_does_the_handlers_part_without_the_right_to_hand_over(world):
    """What the table says of these moves follows from the right to hand over; the refusal names the handler."""
    holders = set(Role.objects.filter(may__contains=["clue.hand_over"]).values_list("code", flat=True))
    for name in (move.name for move in MOVES.values() if move.by_handler):
        row = TABLE["moves"][name]
        if row["at"] not in {*HANDLED, "on_track", "asked"}:
            continue  # nobody handles the clue yet
        doers = {caller for caller in CALLERS if _listed(row["who"], caller)}
        assert {caller.partition("/")[2] for caller in doers - {"own/handler"}} <= holders, name
        path = reverse("desk:move", kwargs={"number": world.clues[row["at"]], "move": name})
        refused = world.ask("own/prosecutor", "POST", path, row.get("with"))
        assert refused.status_code == 409, name
        text = refused.content.decode()
        assert "这条线索由 own/handler演示员（楚雄市・公益诉讼检察部）承办" in text, name
        assert "own_handler 承办" not in text


# ---- words and ways in ---------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "named", "asked"), [("zh-hans", "人工录入线索", "安全管理员"), ("en", "Enter clues by hand", "security administrator")])  # fmt: skip
def test_a_refusal_says_what_is_missing_and_whom_to_ask(world, language, named, asked):
    world.cookies["own/analyst"]["django_language"] = language
    page = world.ask("own/analyst", "GET", "/clues/new").content.decode()
    del world.cookies["own/analyst"]["django_language"]
    assert named in page and asked in page


#: door → what its entry in the navigation links to
_ENTRIES = {
    "desk:queue": "/", "desk:enter": "/clues/new", "desk:alarms": "/alarms", "desk:feeds": "/feeds",
    "sources:health": "/sources/", "sources:tickets": "/sources/tickets", "sources:catalogue": "/sources/catalogue",
    "sources:agreements": "/sources/agreements",
    "water:rivers": "/rivers", "cameras:cameras": "/cameras",
}  # fmt: skip


@pytest.mark.parametrize("role", GROUPS["people"])
def test_the_navigation_offers_what_opens_and_nothing_else(world, role):
    caller = f"own/{role}"
    start = world.ask(caller, "GET", "/")
    while start.status_code == 302:
        start = world.ask(caller, "GET", start["Location"])
    page = start.content.decode()
    menu = re.search(r'<nav (?:class="side"|aria-label).*?</nav>|<ul id="palette-list".*?</ul>', page, re.S)
    assert menu, "a page with its navigation"
    links = set(re.findall(r'href="([^"#?]+)"', menu[0]))
    for link in sorted(links):
        assert world.ask(caller, "GET", link).status_code == 200, link
    desk = 'data-live="/ws/desk/"' in page
    for door, link in _ENTRIES.items():
        opens = _wanted(TABLE["doors"][door]["GET"], caller) == 200
        assert (link in links) == (opens and (desk or link == "/")), link


# ---- walls and sockets --------------------------------------------------------------------------


async def _listen(caller: str, path: str, world: World, poke: bool) -> tuple[str, list[str]]:
    """How the socket is answered, and the texts it sends within a short while."""
    from channels.layers import get_channel_layer

    from chuxiong.asgi import application
    from chuxiong.work.bell import EVENTS

    cookie = "; ".join(f"{k}={v}" for k, v in world.cookies.get(caller, {}).items())
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", cookie.encode())]
    scope = {
        "type": "websocket",
        "path": f"/{path}",
        "query_string": b"",
        "headers": headers,
        "subprotocols": [],
    }
    socket = ApplicationCommunicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    first = await socket.receive_output(timeout=5)
    if first["type"] != "websocket.accept":
        return "closed", []
    if poke:
        moved = {"type": "event", "kind": "ClueMoved", "clue": 1, "office": "532301", "state": "triaged"}
        await get_channel_layer().group_send(EVENTS, moved)
        # Everybody hears this one: what came before it has been heard or never will be.
        await get_channel_layer().group_send(EVENTS, {"type": "event", "kind": "AlarmsChanged", "raised": 0})
    texts: list[str] = []
    if poke or path == "ws/wall/":
        while not texts or (poke and "AlarmsChanged" not in texts[-1]):
            texts.append((await socket.receive_output(timeout=5))["text"])
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(timeout=5)
    return "open", texts


@pytest.mark.parametrize("path", TABLE["sockets"])
def test_sockets_open_for_those_whom_the_table_names(world, path):
    async def all_of_them() -> dict[str, tuple[str, list[str]]]:
        return {caller: await _listen(caller, path, world, path == "ws/desk/") for caller in CALLERS}

    for caller, (given, texts) in asyncio.run(all_of_them()).items():
        assert given == _wanted(TABLE["sockets"][path], caller), caller
        if path == "ws/desk/" and given == "open":
            heard = [json.loads(text) for text in texts]
            assert all(set(message) == {"kind"} for message in heard), "kinds only, never data"
            assert ({"kind": "ClueMoved"} in heard) == _wanted(TABLE["hears"], caller), caller
        elif path == "ws/wall/":
            assert texts and not _personal(world, "".join(texts))


def _personal(world: World, text: str) -> list[str]:
    words = [*world.clues.values(), FIRM, SUBJECT, "示例单位", "演示员", world.letter]
    words += [person.username for person in world.people.values() if "_" in person.username]
    return [word for word in words if word in text]


@pytest.mark.parametrize(("caller", "path"), [("anonymous", "/wall/"), ("anonymous", "/wall/?lang=en"), ("anonymous", "/wall/snapshot"), ("post", "/post")])  # fmt: skip
def test_walls_and_duty_posts_hold_no_name_number_or_firm(world, caller, path):
    answer = world.ask(caller, "GET", path)
    assert answer.status_code == 200 and _personal(world, answer.content.decode()) == []
    if path.endswith("snapshot"):
        assert answer.json()["funnel"]["found"] > 5 and answer.json()["alarms"], "there is something to show"
