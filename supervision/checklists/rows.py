"""What a checking list says of each clue: one read a feed, however many clues."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from ingestion import agreements
from ingestion import selectors as ingestion
from supervision import selectors
from supervision.checklists.sheet import Line
from supervision.models import Clue
from supervision.rulebook.sentence import found_words

#: identifiers never stand on a list
_HIDDEN = frozenset({"citizen_id", "credit_code", "phone", "bank_account", "plate"})


def lines_of(by: Person, clues: Sequence[Clue], *, at: datetime) -> list[Line]:
    """One line a clue: its title as the person may read it, its facts, and the key under which the agency that
    supplied the first record of the main source knows it. A source without an agreement today gives no key."""
    rules = selectors.rulebook()
    first: dict[str, tuple[str, int]] = {}
    for clue in clues:
        rule = rules.get(clue.rule)
        feed = rule.sources[rule.driver].feed if rule else None
        item = next((e for e in clue.evidence if e["feed"] == feed), None)
        if item:
            first[clue.number] = (item["feed"], item["record_id"])
    wanted: dict[str, list[int]] = {}
    for feed, record_id in first.values():
        wanted.setdefault(feed, []).append(record_id)
    keys = {feed: ingestion.catalog()[feed].natural_key for feed in wanted}
    refused = agreements.check(keys, on=timezone.localdate(at)).refused
    with person_scope(by, feeds=[f for f in wanted if f not in refused]):
        records = ingestion.records({f: ids for f, ids in wanted.items() if f not in refused})
    titles = selectors.titles_of(by, clues)
    lines = []
    for clue in clues:
        title, office = titles[clue.number]
        place = first.get(clue.number)
        rule = rules.get(clue.rule)
        lines.append(
            Line(
                number=clue.number,
                title=title,
                office=office,
                source=ingestion.catalog()[place[0]].title.zh if place else "",
                key=_key(place[0], records[place]) if place and place in records else "",
                facts="；".join(found_words(rule, clue.material, "zh"))
                if rule
                else str(clue.material.get("text", "")),
            )
        )
    return lines


def _key(code: str, record: dict[str, Any]) -> str:
    feed = ingestion.catalog()[code]
    columns = [feed.column(name) for name in feed.natural_key]
    return "　".join(
        f"{c.zh} {ingestion.display(c, record[c.name])}"
        for c in columns
        if c.type not in _HIDDEN and record.get(c.name) is not None
    )
