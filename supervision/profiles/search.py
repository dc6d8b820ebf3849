"""Search over the pool for a case (办案查询): by number through the vault, by name with namesakes, by case number, by place.

Asked with a case number and a purpose, on record before anything is looked up. A number is turned into its ref and forgotten;
what is found is what the person's scope and today's agreements show, so a number that stands in another county's records
alone is not told from one that nobody has.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import polars as pl
from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chuxiong.accounts.models import Office, Person
from chuxiong.accounts.scope import Scope, person_scope
from chuxiong.audit.record import record, without_identifiers
from chuxiong.kit import case_number as case_numbers
from chuxiong.kit import citizen_id, credit_code, mask, phone
from chuxiong.vault.keys import keys
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.spec import Column
from supervision.identity.organisations import organisation_names
from supervision.identity.search import asked
from supervision.identity.spellings import sounds
from supervision.models import Clue, Mention, PoolQuery
from supervision.naming import selectors as naming
from supervision.naming.filling import readable_feeds
from supervision.profiles import queries, records
from supervision.profiles.profile import MENTIONS, knowing, of_subject
from supervision.profiles.queries import NotRecorded
from supervision.profiles.records import Record
from supervision.profiles.rights import RECORDED
from supervision.reference import REFERENCE
from supervision.relations import selectors as relations
from supervision.spine import selectors as spine

Kind: TypeAlias = Literal["number", "person", "organisation", "case_no", "place"]
KINDS: tuple[Kind, ...] = ("number", "person", "organisation", "case_no", "place")
SHORTEST, LONGEST = 2, 80
#: clues named beside a subject
_CLUES = 3


@dataclass(frozen=True)
class Number:
    """What was typed as a number: its kind in the vault and its canonical form. Never kept."""

    kind: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class Found:
    """One subject among the results; ``place`` opens its profile."""

    place: int
    kind: str
    names: tuple[str, ...]
    #: A full number, else as the spine took it
    tier: str
    counties: tuple[Office, ...]
    feeds: tuple[str, ...]
    clues: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """``more``: there are others than these."""

    query: PoolQuery
    subjects: tuple[Found, ...]
    records: tuple[Record, ...]
    more: bool


def search(
    person: Person, kind: Kind, text: str, *, case_number: str, reason: str, at: datetime
) -> PoolQuery:
    """Look up and keep what was met. Raises ``NotRecorded`` with the cure; nothing is looked up then."""
    wanted = " ".join(unicodedata.normalize("NFKC", text).split())
    with _reading(person, list(_may(at))):
        basis = queries.for_case(person, case_number, reason)
        number = _number(wanted, at) if kind == "number" else None
        if kind not in KINDS:
            raise NotRecorded("请选择按什么检索", "choose what to search by")
        if number is None:
            wanted = _words(kind, wanted)
        queries.within_the_day(person, at)
        words = salted_hmac(
            "supervision.profiles", f"{kind}\n{number.value if number else wanted}", algorithm="sha256"
        ).hexdigest()[:16]
        record(
            at=at, actor=person.username, office=person.office_id, action=RECORDED, object_kind="pool_query", object_ref=kind,
            reason=basis.reason, detail={"case": basis.case_number, "text": words},
        )  # fmt: skip
        most = REFERENCE.pool_query.subjects_most.value
        subjects: list[dict[str, str]] = []
        met: list[dict[str, str | int]] = []
        more = False
        if number is not None:
            subjects = _of_number(person, number, at)
        elif kind in ("person", "organisation"):
            subjects, more = _named(person, at, kind, wanted)
        elif kind == "case_no":
            met, more = _in_records(_case_tests(wanted, at), most)
        else:
            subjects, tests, more = _at_place(person, wanted, at)
            met, beyond = _in_records(tests, most)
            more = more or beyond
        query = queries.keep(
            person, basis, at=at, kind=kind, text="" if number else wanted[:120], subjects=subjects[:most], records=met,
            more=more or len(subjects) > most,
        )  # fmt: skip
        record(
            at=at, actor=person.username, office=person.office_id, action="pool.found", object_kind="pool_query",
            object_ref=str(query.code), reason=basis.reason,
            detail={"subjects": [s["ref"] for s in query.subjects], "records": len(met), "more": query.more},
        )  # fmt: skip
    return query


def results(person: Person, code: UUID, *, at: datetime) -> Results | None:
    """What one's own query met, as it stands now; None where there is none. One audit row a look.

    Raises ``NotRecorded`` when the query opens nothing any more.
    """
    with _reading(person, list(_may(at))):
        query = queries.standing(person, code, at=at)
        if query is None:
            return None
        record(
            at=at, actor=person.username, office=person.office_id, action="pool.read", object_kind="pool_query",
            object_ref=str(query.code), reason=query.reason, detail={"basis": query.basis, "case": query.case_number},
        )  # fmt: skip
        named, besides = knowing(person, query)
        subjects = _subjects(person, query.subjects, at, named)
        met = _records(query, at, named)
    if len(query.subjects) == 1 and query.kind != "subject":
        # Where one is meant, its records stand on the page at once.
        one = query.subjects[0]
        reading, _ = of_subject(person, one["kind"], records.same(one["ref"]), at=at)
        most = REFERENCE.pool_query.records_most.value
        sources = records.about(person, reading, at=at, named=named, most=most, purposes=besides)
        known = {(r.feed, r.record_id) for r in met}
        met = _ordered([*met, *(r for s in sources for r in s.records if (r.feed, r.record_id) not in known)])
    return Results(query, subjects, met, query.more)


def _may(at: datetime) -> dict[str, list[Column]]:
    """Per feed the columns that may be read on the day."""
    return records.covered(timezone.localdate(at), ingestion.catalog().values(), agreements.terms())[0]


def _reading(person: Person, feeds: list[str]) -> AbstractContextManager[Scope]:
    """The person's scope over these feeds: what is derived from a feed is read as far as its own columns may be."""
    return person_scope(person, feeds=feeds, purpose=agreements.PURPOSE)


