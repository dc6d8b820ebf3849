"""The card of a model (模型卡) in the national listing's order, out of the rule itself. Pure.

Background, legal basis, checking points, data elements, the rule, known innocents, stored tests come from here; cases and
effect are counts of our own clues and stand with whoever may see them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from ingestion.catalog.load import Catalog
from supervision.packs.elements import Element, elements
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.reading import own_columns
from supervision.rulebook.sentence import Language, factor_words, rule_sentence
from supervision.rulebook.spec import SCORE, Basis, Leaf, Link, Node, Param, RuleSpec, Source, Without

#: the listing's order
ORDER = ("background", "basis", "points", "elements", "rule", "innocents", "tests", "cases", "effect")

_FEN = re.compile(r"\s*[（(]分[)）]$")
_UNITS = {
    "months": ("个月", "months"),
    "days": ("天", "days"),
    "percent": ("%", "%"),
    "years": ("周岁", "years of age"),
    "metres": ("米", "metres"),
}
_LINKED = {
    "identity": ("同一身份", "the same identity"),
    "key": ("同一编号", "the same key"),
    "relation": ("相互关联", "a relation"),
    "place": ("同一地点", "the same place"),
}
LEVELS: dict[str, tuple[str, str]] = {
    "urgent": ("紧急", "urgent"),
    "important": ("重点", "important"),
    "ordinary": ("一般", "ordinary"),
}
_JOINED = {"all": ("同时满足", "all of"), "any": ("满足任一", "any of"), "not": ("并非", "not")}
_MEASURED = {
    "count": ("条数", "number of"),
    "distinct": ("不同值的个数", "number of different"),
    "share": ("占比", "share of"),
    "longest_run": ("最长连续天数", "longest run of days of"),
    "most_within": ("期间内最多条数", "most within days of"),
    "sum": ("合计", "sum of"),
    "min": ("最小（最早）", "least (first)"),
    "max": ("最大（最晚）", "greatest (last)"),
    "first": ("取值", "value of"),
}


@dataclass(frozen=True)
class Step:
    """One line of the rule: ``depth`` counts the groups around it; ``kind`` is source, link, group, when, without,
    score, having or band; ``label`` what it says, ``detail`` how it is compared."""

    kind: str
    depth: int
    label: str
    detail: str = ""


@dataclass(frozen=True)
class ParamLine:
    name: str
    label: str
    value: str
    source: str
    since: date


@dataclass(frozen=True)
class TestLine:
    name: str
    as_of: date
    expect: str
    level: str
    rows: int


@dataclass(frozen=True)
class Card:
    """All of it in one language but what the law and the rule's author wrote in Chinese alone."""

    title: str
    background: str
    basis: tuple[Basis, ...]
    points: tuple[str, ...]
    elements: tuple[Element, ...]
    sentence_zh: str
    sentence_en: str
    steps: tuple[Step, ...]
    params: tuple[ParamLine, ...]
    innocents: tuple[str, ...]
    tests: tuple[TestLine, ...]


def card(rule: RuleSpec, catalog: Catalog, language: Language) -> Card:
    return Card(
        title=getattr(rule.title, language),
        background=getattr(rule.summary, language),
        basis=rule.basis,
        points=tuple(getattr(p, language) for p in rule.checking_points),
        elements=tuple(elements(rule, catalog)),
        sentence_zh=rule_sentence(rule, None, "zh"),
        sentence_en=rule_sentence(rule, None, "en"),
        steps=tuple(_Steps(rule, catalog, language).lines()),
        params=tuple(
            ParamLine(name, _label(p, language), _amount(p, language), p.source, p.since)
            for name, p in rule.params.items()
        ),
        innocents=tuple(getattr(p, language) for p in rule.false_positives),
        tests=tuple(
            TestLine(t.name, t.as_of, t.expect, t.level or "", sum(len(rows) for rows in t.given.values()))
            for t in rule.tests
        ),
    )


def _label(param: Param, language: Language) -> str:
    return _FEN.sub("", getattr(param, language))


def _amount(param: Param, language: Language) -> str:
    """Money is kept in 分 and said in yuan."""
    value = param.value
    if isinstance(value, int) and not isinstance(value, bool) and _FEN.search(param.zh):
        return f"{value / 100:,.2f} {'元' if language == 'zh' else 'yuan'}"
    return _plain(value, language)


