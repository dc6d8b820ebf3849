"""One line of a list of clues: what it is called, how far it is, what the person may do with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from django.db.models import Q

from chuxiong.accounts.models import Office, Person
from chuxiong.kit import mask
from ingestion import selectors as ingestion
from ingestion.catalog.seals import shut
from supervision import tally
from supervision.clues import lifecycle
from supervision.clues.lifecycle import CLOSED, ORIGIN_WORDS, State
from supervision.models import Clue, Letter
from supervision.rulebook.load import LoadedRule
from supervision.selectors.rules import rulebook


@dataclass(frozen=True)
class ClueRow:
    """One line of the queue."""

    id: int
    number: str
    level: str
    title_zh: str
    title_en: str
    rule_code: str
    rule_title_zh: str
    rule_title_en: str
    sources_zh: list[str]
    sources_en: list[str]
    office_code: str
    office_zh: str
    office_en: str
    department: str
    state: str
    outcome: str | None
    origin: str
    checked_like: int
    confirmed_like: int
    due_on: date | None
    due_kind: str
    deferred_until: date | None
    raised_at: datetime
    township: str
    flags: list[str]
    version: int


def _rows(keys: Sequence[int], person: Person) -> list[ClueRow]:
    """The clues as lines of the queue, in the order of the keys, within the caller's scope."""
    clues = Clue.objects.in_bulk(keys)
    shown = [clues[pk] for pk in keys if pk in clues]
    likes = tally.verdicts({c.rule for c in shown if c.rule})
    offices = _offices()
    answered = set(Clue.objects.filter(_answered(), pk__in=list(clues)).values_list("pk", flat=True))
    return [_row(clue, person, offices, likes, answered=clue.pk in answered) for clue in shown]


def titles_of(person: Person, clues: Iterable[Clue]) -> dict[str, tuple[str, str]]:
    """Clue number → (title as the person may read it, office), in Chinese."""
    offices = _offices()
    return {
        c.number: (
            _title(c, rulebook().get(c.rule), named=_knows_names(c, person))[0],
            offices[c.office].short_zh,
        )
        for c in clues
    }


def source_titles(clue: Clue) -> list[str]:
    """The titles of the feeds behind a clue's evidence, in code order."""
    feeds = sorted({e["feed"] for e in clue.evidence})
    return [ingestion.catalog()[code].title.zh for code in feeds if code in ingestion.catalog()]


def _answered() -> Q:
    """Acted on, and an agency has answered a letter."""
    return Q(state=State.ACTED.value, pk__in=Letter.objects.filter(answered_at__isnull=False).values("clue"))


def _offices() -> dict[str, Office]:
    return {office.code: office for office in Office.objects.all()}


def _row(
    clue: Clue,
    person: Person,
    offices: dict[str, Office],
    likes: dict[str, tuple[int, int]],
    *,
    answered: bool = False,
) -> ClueRow:
    rule = rulebook().get(clue.rule) if clue.rule else None
    feeds = sorted({e["feed"] for e in clue.evidence}) if clue.evidence else []
    titles = [ingestion.catalog()[code].title for code in feeds if code in ingestion.catalog()]
    checked, confirmed = likes.get(clue.rule, (0, 0))
    zh, en = _title(clue, rule, named=_knows_names(clue, person))
    office = offices[clue.office]
    return ClueRow(
        id=clue.pk,
        number=clue.number,
        level=clue.level,
        title_zh=zh,
        title_en=en,
        rule_code=rule.code if rule else "",
        rule_title_zh=rule.title.zh if rule else ORIGIN_WORDS[clue.origin][0],
        rule_title_en=rule.title.en if rule else ORIGIN_WORDS[clue.origin][1],
        sources_zh=[t.zh for t in titles],
        sources_en=[t.en for t in titles],
        office_code=clue.office,
        office_zh=office.short_zh,
        office_en=office.short_en,
        department=clue.department,
        state=clue.state,
        outcome=clue.outcome,
        origin=clue.origin,
        checked_like=checked,
        confirmed_like=confirmed,
        # What has ended has no limit any more.
        due_on=None if State(clue.state) in CLOSED else clue.due_on,
        due_kind={"raised": "triage", "triaged": "triage", "acted": "feedback"}.get(clue.state, "checking"),
        deferred_until=clue.deferred_until,
        raised_at=clue.raised_at,
        township=clue.township,
        flags=_flags(clue) + (["answered"] if answered else []),
        version=clue.version,
    )