def _number(text: str, at: datetime) -> Number:
    bare = text.replace(" ", "").replace("-", "").upper()
    verdict, canonical = citizen_id.judge(citizen_id.plain_check(bare), on=timezone.localdate(at))
    if verdict in citizen_id.SOUND:
        return Number("citizen_id", canonical)
    if credit_code.is_valid(bare):
        return Number("credit_code", bare)
    if verdict == citizen_id.Verdict.MASKED:
        raise NotRecorded(
            "带星号的号码不能检索；请输入完整号码，或按姓名检索",
            "a masked number cannot be searched: type it in full, or search by name",
        )
    if len(bare) == 18:
        raise NotRecorded(
            "18 位号码的校验位或日期不对；请核对原件后重新输入",
            "the check character or date of this 18-character number is wrong: compare it with the document",
        )
    rung = phone.canonical(pl.Series([bare]))[0]
    if rung:
        return Number("phone", str(rung))
    raise NotRecorded(
        "不像身份号码、统一社会信用代码或电话号码；请核对后重新输入，案号请选“案号”",
        "this is no citizen number, credit code or telephone: check it; for a case number choose “case number”",
    )


def _words(kind: str, text: str) -> str:
    if not SHORTEST <= len(text) <= LONGEST:
        raise NotRecorded(f"请输入 {SHORTEST} 至 {LONGEST} 个字", f"type {SHORTEST} to {LONGEST} characters")
    if without_identifiers(text) != text or (kind == "person" and any(c.isdigit() for c in text)):
        raise NotRecorded(
            "这里不能输入号码；要按号码检索，请选“号码”",
            "no numbers here: to search by number choose “number”",
        )
    return text


