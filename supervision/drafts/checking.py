"""Everything that keeps a draft from being tried, at its field: its form, the catalogue, the agreements; and its likes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from chuxiong.kit.problems import Problem
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.permit import permit
from supervision.reference import REFERENCE
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.form import Data
from supervision.rulebook.form_check import Checked, FieldProblem, check_form
from supervision.rulebook.load import LoadedRule
from supervision.rulebook.reading import own_columns
from supervision.rulebook.spec import RuleSpec, judged_leaves

#: from this share of common feeds and conditions on, a rule is called much like another
LIKE = 0.6


def check(data: Mapping[str, str], *, on: date) -> Checked:
    """The form's problems, and fields that no agreement in force covers on ``on``."""
    checked = check_form(data, ingestion.catalog())
    if checked.rule is None:
        return checked
    uncovered = list(_uncovered(checked.rule, checked.data, on))
    return replace(checked, rule=None if uncovered else checked.rule, problems=tuple(uncovered))


def _uncovered(rule: LoadedRule, data: Data, on: date) -> Iterable[FieldProblem]:
    terms, purpose = agreements.terms(), REFERENCE.purpose(rule.domain) or agreements.PURPOSE
    for feed, columns in sorted(compile_rule(rule, ingestion.catalog()).fields_read.items()):
        whole = permit({feed: ()}, purpose, terms, on).refused.get(feed)
        if whole:
            yield _problem(_feed_field(data, feed), feed, whole)
            continue
        for column in sorted(columns):
            why = permit({feed: (column,)}, purpose, terms, on).refused.get(feed)
            if why:
                yield _problem(_column_field(rule, data, feed, column), f"{feed}.{column}", why)


def _problem(name: str, what: str, why: str) -> FieldProblem:
    told, _, cure = why.partition("；")
    return FieldProblem(
        name,
        Problem(
            what, f"{what} 没有协议覆盖：{told}", cure or "请补充协议，或换用协议覆盖的列",
            f"{what} is covered by no agreement", "Have the agreement extended, or use what one covers",
        ),
    )  # fmt: skip


def _feed_field(data: Data, feed: str) -> str:
    return next((n for n, text in data.items() if n.endswith(".feed") and text == feed), "sources")


def _column_field(rule: RuleSpec, data: Data, feed: str, column: str) -> str:
    """The first field of the form that names the column."""
    names = {
        f"{alias}.{common}"
        for alias, source in rule.sources.items()
        for common in ([column] if source.feed else [c for m in source.any_of or () for c in m.columns])
        if (feed, column) in own_columns(source, common)
    }
    return next((n for n, text in data.items() if text in names), _feed_field(data, feed))


@dataclass(frozen=True)
class Like:
    """A rule that asks much the same: ``percent`` of feeds and conditions in common."""

    rule: LoadedRule
    percent: int


def much_like(rule: RuleSpec, book: Iterable[LoadedRule]) -> list[Like]:
    """Rules that read the same feeds under the same conditions, the most alike first; its own versions are none."""
    own = _asks(rule)
    found = []
    for other in book:
        if other.id == rule.id or other.status in ("retired", "draft"):
            continue
        theirs = _asks(other)
        percent = round(100 * len(own & theirs) / len(own | theirs))
        if percent >= 100 * LIKE:
            found.append(Like(other, percent))
    return sorted(found, key=lambda like: (-like.percent, like.rule.code))


def _asks(rule: RuleSpec) -> set[tuple[str, ...]]:
    """What a rule asks, free of its own names: feeds, and conditions by column, operator and what they compare with."""
    feeds = {
        alias: source.feed or "+".join(m.feed for m in source.any_of or ())
        for alias, source in rule.sources.items()
    }

    def plain(name: str | None) -> str:
        alias, _, column = (name or "").partition(".")
        return f"{feeds.get(alias, alias)}.{column}" if column else ""

    asks: set[tuple[str, ...]] = {("feed", feed) for feed in feeds.values()}
    asks |= {("when", plain(leaf.field), leaf.op, plain(leaf.other)) for leaf in judged_leaves(rule)}
    asks |= {("without", absence.feed) for leg in rule.without for absence in leg.feeds}
    return asks