#: moves of those above whom the clue does not wait for
_FROM_ABOVE = frozenset({"take_over", "urge", "call"})


def _knows_names(clue: Clue, person: Person) -> bool:
    """Names stand in clear for those whom the clue waits for now: who may make its next move. Others look on.

    Where the name may come from material sealed against the person it never does.
    """
    if clue.seals and shut(clue.seals, person.department.code if person.department else ""):
        return False
    return any(move.name not in _FROM_ABOVE for move in _offered(clue, person))


@lru_cache(maxsize=256)
def _labelled_by_name(rule: str) -> bool:
    """Whether the rule's clues bear a person's name."""
    alias, _, column = rulebook()[rule].clue.label.partition(".")
    feed = rulebook()[rule].sources[alias].feed
    return bool(feed) and ingestion.catalog()[str(feed)].column(column).type == "person_name"


def _title(clue: Clue, rule: LoadedRule | None, *, named: bool) -> tuple[str, str]:
    suspected_zh = "" if clue.confirmed_at else "疑似"
    suspected_en = "" if clue.confirmed_at else "Suspected: "
    if rule is None and clue.origin == "alert":
        return f"{suspected_zh}{clue.title}", f"{suspected_en}{clue.material.get('title_en') or clue.title}"
    if rule is None:
        return clue.title, clue.title
    zh, en = rule.clue_title(clue.material)
    shown = clue.label if named or not _labelled_by_name(rule.id) else mask.person_name(clue.label)
    label = f"・{shown}" if shown else ""
    en = f"{suspected_en}{en}{label}"
    return f"{suspected_zh}{zh}{label}", en[:1].upper() + en[1:]


def _flags(clue: Clue) -> list[str]:
    flags = []
    if clue.results.get("previous_state") == "settled":
        flags.append("rebound")
    elif clue.results.get("previous_state"):
        flags.append("returned")
    if clue.source_changes:
        flags.append("source_changed")
    if not clue.supported:
        # Its records are not gone when another clue's occurrence holds them.
        joined = bool(clue.source_changes) and clue.source_changes[-1].get("verdict") == "joined"
        flags.append("joined" if joined else "unsupported")
    if clue.exercise:
        flags.append("exercise")
    if clue.seals:
        flags.append("sealed_material")
    return flags


@dataclass(frozen=True)
class Possible:
    """A move as offered on the page."""

    name: str
    zh: str
    en: str
    needs: tuple[str, ...]


def _offered(clue: Clue, person: Person, *, aside: bool = False) -> list[Possible]:
    """The moves that the clue's state, the person's roles and the handler's part allow."""
    others = clue.handler not in ("", person.username) and not person.may("clue.hand_over")
    return [
        Possible(m.name, m.words.zh, m.words.en, m.needs)
        for m in lifecycle.possible(State(clue.state), aside=aside)
        if person.may(m.permission)
        and not (m.by_handler and others)
        and (m.name != "take_over" or (person.office.is_prefecture and clue.office != person.office_id))
        and (m.name not in ("admit", "unseal") or clue.sealed)
        and (m.name != "seal" or not clue.sealed)
        and (m.name != "readmit" or clue.recused)
        and (m.name not in ("urge", "call") or person.office.is_prefecture or person.may("clue.hand_over"))
        and (m.name != "escalate" or (clue.office == person.office_id and not person.office.is_prefecture))
        and (m.name != "leave_matter" or clue.matter_id is not None)
        and (m.name != "join_matter" or not (clue.matter_id or clue.sealed or clue.closed_to))
    ]