def _of_number(person: Person, number: Number, at: datetime) -> list[dict[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("select supervision_number_ref(%s)", [keys().token(number.kind, number.value)])
        ref = cursor.fetchone()[0]
    if ref is None:
        return []
    if number.kind == "phone":
        with _reading(person, relations.readable_feeds(at)), connection.cursor() as cursor:
            cursor.execute(
                "select distinct a_kind, a_ref::text from supervision_relation where via = %s and to_landing is null"
                " order by 1, 2 limit %s",
                [f"phone:{ref}", REFERENCE.pool_query.subjects_most.value + 1],
            )
            return [{"kind": kind, "ref": of} for kind, of in cursor.fetchall()]
    kind = "person" if number.kind == "citizen_id" else "organisation"
    return [{"kind": kind, "ref": str(ref)}] if _in_sight(kind, str(ref), at) else []


def _in_sight(kind: str, ref: str, at: datetime) -> bool:
    """Whether any record or clue in scope tells of the subject: one statement, whatever the feeds hold."""
    quick: list[tuple[str, list[str]]] = []
    slow: list[tuple[str, list[str]]] = []
    for code, columns in _may(at).items():
        feed, names = ingestion.catalog()[code], {c.name for c in columns}
        told = [c for c in records.columns_of(feed, kind) if c.name in names]
        for listed, of in (
            (quick, [c for c in told if c.pool_type == "uuid"]),
            (slow, [c for c in told if c.pool_type != "uuid"]),
        ):
            if of:
                test = " or ".join(
                    f't."{c.name}" = %s::uuid' if listed is quick else f'strpos(t."{c.name}", %s) > 0'
                    for c in of
                )
                where = f'exists (select 1 from pool."{code}" t where t.to_landing is null and ({test}))'
                listed.append((where, [ref if listed is quick else f":{ref}〕"] * len(of)))
    # Columns with an index are asked before those whose texts are read.
    asked_in_turn = [*quick, *slow]
    whens = " ".join(f"when {where} then true" for where, _ in asked_in_turn)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select case when exists (select 1 from supervision_clue where subject_kind = %s and subject_ref = %s) then true"
            f" {whens} else false end",
            [kind, ref, *(p for _, params in asked_in_turn for p in params)],
        )
        return bool(cursor.fetchone()[0])


def _named(
    person: Person, at: datetime, kind: Literal["person", "organisation"], text: str
) -> tuple[list[dict[str, str]], bool]:
    """Whoever is called so or nearly so: first those with a number, then the keys of those without."""
    question = asked(kind, text)
    if question is None:
        return [], False
    on = timezone.localdate(at)
    with _reading(person, readable_feeds(on)):
        near = naming.found(question)
    listed = [{"kind": kind, "ref": n.subject} for n in near.found if n.subject]
    names = [n.name for n in near.found if not n.subject]
    if names:
        series = pl.Series(names, dtype=pl.String)
        sound = sounds(series) if kind == "person" else organisation_names(series)["core"]
        most = REFERENCE.pool_query.subjects_most.value
        keyed = (
            Mention.objects.filter(kind=kind, sound__in=sound.drop_nulls().unique().to_list(), name__in=names, to_landing=None)
            .order_by("subject").values_list("subject", flat=True).distinct()[: most + 1]
        )  # fmt: skip
        with _reading(person, spine.readable_feeds(on)):
            listed += [{"kind": kind, "ref": str(key)} for key in keyed]
    return list({s["ref"]: s for s in listed}.values()), near.more


_Tests: TypeAlias = list[tuple[str, str, list[list[str]]]]


def _case_tests(text: str, at: datetime) -> _Tests:
    """(feed, SQL, values) for every column that holds case numbers."""
    wanted = sorted({case_numbers.normalise(text), case_numbers.unified(pl.Series([text]))[0], text})
    may = _may(at)
    tests: _Tests = []
    for code, columns in may.items():
        names = [c.name for c in columns if c.type == "case_no" or c.subject == "case"]
        if names:
            told = " or ".join(f't."{name}" = any (%s)' for name in names)
            tests.append((code, told, [wanted] * len(names)))
    return tests


def _at_place(person: Person, text: str, at: datetime) -> tuple[list[dict[str, str]], _Tests, bool]:
    """Those whose address it is, and the tests for the records that name the place."""
    question = asked("address", text)
    if question is None:
        return [], [], False
    with _reading(person, readable_feeds(timezone.localdate(at))):
        near = naming.found(question)
    tests: _Tests = []
    may = _may(at)
    spelled = sorted({w for n in near.found for w in n.spellings})
    for code in sorted({f for n in near.found for f in n.feeds} & set(may)):
        names = [c.name for c in may[code] if c.type == "address"]
        if names:
            told = " or ".join(f't."{name}" = any (%s)' for name in names)
            tests.append((code, told, [spelled] * len(names)))
    refs = [n.subject for n in near.found if n.subject]
    with _reading(person, relations.readable_feeds(at)), connection.cursor() as cursor:
        # Whose number stands beside an address, the relations say of what kind it is.
        cursor.execute(
            "select distinct a_ref::text, a_kind from supervision_relation where a_ref = any (%s::uuid[]) and a_kind <> ''",
            [refs],
        )
        kinds = dict(cursor.fetchall())
    subjects = [
        {"kind": kinds.get(n.subject) or _owner(n.feeds), "ref": n.subject} for n in near.found if n.subject
    ]
    return subjects, tests, near.more


def _owner(feeds: Iterable[str]) -> str:
    """Of what kind the owners of addresses in these feeds are, where no relation tells."""
    catalog = ingestion.catalog()
    kinds = {m.kind for f in feeds if f in catalog for m in catalog[f].mentions if m.address}
    return "organisation" if kinds == {"organisation"} else "person"


def _in_records(tests: _Tests, most: int) -> tuple[list[dict[str, str | int]], bool]:
    """(feed, record) of what passes, in one statement."""
    if not tests:
        return [], False
    parts = " union all ".join(
        f"(select '{code}' as feed, t.record_id from pool.\"{code}\" t where t.to_landing is null and ({told})"
        " order by t.record_id desc limit %s)"
        for code, told, _ in tests
    )
    params: list[Any] = [p for _, _, values in tests for p in (*values, most + 1)]
    params.append(most + 1)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select feed, record_id from ({parts}) x limit %s",
            params,
        )
        rows = cursor.fetchall()
    return [{"feed": feed, "record_id": pk} for feed, pk in rows[:most]], len(rows) > most


