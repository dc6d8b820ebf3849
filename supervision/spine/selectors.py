"""The shelf of the spine: who is meant, what was said of it, what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.spec import Words
from supervision.identity.linking import Comparison
from supervision.identity.tiers import Kind, link_model
from supervision.models import IdentityJudgement, IdentityPair, IdentityState, Subject, SubjectEvent

#: pairs on one page of the review, judgements below it
PAGE, RECENT = 30, 20


def told_by(landing: int) -> bool:
    """Whether what landed may mention persons or organisations; a clearing may have taken some away."""
    feeds = ingestion.landed_feeds(since=landing - 1, until=landing)
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select 1 from ingestion_landing where number = %s and kind = 'clearing')",
            [landing],
        )
        cleared = bool(cursor.fetchone()[0])
    catalog = ingestion.catalog()
    return cleared or any(feed in catalog and catalog[feed].mentions for feed in feeds)


def present(key: str) -> str:
    """The key that ``key`` leads to today; itself when it stands."""
    with connection.cursor() as cursor:
        cursor.execute(
            "with recursive way(key, step) as (select %s::uuid, 0 union all select s.merged_into, w.step + 1"
            " from way w join supervision_subject s on s.key = w.key where s.merged_into is not null and w.step < 100)"
            " select key::text from way order by step desc limit 1",
            [key],
        )
        return str(cursor.fetchone()[0])


def history(key: str) -> list[SubjectEvent]:
    """What happened to a key, latest first."""
    return list(SubjectEvent.objects.filter(subject=key).order_by("-landing", "-id"))


@dataclass(frozen=True)
class Namesakes:
    """Others in our own pool who bear the name: by full numbers; everywhere, in the county, of the birth year."""

    name: str
    everywhere: int
    county: int
    birth_year: int
    tier: str


def namesakes(subject: str) -> Namesakes | None:
    """Namesakes of a subject (a key or a ref); None where the pool tells no name of it. Never a condition of a rule."""
    try:
        key = present(str(UUID(subject)))
    except ValueError:  # the subject of a clue entered by hand
        return None
    with connection.cursor() as cursor:
        cursor.execute("select * from supervision_namesakes(%s::uuid)", [key])
        row = cursor.fetchone()
    if row is None or not row[0]:
        return None
    known = Subject.objects.filter(key=key).values_list("tier", flat=True).first()
    name, everywhere, county, year = row
    return Namesakes(name, everywhere, county, year, "A" if known is None else known)


@dataclass(frozen=True)
class Side:
    """One side of a pair: the feed that says so ("" for the holder of a full number) and what it tells."""

    numbered: bool
    source: Words | None
    told: Mapping[str, list[str]]


@dataclass(frozen=True)
class Compared:
    """One attribute: how far the two agree, and what that weighs at best."""

    column: str
    left: list[str]
    right: list[str]
    agreement: str


@dataclass(frozen=True)
class Waiting:
    """A pair in the list: what it is about, the feeds that tell of it, the counties they name."""

    pk: int
    kind: Kind
    name: str
    sources: tuple[Words, ...]
    towns: tuple[str, ...]
    clues: int


@dataclass(frozen=True)
class PairDetail:
    """A pair side by side."""

    pk: int
    kind: Kind
    left: Side
    right: Side
    compared: list[Compared]
    score: float
    clues: int
    namesakes: Namesakes | None


def readable_feeds(on: date) -> list[str]:
    """Feeds whose mentions may be read today."""
    return [
        code
        for code, feed in ingestion.catalog().items()
        if feed.mentions
        and agreements.check({code: set().union(*(m.fields() for m in feed.mentions))}, on=on).allowed
    ]


_WAITING = """
    from supervision_identitypair p where not exists (select 1 from supervision_identityjudgement j
        where j."left" = p."left" and j."right" = p."right" and j.withdrawn_at is null)
