"""The rulebook as other rooms ask for it, and the scope of a person over clues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import date, timedelta
from functools import lru_cache

from django.conf import settings

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import Scope, person_scope, scope
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.permit import permit
from supervision.alarms.spec import AlarmSpec, load_alarms
from supervision.models import RuleState
from supervision.reference import REFERENCE
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.load import LoadedRule, Rulebook, load_rulebook
from supervision.rulebook.reading import follows_subjects


def _reach(
    person: Person, *, feeds: Iterable[str] = (), purpose: str = "supervision"
) -> AbstractContextManager[Scope]:
    """The person's scope; an empty one for somebody whose roles do not allow looking at clues."""
    return (
        person_scope(person, feeds=feeds, purpose=purpose) if person.may("clue.read") else scope(offices=())
    )


def reach(person: Person, *, feeds: Iterable[str] = ()) -> AbstractContextManager[Scope]:
    """What the person may see of clues and all that hangs on them, for readers of this room."""
    return _reach(person, feeds=feeds)


@lru_cache(maxsize=1)
def shipped_rules() -> Rulebook:
    """The rules of the repository; read once per process."""
    return load_rulebook(settings.RULES_DIR, ingestion.catalog())


@lru_cache(maxsize=1)
def own_rulebook() -> dict[str, LoadedRule]:
    """The process's own book, for ``supervision.drafts.book`` to keep: what is shipped, and what people published."""
    return dict(shipped_rules())


def rulebook() -> Rulebook:
    """All rules by id: shipped, and published by people (as far as this process has looked)."""
    return own_rulebook()


def forget() -> None:
    """The book has changed: what was worked out of it is worked out anew."""
    rules_by_feed.cache_clear()
    rules_by_field.cache_clear()


def live_rules() -> list[str]:
    return list(RuleState.objects.filter(status="live").values_list("rule", flat=True))


def rules_reading(landing: int) -> list[str]:
    """Live rules that read the feed which landed as ``landing``; of a landing of no feed, which tells that identities
    or relations have changed, those that rest on these."""
    feeds = ingestion.landed_feeds(since=landing - 1, until=landing)
    if "" in feeds:
        return rules_following_subjects()
    catalog = ingestion.catalog()
    return [
        rule_id
        for rule_id in live_rules()
        if feeds & (set(compile_rule(rulebook()[rule_id], catalog).fields_read))
    ]


def rules_following_subjects() -> list[str]:
    """Live rules that rest on relations or on resolved mentions."""
    return [rule_id for rule_id in live_rules() if follows_subjects(rulebook()[rule_id])]


@lru_cache(maxsize=1)
def alarms() -> dict[str, AlarmSpec]:
    """The alarm definitions; read once per process."""
    return load_alarms(ingestion.catalog())


def alarms_reading(landing: int) -> list[str]:
    """Definitions that read the feed which landed as ``landing``."""
    feeds = ingestion.landed_feeds(since=landing - 1, until=landing)
    return [spec.id for spec in alarms().values() if spec.feed in feeds]


@lru_cache(maxsize=1)
def rules_by_feed() -> dict[str, list[LoadedRule]]:
    """Per feed, the shipped rules that read it: whose results a late feed leaves undecided."""
    found: dict[str, list[LoadedRule]] = {}
    for rule in rulebook().values():
        plan = compile_rule(rule, ingestion.catalog())
        for feed in sorted(set(plan.fields_read) | plan.feeds_absent):
            found.setdefault(feed, []).append(rule)
    return found


@lru_cache(maxsize=1)
def rules_by_field() -> dict[tuple[str, str], list[LoadedRule]]:
    """Per (feed, column), the shipped rules that read it; in the order of the rulebook."""
    found: dict[tuple[str, str], list[LoadedRule]] = {}
    for rule in rulebook().values():
        for feed, columns in compile_rule(rule, ingestion.catalog()).fields_read.items():
            for column in columns:
                found.setdefault((feed, column), []).append(rule)
    return found


def rules_that_stop(numbers: Iterable[str], *, on: date) -> dict[str, list[LoadedRule]]:
    """Per agreement number: the rules that the agreements in force on ``on`` cover, but would not without it."""
    wanted, terms = list(numbers), agreements.terms()
    found: dict[str, list[LoadedRule]] = {number: [] for number in wanted}
    for rule in rulebook().values():
        read = compile_rule(rule, ingestion.catalog()).fields_read
        if not permit(read, agreements.PURPOSE, terms, on).allowed:
            continue
        for number in wanted:
            without = [t for t in terms if t.number != number]
            if not permit(read, agreements.PURPOSE, without, on).allowed:
                found[number].append(rule)
    return found


def rules_that_lapse(last_days: Mapping[str, date]) -> dict[str, list[LoadedRule]]:
    """Per agreement number: the rules that are covered on its last day and not on the day after."""
    terms = agreements.terms()
    found: dict[str, list[LoadedRule]] = {number: [] for number in last_days}
    for rule in rulebook().values():
        read = compile_rule(rule, ingestion.catalog()).fields_read
        covered: dict[date, bool] = {}

        def allowed(on: date) -> bool:
            if on not in covered:  # noqa: B023  used within this turn alone
                covered[on] = permit(read, agreements.PURPOSE, terms, on).allowed  # noqa: B023
            return covered[on]  # noqa: B023

        for number, last in last_days.items():
            own = {feed for t in terms if t.number == number for feed in t.fields}
            if own & set(read) and allowed(last) and not allowed(last + timedelta(days=1)):
                found[number].append(rule)
    return found


def reasons(listing: str) -> Iterable[tuple[str, str, str]]:
    return [(code, words.zh, words.en) for code, words in REFERENCE.reasons(listing).items()]
