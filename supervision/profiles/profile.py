"""A subject's profile (全息画像): everything the sources in scope tell of one person or organisation, on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection
from django.utils import timezone

from chuxiong.accounts.models import Office, Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.kit import mask
from ingestion import agreements
from ingestion.catalog.seals import purposes, shut
from supervision.models import Clue, Mention, PoolQuery
from supervision.naming import filling as naming
from supervision.profiles import queries, records
from supervision.profiles.records import Mentioned, Reading, Record, Source
from supervision.reference import REFERENCE
from supervision.selectors import ClueRow, clue_rows
from supervision.spine import selectors as spine
from supervision.spine.selectors import Namesakes

#: other clues of the subject that are listed; mentions without a number that are followed
CLUES, MENTIONS = 20, 2000


@dataclass(frozen=True)
class Dated:
    """One point of the time line: day, feed, record."""

    on: date
    record: Record


@dataclass(frozen=True)
class Profile:
    """What the profile page shows. ``total`` = the records shown; ``undated`` of them stand on no time line."""

    query: PoolQuery
    #: the subject's place among those of the query
    place: int
    kind: str
    #: as the sources in scope write it, the most usual spelling first; masked unless ``named``
    names: tuple[str, ...]
    named: bool
    #: A full number; B, C, D by what agrees; J by a person's word; "" a name alone
    tier: str
    namesakes: Namesakes | None
    #: with records, in the catalogue's order
    sources: tuple[Source, ...]
    #: read, and nothing found
    silent: tuple[Source, ...]
    #: no agreement lets them be read today
    stopped: tuple[Source, ...]
    timeline: tuple[Dated, ...]
    total: int
    undated: int
    clues: list[ClueRow]
    more_clues: int
    counties: tuple[Office, ...]
    as_of: datetime


def profile(person: Person, code: UUID, place: int, *, at: datetime) -> Profile | None:
    """Open a subject of one's own query; None where there is none. Each opening leaves an audit row with the purpose.

    Raises ``NotRecorded`` when the query's time or basis has gone.
    """
    with person_scope(person):
        query = queries.standing(person, code, at=at)
        if query is None or not 0 <= place < len(query.subjects):
            return None
        named, besides = knowing(person, query)
    subject = query.subjects[place]
    kind, ref = subject["kind"], records.same(subject["ref"])
    reading, names = of_subject(person, kind, ref, at=at)
    sources = records.about(
        person, reading, at=at, named=named, most=REFERENCE.pool_query.records_most.value, purposes=besides
    )
    with person_scope(person, purpose=agreements.PURPOSE):
        shown = {source.feed.code: len(source.records) for source in sources if source.records}
        record(
            at=at, actor=person.username, office=person.office_id, action="profile.read", object_kind="pool_query",
            object_ref=str(query.code), reason=query.reason,
            detail={
                "basis": query.basis, "clue": query.clue.number if query.clue else "", "case": query.case_number,
                "subject": ref, "records": shown,
            },
        )  # fmt: skip
        alike = spine.namesakes(ref)
        found = Clue.objects.filter(subject_ref__in=reading.refs, subject_kind=kind)
        numbers = list(found.order_by("-pk").values_list("number", flat=True)[:CLUES])
        count = found.count()
    clues = clue_rows(person, numbers, at=at, action="profile.clues")
    offices = {o.code: o for o in Office.objects.all()}
    told = [r for source in sources for r in source.records]
    timeline = sorted(
        (Dated(r.on, r) for r in told if r.on), key=lambda d: (d.on, d.record.feed, d.record.record_id)
    )
    return Profile(
        query=query, place=place, kind=kind, names=tuple(n if named or kind != "person" else mask.person_name(n) for n in names),
        named=named, tier=alike.tier if alike else ("A" if any(r.tier == "A" for r in told) else ""),
        namesakes=alike if named else None, sources=tuple(s for s in sources if s.records),
        silent=tuple(s for s in sources if not s.records and not s.stopped), stopped=tuple(s for s in sources if s.stopped),
        timeline=tuple(timeline), total=len(told), undated=len(told) - len(timeline), clues=clues, more_clues=count - len(clues),
        counties=tuple(offices[c] for c in sorted({r.county for r in told if r.county}) if c in offices), as_of=at,
    )  # fmt: skip


def knowing(person: Person, query: PoolQuery) -> tuple[bool, Sequence[str]]:
    """Whether names stand in clear, and for which further purposes sealed rows may be read: as on the clue behind it."""
    if query.clue is None:
        return True, ()
    department = person.department.code if person.department else ""
    closed = shut(query.clue.seals, department)
    return not closed, () if closed else purposes(query.clue.seals, department)


def of_subject(person: Person, kind: str, ref: str, *, at: datetime) -> tuple[Reading, tuple[str, ...]]:
    """What the subject is looked up by, and what the feeds in scope call it."""
    on = timezone.localdate(at)
    with (
        person_scope(person, feeds=spine.readable_feeds(on), purpose=agreements.PURPOSE),
        connection.cursor() as cursor,
    ):
        key = spine.present(ref)
        cursor.execute(
            "with recursive merged(key, step) as (select %s::uuid, 0 union select s.key, m.step + 1 from merged m"
            " join supervision_subject s on s.merged_into = m.key where m.step < 100) select distinct key::text from merged",
            [key],
        )
        refs = tuple(dict.fromkeys((key, ref, *(k for (k,) in cursor.fetchall()))))
        mentions = {
            (m.feed, bytes(m.natural_hash)): (Mentioned(m.tier, m.score), m.name)
            for m in Mention.objects.filter(subject__in=refs, to_landing=None).order_by("pk")[:MENTIONS]
        }
    with (
        person_scope(person, feeds=naming.readable_feeds(on), purpose=agreements.PURPOSE),
        connection.cursor() as cursor,
    ):
        cursor.execute("select names from supervision_naming_of(%s::uuid[])", [list(refs)])
        names = [name for (told,) in cursor.fetchall() for name in told]
    names += [name for _, name in mentions.values() if name]
    told_names = tuple(dict.fromkeys(names))
    return Reading(kind, refs, {k: m for k, (m, _) in mentions.items()}, told_names), told_names