def _records(query: PoolQuery, at: datetime, named: bool) -> tuple[Record, ...]:
    may = _may(at)
    ids: dict[str, list[int]] = {}
    for item in query.records:
        ids.setdefault(item["feed"], []).append(item["record_id"])
    told = []
    for code, wanted in ids.items():
        if code in may:
            feed = ingestion.catalog()[code]
            rows = records.select(feed, may[code], "t.record_id = any (%s)", [wanted], len(wanted))
            told += [records.told(feed, may[code], row, named=named) for row in rows]
    return _ordered(told)


def _ordered(told: Iterable[Record]) -> tuple[Record, ...]:
    """The latest first, those without a day last."""
    return tuple(sorted(told, key=lambda r: (r.on or date.min, r.feed, r.record_id), reverse=True))


def _subjects(
    person: Person, listed: Iterable[dict[str, str]], at: datetime, named: bool
) -> tuple[Found, ...]:
    """What feeds in scope tell of the subjects; a fixed number of statements, however many they are."""
    wanted, on = list(listed), timezone.localdate(at)
    refs = [s["ref"] for s in wanted]
    people = {s["ref"] for s in wanted if s["kind"] == "person"}
    offices = {o.code: o for o in Office.objects.all()}
    names: dict[str, list[str]] = {}
    feeds: dict[str, set[str]] = {}
    counties: dict[str, set[str]] = {}
    tiers: dict[str, str] = {}
    with _reading(person, readable_feeds(on)), connection.cursor() as cursor:
        cursor.execute(
            "select ref::text, names, feeds, counties from supervision_naming_where(%s::uuid[])", [refs]
        )
        for ref, told, of, where in cursor.fetchall():
            names[ref], feeds[ref], counties[ref], tiers[ref] = list(told), set(of), set(where), "A"
    with _reading(person, spine.readable_feeds(on)):
        for m in Mention.objects.filter(subject__in=refs, to_landing=None).order_by("pk")[:MENTIONS]:
            ref = str(m.subject)
            names.setdefault(ref, []).append(m.name)
            feeds.setdefault(ref, set()).add(m.feed)
            counties.setdefault(ref, set()).update([m.county] if m.county else [])
            tiers.setdefault(ref, m.tier)
    if not named:
        names = {
            ref: [mask.person_name(n) for n in told] if ref in people else told for ref, told in names.items()
        }
    clues: dict[str, list[str]] = {}
    for ref, number in (
        Clue.objects.filter(subject_ref__in=refs)
        .order_by("-pk")
        .values_list("subject_ref", "number")[: len(refs) * _CLUES]
    ):
        clues.setdefault(ref, []).append(number)
    catalog = ingestion.catalog()
    return tuple(
        Found(
            place, s["kind"], tuple(dict.fromkeys(names.get(s["ref"], ()))), tiers.get(s["ref"], ""),
            tuple(offices[c] for c in sorted(counties.get(s["ref"], ())) if c in offices),
            tuple(f for f in sorted(feeds.get(s["ref"], ())) if f in catalog), tuple(clues.get(s["ref"], ())[:_CLUES]),
        )
        for place, s in enumerate(wanted)
    )  # fmt: skip
