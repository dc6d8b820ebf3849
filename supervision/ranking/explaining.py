"""Why a clue stands where it does, in words that a person can argue with. Reads under the caller's scope."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Sum
from django.utils import timezone

from supervision.models import ClueRank, RankCell
from supervision.ranking import expected
from supervision.ranking.expected import Checks, Facts, Kind, Weight


@dataclass(frozen=True)
class Reason:
    """``code`` names the kind of reason: rebound, limit, explore, chance, unknown, amount, sources, age."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True)
class Level:
    """What past checks of one kind, ever narrower, came to."""

    #: all, rule, version, office, grade
    code: str
    checked: int
    confirmed: int


@dataclass(frozen=True)
class Standing:
    """The whole reckoning of one clue's place."""

    chance: float
    weight: Weight
    worth: float
    levels: list[Level]
    reasons: list[Reason]
    amount: int
    sources: int


def little_known(rules: Collection[str]) -> list[str]:
    """Rules whose clues have been checked less often than is ``enough``."""
    known = dict(RankCell.objects.values_list("model").annotate(Sum("checked")))
    return sorted(rule for rule in rules if known.get(rule, 0) < expected.spec().enough.value)


def reasons(clues: Sequence[int], today: date, exploring: Collection[int] = ()) -> dict[int, list[Reason]]:
    """Per clue what puts it forward, the weightiest reason first."""
    lines, checks = _read(clues)
    return {
        pk: _reasons(line, checks, today, pk in exploring) if (line := lines.get(pk)) else [_UNKNOWN]
        for pk in clues
    }


def standing(clue: int, today: date) -> Standing | None:
    """The reckoning of one clue; None before its line is there."""
    lines, checks = _read([clue])
    line = lines.get(clue)
    if line is None:
        return None
    facts = facts_of(line)
    weight = expected.weigh(facts, today)
    chance = line.chance if line.chance is not None else checks.chance(_kind(line))
    keys = expected.wider(_kind(line))
    levels = [
        Level(code, *checks.counts(key))
        for code, key in zip(("all", "rule", "version", "office", "grade"), keys, strict=True)
    ]
    return Standing(
        chance=chance,
        weight=weight,
        worth=weight.worth(chance),
        levels=levels,
        reasons=_reasons(line, checks, today, False),
        amount=line.amount,
        sources=facts.sources,
    )


def facts_of(line: ClueRank) -> Facts:
    return Facts(
        level=line.level,
        domain=_domain(line.model),
        amount=line.amount,
        sources=len(line.sources.split("+")),
        raised_on=timezone.localdate(line.raised_at),
        due_on=line.due_on,
        deferred_until=line.deferred_until,
        rebound=line.rebound,
    )


def _domain(model: str) -> str:
    from supervision.selectors import rulebook  # the shelf imports this module

    rule = rulebook().get(model)
    return rule.domain if rule else ""


def _kind(line: ClueRank) -> Kind:
    grade = f"{line.sources}:{line.tier}" if line.tier else line.sources
    return line.model, line.version, line.office, grade


def _read(clues: Sequence[int]) -> tuple[dict[int, ClueRank], Checks]:
    """The lines, and the checks of all kinds: few rows, and the widest kind needs them all."""
    lines = ClueRank.objects.in_bulk(list(clues))
    checks = Checks()
    for model, version, office, grade, checked, confirmed in RankCell.objects.filter(
        checked__gt=0
    ).values_list("model", "version", "office", "grade", "checked", "confirmed"):
        checks.add((model, version, office, grade), checked, confirmed)
    return lines, checks


_UNKNOWN = Reason("unknown", "同类核查不足，按总体估计", "Little checked so far: estimated from all clues")


def _reasons(line: ClueRank, checks: Checks, today: date, exploring: bool) -> list[Reason]:
    facts = facts_of(line)
    found: list[Reason] = []
    enough = int(expected.spec().enough.value)
    if facts.rebound:
        found.append(Reason("rebound", "办结后再次出现", "Came back after it was settled"))
    if expected.pressing(facts, today) and facts.due_on:
        days = (facts.due_on - today).days
        if days < 0:
            found.append(Reason("limit", f"期限已过 {-days} 天", f"{_days(-days)} past its limit"))
        else:
            words = ("今天到期", "Due today") if not days else (f"{days} 天后到期", f"Due in {_days(days)}")
            found.append(Reason("limit", *words))
    if exploring:
        found.append(
            Reason(
                "explore",
                f"探索：这一模型核查不足 {enough} 条，结论用于校准",
                f"Exploring: fewer than {enough} of this model checked; the result calibrates it",
            )
        )
    known = _chance(line, checks, enough)
    found += [known] if known is not _UNKNOWN else []
    weight = expected.weigh(facts, today)
    if facts.sources > 1:
        found.append(
            Reason("sources", f"{facts.sources} 个数据源互相印证", f"{facts.sources} sources bear it out")
        )
    if weight.amount > 1:
        yuan = f"{line.amount // 100:,}"
        found.append(Reason("amount", f"涉及 {yuan} 元", f"{yuan} yuan at stake"))
    if weight.age > 1:
        days = (today - facts.raised_on).days
        found.append(Reason("age", f"发现已 {days} 天", f"Raised {_days(days)} ago"))
    return found if known is not _UNKNOWN else [*found, known]


def _chance(line: ClueRank, checks: Checks, enough: int) -> Reason:
    """“Of 10 such, 6 were confirmed”: of the narrowest kind that has been checked often enough."""
    keys = expected.wider(_kind(line))[1:]
    for key in reversed(keys):
        checked, confirmed = checks.counts(key)
        if checked >= enough:
            ten = round(10 * confirmed / checked)
            return Reason("chance", f"这类线索 10 条查实 {ten} 条", f"Of 10 such, {ten} were confirmed")
    return _UNKNOWN


def _days(n: int) -> str:
    return "1 day" if n == 1 else f"{n} days"
