"""The model library: every model with how it stands, and what became of the clues of one, within a person's scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Count
from django.db.models.functions import TruncMonth

from chuxiong.accounts.models import Person
from ingestion import selectors as ingestion
from ingestion.registers.catalogue import Entry, Wanted, catalogue
from supervision import tally
from supervision.clues.lifecycle import State
from supervision.models import Clue, RuleState
from supervision.packs.elements import feeds_of
from supervision.reference import REFERENCE
from supervision.rulebook.load import LoadedRule
from supervision.selectors.rules import reach, rulebook, rules_by_feed

#: in which order domains stand: that of the national listing
DOMAINS = ("civil", "criminal", "administrative", "public_interest", "minors", "management")
_CONFIRMED = {State.CONFIRMED.value, State.ACTED.value, State.SETTLED.value}
_CHECKED = {*_CONFIRMED, State.UNFOUNDED.value}
#: of one clue two were made, or the data took it back: not counted as found
_NOT_COUNTED = {State.MERGED.value, State.WITHDRAWN.value}


@dataclass(frozen=True)
class ModelRow:
    """One model. ``checked`` and ``confirmed`` count the clues that the reader sees; ``hits`` is of the whole
    prefecture, and None where the domain is closed to the reader. ``feeds`` in the order of their codes."""

    rule: LoadedRule
    state: RuleState | None
    feeds: tuple[Entry, ...]
    checked: int
    confirmed: int
    hits: int | None
    undecided: int | None

    @property
    def status(self) -> str:
        return self.state.status if self.state else self.rule.status

    @property
    def stopped(self) -> str:
        return self.state.stopped_zh if self.state else ""

    @property
    def stale(self) -> tuple[Entry, ...]:
        """Feeds that are late, silent, odd, not yet delivered or without an agreement in force."""
        return tuple(f for f in self.feeds if f.health != "ok" or not f.in_force)


@dataclass(frozen=True)
class LibraryFilters:
    """An empty text stands for all; ``data``: fresh or stale."""

    text: str = ""
    domain: str = ""
    status: str = ""
    data: str = ""

    def fits(self, row: ModelRow) -> bool:
        if self.domain and row.rule.domain != self.domain:
            return False
        if self.status and row.status != self.status:
            return False
        if self.data and bool(row.stale) != (self.data == "stale"):
            return False
        words = self.text.casefold().split()
        if not words:
            return True
        rule = row.rule
        said = [rule.id, rule.code, rule.title.zh, rule.title.en, rule.summary.zh, rule.summary.en]
        said += [w for f in row.feeds for w in (f.feed.code, f.feed.title.zh, f.feed.title.en)]
        said += [b.law for b in rule.basis]
        text = "\n".join(said).casefold()
        return all(word in text for word in words)


@dataclass(frozen=True)
class MonthOfModel:
    """Clues raised in one month and what became of them so far: confirmed = corrected + improved + in progress."""

    month: date | None
    found: int
    checked: int
    confirmed: int
    corrected: int
    improved: int

    @property
    def in_progress(self) -> int:
        return self.confirmed - self.corrected - self.improved


@dataclass(frozen=True)
class Effect:
    """``months`` oldest first, ``total`` their sum; ``endings``: (state, outcome, kind) → clues, all of them."""

    months: tuple[MonthOfModel, ...]
    total: MonthOfModel
    endings: dict[tuple[str, str, str], int]


def model_rows(person: Person, *, today: date) -> list[ModelRow]:
    """All models in the order of domain and code. A constant number of queries."""
    rules = list(rulebook().values())
    by_feed = rules_by_feed()
    per_rule: dict[str, list[str]] = {}
    for feed in sorted(by_feed):
        for rule in by_feed[feed]:
            per_rule.setdefault(rule.id, []).append(feed)
    return _rows(person, rules, per_rule, today)


def model_row(person: Person, rule: LoadedRule, *, today: date) -> ModelRow:
    return _rows(person, [rule], {rule.id: feeds_of(rule)}, today)[0]


def _rows(
    person: Person, rules: list[LoadedRule], feeds: dict[str, list[str]], today: date
) -> list[ModelRow]:
    states = {s.rule: s for s in RuleState.objects.filter(rule__in=[r.id for r in rules])}
    known = ingestion.catalog()
    wanted = {code for codes in feeds.values() for code in codes}
    entries = {
        e.feed.code: e for e in catalogue({c: f for c, f in known.items() if c in wanted}, today, Wanted())
    }
    with reach(person):
        verdicts = tally.verdicts([r.id for r in rules])
    own = person.department.code if person.department and person.may("sealed.read") else ""
    rows = []
    for rule in rules:
        state, closed = states.get(rule.id), REFERENCE.closed_to(rule.domain)
        shown = state is not None and (not closed or closed == own)
        checked, confirmed = verdicts.get(rule.id, (0, 0))
        rows.append(
            ModelRow(
                rule, state, tuple(entries[c] for c in feeds.get(rule.id, []) if c in entries), checked, confirmed,
                state.hits if state and shown else None, state.undecided if state and shown else None,
            )
        )  # fmt: skip
    order = {domain: n for n, domain in enumerate(DOMAINS)}
    return sorted(rows, key=lambda r: (order[r.rule.domain], r.rule.code, r.rule.id))


def model_named(name: str) -> LoadedRule | list[LoadedRule] | None:
    """The model of this id; else those of this code, one by itself, several as a list."""
    book = rulebook()
    if name in book:
        return book[name]
    found = [r for r in book.values() if r.code.casefold() == name.casefold()]
    return found[0] if len(found) == 1 else found or None


def model_effect(person: Person, rule: str) -> Effect:
    """What became of the model's clues that the person sees; exercises do not count. One query."""
    with reach(person):
        counted = list(
            Clue.objects.filter(rule=rule, exercise=False)
            .annotate(month=TruncMonth("raised_at"))
            .values_list("month", "state", "outcome", "kind")
            .annotate(n=Count("pk"))
            .order_by("month")
        )
    endings: Counter[tuple[str, str, str]] = Counter()
    months: dict[date, Counter[str]] = {}
    for month, state, outcome, kind, n in counted:
        endings[state, outcome or "", kind if outcome else ""] += n
        if state in _NOT_COUNTED:
            continue
        sums = months.setdefault(month.date(), Counter())
        sums["found"] += n
        sums["checked"] += n * (state in _CHECKED)
        sums["confirmed"] += n * (state in _CONFIRMED)
        sums[outcome or ""] += n
    rows = tuple(_month(month, sums) for month, sums in months.items())
    return Effect(rows, _month(None, _summed(months.values())), dict(endings))


def _summed(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counters:
        total.update(one)
    return total


def _month(month: date | None, sums: Counter[str]) -> MonthOfModel:
    return MonthOfModel(
        month, sums["found"], sums["checked"], sums["confirmed"], sums["corrected"], sums["improved"]
    )
