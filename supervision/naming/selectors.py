"""The shelf of the names: who or what is called so, or nearly so, within the person's scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chuxiong.accounts.models import Office, Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from ingestion import agreements
from supervision.identity.search import Asked, Kind, asked, likeness
from supervision.models import Clue
from supervision.naming.filling import readable_feeds

#: candidates that are compared closely; results on the page
_CLOSELY, MOST = 300, 40
#: clues named with a result
_CLUES = 3
#: what is less alike is not shown
_LEAST = 0.5


@dataclass(frozen=True)
class Named:
    """One result: a subject with a full number, or a spelling without one; ``likeness`` 0 to 1, 1 is the same spelling.

    ``spellings`` as the records have them, ``feeds`` and ``counties`` where they stand, ``clues`` the numbers of the
    latest clues on the subject that the person sees.
    """

    kind: Kind
    subject: str | None
    name: str
    likeness: float
    spellings: tuple[str, ...]
    feeds: tuple[str, ...]
    counties: tuple[Office, ...]
    clues: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """``more``: there are others as near or less near than these."""

    found: list[Named]
    more: bool


def search(person: Person, kind: Kind, text: str, *, reason: str = "", at: datetime | None = None) -> Results:
    """Who or what is called so; the audit keeps a keyed digest of the words, never the words."""
    now = at or timezone.now()
    question = asked(kind, text)
    with person_scope(person, feeds=readable_feeds(timezone.localdate(now)), purpose=agreements.PURPOSE):
        results = found(question) if question else Results([], False)
        words = salted_hmac("supervision.naming", f"{kind}\n{text}", algorithm="sha256").hexdigest()[:16]
        record(
            at=now,
            actor=person.username,
            office=person.office_id,
            action="name.search",
            object_kind="name",
            object_ref=kind,
            reason=reason,
            detail={
                "text": words,
                "found": len(results.found),
                "subjects": sorted(n.subject for n in results.found if n.subject),
            },
        )
    return results


def found(question: Asked) -> Results:
    """As ``search``, under the open scope and without a trace: the caller leaves one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select feed, county, subject::text, written, name, core from supervision_naming_search(%s, %s, %s, %s, %s)",
            [question.kind, question.name, question.core, list(question.keys), _CLOSELY],
        )
        rows = cursor.fetchall()
    schema = dict.fromkeys(("feed", "county", "subject", "written", "name", "core"), pl.String)
    table = pl.DataFrame(rows, schema=schema, orient="row").unique(maintain_order=True)
    table = table.with_columns(likeness=likeness(question, table["name"], table["core"]))
    table = table.filter(pl.col("likeness") >= _LEAST)
    # Whoever has a full number is one, however written; without one the same name in one county is shown as one line.
    alone = pl.concat_str("name", pl.col("county").fill_null(""), separator="\n")
    groups = (
        table.with_columns(key=pl.coalesce("subject", alone))
        .sort("likeness", "name", descending=[True, False])
        .group_by("key", maintain_order=True)
        .agg(
            pl.col("subject").first(),
            pl.col("name").first(),
            pl.col("likeness").max(),
            pl.col("written").unique(maintain_order=True),
            pl.col("feed").unique().sort(),
            pl.col("county").drop_nulls().unique().sort(),
        )
    )
    top = groups.head(MOST)
    offices, clues = Office.objects.in_bulk(), _clues(top["subject"].drop_nulls().to_list())
    named = [
        Named(
            question.kind,
            r["subject"],
            r["name"],
            r["likeness"],
            tuple(r["written"]),
            tuple(r["feed"]),
            tuple(offices[c] for c in r["county"] if c in offices),
            tuple(clues.get(r["subject"], ())[:_CLUES]),
        )
        for r in top.iter_rows(named=True)
    ]
    return Results(named, groups.height > MOST or len(rows) == _CLOSELY)


def _clues(subjects: list[str]) -> dict[str, list[str]]:
    """Numbers of the clues on the subjects that the open scope shows, latest first."""
    told: dict[str, list[str]] = {}
    rows = Clue.objects.filter(subject_ref__in=subjects).order_by("-pk")
    for ref, number in rows.values_list("subject_ref", "number")[: MOST * _CLUES]:
        told.setdefault(ref, []).append(number)
    return told