"""


def waiting(person: Person, *, at: datetime) -> tuple[list[Waiting], int]:
    """Pairs for this person to look at, those on which most clues depend first; and how many there are."""
    on = timezone.localdate(at)
    with (
        person_scope(person, feeds=readable_feeds(on), purpose=agreements.PURPOSE),
        connection.cursor() as cursor,
    ):
        cursor.execute("select count(*)" + _WAITING)
        total = int(cursor.fetchone()[0])
        cursor.execute(
            "select p.id, p.kind, (select count(*) from supervision_clue c where c.subject_ref in"
            " (p.left_subject::text, p.right_subject::text)) as clues"
            + _WAITING
            + " order by clues desc, p.score desc, p.id limit %s",
            [PAGE],
        )
        rows = cursor.fetchall()
        sides = {pk: _sides(cursor, pk) for pk, *_ in rows}
    catalog = ingestion.catalog()
    return [
        Waiting(
            pk,
            kind,
            _first(sides[pk], "name"),
            tuple(catalog[code].title for code in _each(sides[pk], "source") if code in catalog),
            tuple(_each(sides[pk], "town")),
            clues,
        )
        for pk, kind, clues in rows
    ], total


def _each(sides: Sequence[Mapping[str, Any]], column: str) -> list[str]:
    return list(dict.fromkeys(str(s[column]) for s in sides if s[column]))


def _first(sides: Sequence[Mapping[str, Any]], column: str) -> str:
    return next((str(s[column]) for s in sides if s[column]), "")


def _sides(cursor: Any, pk: int) -> list[dict[str, Any]]:
    cursor.execute("select * from supervision_pair_sides(%s)", [pk])
    columns = [c[0] for c in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def pair(person: Person, pk: int, *, at: datetime) -> PairDetail | None:
    """One pair side by side; None when it is gone or out of the person's sight. A look leaves one audit row."""
    on = timezone.localdate(at)
    with (
        person_scope(person, feeds=readable_feeds(on), purpose=agreements.PURPOSE),
        connection.cursor() as cursor,
    ):
        found = IdentityPair.objects.filter(pk=pk).first()
        if found is None:
            return None
        record(
            at=at,
            actor=person.username,
            office=person.office_id,
            action="identity.read",
            object_kind="identity_pair",
            object_ref=str(pk),
        )
        sides = _sides(cursor, pk)
        cursor.execute(
            "select count(*) from supervision_clue where subject_ref in (%s, %s)",
            [str(found.left_subject), str(found.right_subject)],
        )
        clues = int(cursor.fetchone()[0])
        alike = namesakes(str(found.left_subject))
    left, right = (_side([s for s in sides if s["side"] == side]) for side in ("left", "right"))
    kind: Any = found.kind
    compared = [_compared(c, left, right, found.reasons) for c in link_model(kind).comparisons]
    return PairDetail(pk, kind, left, right, compared, found.score, clues, alike)


def _side(rows: Sequence[Mapping[str, Any]]) -> Side:
    told: dict[str, list[str]] = {}
    for row in rows:
        for column, value in row.items():
            if column in ("side", "source", "numbered") or value in (None, "", False):
                continue
            # Numbers and telephones are told apart, not told.
            text = "✓" if column in ("masked", "issued", "phone") else str(value)
            if text not in told.setdefault(column, []):
                told[column].append(text)
    source = next((r["source"] for r in rows if r["source"]), "")
    feed = ingestion.catalog().get(source)
    return Side(any(r["numbered"] for r in rows), feed.title if feed else None, told)


def _compared(comparison: Comparison, left: Side, right: Side, reasons: Mapping[str, str]) -> Compared:
    column = comparison.column
    a, b = left.told.get(column, []), right.told.get(column, [])
    agreement = reasons.get(column, "empty")
    if agreement == "empty" and a and b and column not in ("masked", "issued", "phone"):
        # Another record of the number's holder tells it than the one that agrees best.
        agreement = "equal" if set(a) & set(b) else "different"
    return Compared(
        column,
        a,
        b,
        agreement,
    )


def judged(person: Person) -> list[IdentityJudgement]:
    """The latest words given within the person's offices that stand."""
    with person_scope(person):
        return list(IdentityJudgement.objects.filter(withdrawn_at=None).order_by("-at")[:RECENT])


def status() -> dict[str, Any]:
    """Figures of the spine, for the command line."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select kind, coalesce(nullif(tier, ''), '-'), count(*), count(distinct subject) from supervision_mention"
            " where to_landing is null group by 1, 2 order by 1, 2"
        )
        tiers = [
            {"kind": kind, "tier": tier, "mentions": mentions, "subjects": subjects}
            for kind, tier, mentions, subjects in cursor.fetchall()
        ]
        cursor.execute(
            "select kind, count(distinct subject) from supervision_appearance group by 1 order by 1"
        )
        numbered = dict(cursor.fetchall())
        cursor.execute("select kind, count(*) from supervision_identitypair group by 1 order by 1")
        pairs = dict(cursor.fetchall())
    states = {
        s.kind: {
            "read_to": s.landing,
            "frequencies": s.version,
            "counted_at": s.counted_landing,
            "records": s.records,
        }
        for s in IdentityState.objects.order_by("kind")
    }
    return {
        "landing": ingestion.last_landing(),
        "kinds": states,
        "numbered": numbered,
        "tiers": tiers,
        "pairs": pairs,
    }