def _plain(value: Any, language: Language) -> str:
    if isinstance(value, list | tuple):
        return ("、" if language == "zh" else ", ").join(str(v) for v in value)
    if isinstance(value, bool):
        return {"zh": ("否", "是"), "en": ("no", "yes")}[language][value]
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


class _Steps:
    def __init__(self, rule: RuleSpec, catalog: Catalog, language: Language) -> None:
        self.rule, self.catalog, self.language = rule, catalog, language
        self.zh = language == "zh"

    def lines(self) -> Iterable[Step]:
        rule = self.rule
        for alias, source in rule.sources.items():
            yield Step("source", 0, self.words(source), self._source(alias, source))
            for member in source.any_of or ():
                title = self._feed(member.feed)
                yield Step("source", 1, title, self._where(member.where))
        for link in rule.link:
            yield Step("link", 0, self._link(link), self._linked(link))
        yield from self._tree(rule.when, "when", 0)
        for leg in rule.without:
            yield Step("without", 0, self.words(leg), self._absent(leg))
        if rule.score:
            mark = rule.params[rule.score.at_least]
            yield Step(
                "score",
                0,
                self.words(rule.score),
                f"≥ {_amount(mark, self.language)} {'分' if self.zh else 'points'}",
            )
            for item in rule.score.items:
                points = _amount(rule.params[item.points], self.language)
                yield Step(
                    "score",
                    1,
                    self.words(item.when),
                    f"{self.phrase(item.when)}：{points} 分"
                    if self.zh
                    else f"{self.phrase(item.when)}: {points}",
                )
        if rule.cluster:
            hours = _amount(rule.params[rule.cluster.hours], self.language)
            yield Step("having", 0, self.words(rule.cluster), f"{hours} {'小时内' if self.zh else 'hours'}")
        if rule.having:
            yield from self._tree(rule.having, "having", 0)
        for band in rule.bands:
            parts = [
                f"{self._measure(name)} ≥ {_amount(rule.params[param], self.language)}"
                for name, param in band.at_least.items()
            ]
            level = LEVELS[band.level][not self.zh]
            said = f"{level}：{self.words(band)}" if self.zh else f"{level}: {self.words(band)}"
            yield Step("band", 0, said, ("，且 " if self.zh else " and ").join(parts))

    def _absent(self, leg: Without) -> str:
        feeds = ("、" if self.zh else ", ").join(
            self._feed(a.feed) + (f"（{where}）" if (where := self._where(a.where)) else "")
            for a in leg.feeds
        )
        since = self.field(leg.since)
        if leg.until:
            window = f"{since} – {self.field(leg.until)}"
        else:
            days = self._param(str(leg.days))
            window = f"自{since}起 {days} 天" if self.zh else f"{days} days from {since}"
        if self.zh:
            return f"{window}，{feeds}中没有记录；数据须已覆盖到期间末"
        return f"{window}: no record in {feeds}; the data must cover the whole period"

    def words(self, item: Any) -> str:
        return str(getattr(item, self.language))

    def _feed(self, code: str) -> str:
        return getattr(self.catalog[code].title, self.language) if code in self.catalog else code

    def _source(self, alias: str, source: Source) -> str:
        if source.feed is None:
            return "以下来源合并" if self.zh else "combined from the following"
        parts = [self._feed(source.feed)]
        if alias == self.rule.driver:
            parts.append("以此为主" if self.zh else "the main source")
        if source.latest:
            parts.append("只看最新一条" if self.zh else "the latest row alone")
        if where := self._where(source.where):
            parts.append(where)
        return ("；" if self.zh else "; ").join(parts)

    def _where(self, node: Node | None) -> str:
        if node is None:
            return ""
        if isinstance(node, Leaf):
            return self.words(node)
        if node.negated is not None:
            inner = self._where(node.negated)
            return f"并非（{inner}）" if self.zh else f"not ({inner})"
        joiner = ("，且" if self.zh else " and ") if node.all else ("，或" if self.zh else " or ")
        return joiner.join(self._where(child) for child in node.all or node.any or ())

    def _link(self, link: Link) -> str:
        left, right = (self.rule.sources[f.split(".")[0]] for f in (link.left, link.right))
        return f"{self.words(left)} — {self.words(right)}"

    def _linked(self, link: Link) -> str:
        said = _LINKED[link.by][not self.zh]
        detail = f"{said}{'：' if self.zh else ': '}{self.field(link.left)} = {self.field(link.right)}"
        if link.tier != "A":
            detail += f"（不低于 {link.tier} 级）" if self.zh else f" (at least tier {link.tier})"
        if link.optional:
            detail += "；可以没有" if self.zh else "; may be absent"
        return detail

    def _tree(self, node: Node, kind: str, depth: int) -> Iterable[Step]:
        if isinstance(node, Leaf):
            yield Step(kind, depth, self.words(node), self.phrase(node))
            return
        name = "all" if node.all else "any" if node.any else "not"
        several = node.all or node.any or ()
        if len(several) == 1:
            yield from self._tree(several[0], kind, depth)
            return
        children = node.all or node.any or ((node.negated,) if node.negated is not None else ())
        yield Step("group", depth, _JOINED[name][not self.zh])
        for child in children:
            yield from self._tree(child, kind, depth + 1)

    def field(self, name: str) -> str:
        """A field in words: its source and its name in the catalogue."""
        if name == SCORE:
            return "得分" if self.zh else "points"
        alias, _, column = name.partition(".")
        if not column:
            return self._measure(alias)
        source = self.rule.sources.get(alias)
        if source is None:
            return name
        if column == "county":
            said = "县市" if self.zh else "county"
        elif column == "support":
            said = "来源数" if self.zh else "number of sources"
        else:
            said = next(
                (
                    self.words(c)
                    for feed, own in own_columns(source, column)
                    if feed in self.catalog
                    for c in self.catalog[feed].columns
                    if c.name == own
                ),
                column,
            )
        return f"{self.words(source)}{'的' if self.zh else ': '}{said}"

    def _measure(self, name: str) -> str:
        measure = self.rule.measures.get(name)
        if measure is None:
            return name
        if said := self.words(measure):
            return said
        kind = _MEASURED[measure.kind][not self.zh]
        return f"{self.field(measure.field)}{kind}" if self.zh else f"{kind} {self.field(measure.field)}"

    def phrase(self, leaf: Leaf) -> str:
        """The condition by its operator's phrase: field, operator, what it is compared with."""
        operator = OPERATORS.get(leaf.op)
        said = operator.zh if operator and self.zh else operator.en if operator else leaf.op
        first = self.field(leaf.field)
        if leaf.end:
            first += f" – {self.field(leaf.end)}"
        parts = [first, said]
        if leaf.value is not None:
            parts.append(self._value(leaf))
        if leaf.param:
            parts.append(self._param(leaf.param))
        if leaf.other:
            parts.append(
                self.field(leaf.other) + (f" – {self.field(leaf.other_end)}" if leaf.other_end else "")
            )
        if leaf.low and leaf.high:
            parts.append(f"{self._param(leaf.low)} – {self._param(leaf.high)}")
        elif leaf.low or leaf.high:
            parts.append(self._param(str(leaf.low or leaf.high)))
        for key, unit in _UNITS.items():
            if name := getattr(leaf, key):
                parts.append(f"{self._param(name)} {unit[not self.zh]}")
        if leaf.times:
            parts.append(f"× {self._param(leaf.times)}")
        if leaf.missing_as is not None:
            parts.append(
                f"（为空按“{_plain(leaf.missing_as, 'zh')}”计）"
                if self.zh
                else f"(empty counts as {_plain(leaf.missing_as, 'en')})"
            )
        return " ".join(parts)

    def _value(self, leaf: Leaf) -> str:
        """A value in the field's own terms: money in yuan, a monitored factor by its name."""
        alias, _, column = leaf.field.partition(".")
        source = self.rule.sources.get(alias)
        kinds = {
            c.type
            for feed, own in (own_columns(source, column) if source else ())
            if feed in self.catalog
            for c in self.catalog[feed].columns
            if c.name == own
        }
        if "money" in kinds and isinstance(leaf.value, int):
            return f"{leaf.value / 100:,.2f} {'元' if self.zh else 'yuan'}"
        return factor_words(column, leaf.value, self.language) or _plain(leaf.value, self.language)

    def _param(self, name: str) -> str:
        param = self.rule.params[name]
        return f"〔{_label(param, self.language)} {_amount(param, self.language)}〕"
