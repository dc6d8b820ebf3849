"""Does a rule fit the catalogue? Every field, type, parameter and link, named where it stands."""

from __future__ import annotations

from chuxiong.kit.problems import Problem
from ingestion.catalog.load import Catalog
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.spec import Leaf, Member, Node, RuleSpec, Tree, leaves

#: what a combined source offers beside its common columns
SUPPORT = "support"
_DATES = {"date", "month", "datetime"}
_NUMBERS = {"int", "number"}


class Fields:
    """Types of every field a rule may name, as ``alias.column``."""

    def __init__(self, rule: RuleSpec, catalog: Catalog) -> None:
        self.types: dict[str, str] = {}
        self.subjects: dict[str, str | None] = {}
        self.missing: list[tuple[str, str]] = []
        for alias, source in rule.sources.items():
            if source.feed is not None:
                self._feed(alias, source.feed, catalog)
            else:
                self._combined(alias, source.any_of or (), catalog)

    def _feed(self, alias: str, feed: str, catalog: Catalog) -> None:
        if feed not in catalog:
            self.missing.append((f"sources.{alias}.feed", feed))
            return
        for column in catalog[feed].columns:
            self.types[f"{alias}.{column.name}"] = column.type
            self.subjects[f"{alias}.{column.name}"] = column.subject
        self.types[f"{alias}.county"] = "division"

    def _combined(self, alias: str, members: tuple[Member, ...], catalog: Catalog) -> None:
        for index, member in enumerate(members):
            at = f"sources.{alias}.any_of.{index}"
            if member.feed not in catalog:
                self.missing.append((f"{at}.feed", member.feed))
                continue
            columns = {c.name: c for c in catalog[member.feed].columns}
            for common, own in member.columns.items():
                if own not in columns:
                    self.missing.append((f"{at}.columns.{common}", own))
                else:
                    self.types[f"{alias}.{common}"] = columns[own].type
                    self.subjects[f"{alias}.{common}"] = columns[own].subject
        self.types[f"{alias}.{SUPPORT}"] = "int"


#: per kind of measure, the operators that stay true when further rows join
_FURTHERED = {
    "count": frozenset({">", ">="}),
    "max": frozenset({">", ">="}),
    "min": frozenset({"<", "<=", "days_ago_at_least"}),
}


def _negates(node: Node) -> bool:
    if isinstance(node, Leaf):
        return False
    return node.negated is not None or any(_negates(child) for child in node.all or node.any or ())


def problems_of(rule: RuleSpec, catalog: Catalog, place: str) -> list[Problem]:
    """Everything that keeps the rule from being compiled."""
    return _Check(rule, catalog, place).run()


class _Check:
    def __init__(self, rule: RuleSpec, catalog: Catalog, place: str) -> None:
        self.rule, self.catalog, self.place = rule, catalog, place
        self.fields = Fields(rule, catalog)
        self.found: list[Problem] = []

    def add(self, at: str, what: str, cure: str) -> None:
        self.found.append(Problem(f"{self.place} → {at}", what, cure))

    def run(self) -> list[Problem]:
        rule = self.rule
        for at, name in self.fields.missing:
            self.add(at, f"没有“{name}”", "改成数据目录里有的数据源或列（feed list）")
        if self.found:
            return self.found
        if rule.driver not in rule.sources or rule.sources[rule.driver].feed is None:
            self.add(
                "driver", f"“{rule.driver}”不是单一数据源", f"从 {'、'.join(rule.sources)} 中选一个 feed 来源"
            )
            return self.found
        self._links()
        for leaf in leaves(rule.when):
            self._leaf(leaf, f"when.{leaf.id}")
        for alias, source in rule.sources.items():
            self._where(source.where, source.feed, f"sources.{alias}.where")
            for index, member in enumerate(source.any_of or ()):
                self._where(member.where, member.feed, f"sources.{alias}.any_of.{index}.where")
        self._without()
        self._measures()
        self._cluster()
        self._having()
        self._route()
        if self._known("clue.subject", rule.clue.subject):
            if self.fields.subjects.get(rule.clue.subject) != rule.clue.kind:
                self.add(
                    "clue.subject",
                    f"{rule.clue.subject} 不是“{rule.clue.kind}”类主体",
                    "改用数据目录中标有该 subject 的列",
                )
            if rule.clue.subject.split(".")[0] != rule.driver:
                self.add("clue.subject", "主体须取自主来源", f"改用 {rule.driver} 的列")
        self._known("clue.label", rule.clue.label)
        return self.found

    def _known(self, at: str, name: str) -> bool:
        if name in self.fields.types:
            return True
        alias = name.split(".")[0]
        options = sorted(f for f in self.fields.types if f.split(".")[0] == alias) or sorted(
            self.rule.sources
        )
        self.add(at, f"没有字段 {name}", f"可用：{'、'.join(options[:12])}")
        return False

    def _links(self) -> None:
        linked = {self.rule.driver}
        types = self.fields.types
        for index, link in enumerate(self.rule.link):
            at = f"link.{index}"
            if not (self._known(at, link.left) and self._known(at, link.right)):
                continue
            if link.left.split(".")[0] not in linked:
                self.add(
                    at,
                    f"{link.left.split('.')[0]} 还没有连到 {self.rule.driver}",
                    "先写它的连接，左侧用已连接的来源",
                )
            linked.add(link.right.split(".")[0])
            if types[link.left] != types[link.right]:
                self.add(
                    at,
                    f"{link.left}（{types[link.left]}）与 {link.right}（{types[link.right]}）类型不同",
                    "用同一类标识连接",
                )
            if link.by == "identity" and not self.fields.subjects.get(link.left):
                self.add(at, f"{link.left} 不是主体标识", "改用 by: key，或换成身份标识列")
        for alias in self.rule.sources:
            if alias not in linked:
                self.add(
                    f"sources.{alias}", "没有连接，会两两相乘", f"在 link 中写明 {alias} 如何与其他来源相连"
                )

    def _without(self) -> None:
        for leg in self.rule.without:
            at = f"without.{leg.id}"
            if leg.feed not in self.catalog:
                self.add(f"{at}.feed", f"没有“{leg.feed}”", "改成数据目录里有的数据源（feed list）")
                continue
            own = {c.name: c.type for c in self.catalog[leg.feed].columns}
            for theirs, column in leg.match.items():
                mentions = own.get(column) == "text" and self.fields.subjects.get(theirs)
                if (
                    self._known(f"{at}.match", theirs)
                    and not mentions
                    and own.get(column) != self.fields.types[theirs]
                ):
                    self.add(
                        f"{at}.match",
                        f"{theirs} 与 {leg.feed}.{column} 不是同类标识",
                        f"可用：{'、'.join(own)}",
                    )
            if own.get(leg.date) not in _DATES:
                self.add(f"{at}.date", f"{leg.feed}.{leg.date} 不是日期列", "换成该数据源的日期列")
            if self._known(f"{at}.since", leg.since) and self.fields.types[leg.since] not in _DATES:
                self.add(f"{at}.since", f"{leg.since} 不是日期", "换成日期字段")
            if leg.days not in self.rule.params:
                self.add(f"{at}.days", f"没有参数 {leg.days}", f"在 params 中登记 {leg.days} 及其来源")

    def _measures(self) -> None:
        types = self.fields.types
        for name, measure in self.rule.measures.items():
            if measure.kind != "count":
                self._known(f"measures.{name}", measure.field)
            if (
                measure.per
                and self._known(f"measures.{name}.per", measure.per)
                and not {types.get(measure.field), types[measure.per]} <= _NUMBERS | {"money"}
            ):
                self.add(f"measures.{name}.per", "只有数值可以相除", "换成数值字段")
        for index, band in enumerate(self.rule.bands):
            for name, param in band.at_least.items():
                if name not in self.rule.measures:
                    self.add(f"bands.{index}", f"没有度量 {name}", f"可用：{'、'.join(self.rule.measures)}")
                if param not in self.rule.params:
                    self.add(f"bands.{index}", f"没有参数 {param}", f"在 params 中登记 {param} 及其来源")
        if self.rule.bands[-1].at_least:
            self.add("bands", "最后一档仍有条件，可能无级别可用", "最后一档不写 at_least")

    def _param(self, at: str, name: str) -> None:
        if name not in self.rule.params:
            self.add(at, f"没有参数 {name}", f"在 params 中登记 {name} 及其来源")

    def _cluster(self) -> None:
        cluster = self.rule.cluster
        if cluster is None:
            return
        self._param("cluster.hours", cluster.hours)
        for at, name in [("time", cluster.time), *(("same", n) for n in (*cluster.same, *cluster.named_by))]:
            self._known(f"cluster.{at}", name)
        if self.fields.types.get(cluster.time, "datetime") not in _DATES:
            self.add("cluster.time", f"{cluster.time} 不是日期或时间", "换成日期或时间字段")
        if cluster.place:
            self._param("cluster.place.metres", cluster.place.metres)
            for name in (cluster.place.lon, cluster.place.lat):
                if self._known("cluster.place", name) and self.fields.types[name] not in _NUMBERS:
                    self.add("cluster.place", f"{name} 不是数值", "换成经纬度字段（度）")

    def _having(self) -> None:
        """Only conditions that more rows can but further: then undecided rows bound the answer."""
        if self.rule.having is None:
            return
        if _negates(self.rule.having):
            self.add("having", "不能用 not", "改写为肯定的条件")
        for leaf in leaves(self.rule.having):
            at = f"having.{leaf.id}"
            measure = self.rule.measures.get(leaf.field)
            if measure is None:
                self.add(at, f"没有度量 {leaf.field}", f"可用：{'、'.join(self.rule.measures)}")
                continue
            if leaf.op not in _FURTHERED.get(measure.kind, frozenset()):
                self.add(
                    f"{at}.op",
                    f"“{leaf.op}”不能用于度量 {leaf.field}（{measure.kind}）",
                    f"可用：{'、'.join(sorted(_FURTHERED.get(measure.kind, frozenset()))) or '换成 count、max 或 min'}",
                )
                continue
            kind = "number" if measure.kind == "count" or measure.per else self.fields.types[measure.field]
            self._operator(leaf, at, kind)

    def _route(self) -> None:
        route = self.rule.route
        if route and route.direct and not self.fields.types.get(f"{self.rule.driver}.county"):
            self.add("route.direct", "主来源没有属地，不能直接交办", "去掉 direct，由州院分流")

    def _where(self, tree: Tree | None, feed: str | None, at: str) -> None:
        if tree is None or feed is None:
            return
        own = {c.name: c.type for c in self.catalog[feed].columns}
        for leaf in leaves(tree):
            if leaf.field not in own:
                self.add(f"{at}.{leaf.id}", f"{feed} 没有列 {leaf.field}", f"可用：{'、'.join(own)}")
            else:
                self._operator(leaf, f"{at}.{leaf.id}", own[leaf.field])

    def _leaf(self, leaf: Leaf, at: str) -> None:
        if not self._known(at, leaf.field) or not self._operator(leaf, at, self.fields.types[leaf.field]):
            return
        if leaf.other is not None and self._known(f"{at}.other", leaf.other):
            a, b = self.fields.types[leaf.field], self.fields.types[leaf.other]
            if not (a == b or {a, b} <= _DATES or {a, b} <= _NUMBERS):
                self.add(
                    f"{at}.other", f"{leaf.field}（{a}）不能与 {leaf.other}（{b}）比较", "换成同类的字段"
                )

    def _operator(self, leaf: Leaf, at: str, kind: str) -> bool:
        operator = OPERATORS.get(leaf.op)
        if operator is None:
            self.add(f"{at}.op", f"没有算子“{leaf.op}”", f"可用：{'、'.join(OPERATORS)}")
            return False
        if kind not in operator.types:
            fitting = [o.name for o in OPERATORS.values() if kind in o.types]
            self.add(f"{at}.op", f"“{leaf.op}”不能用于 {leaf.field}（{kind}）", f"可用：{'、'.join(fitting)}")
        for key in ("param", "months", "days", "percent"):
            name = getattr(leaf, key)
            if name is not None and name not in self.rule.params:
                self.add(f"{at}.{key}", f"没有参数 {name}", f"在 params 中登记 {name}，写明来源")
        given = {
            "against": any(x is not None for x in (leaf.value, leaf.param, leaf.other)),
            "list": isinstance(leaf.value, list) or leaf.param is not None,
            "other": leaf.other is not None,
            "days": leaf.days is not None,
            "months": leaf.months is not None,
            "percent": leaf.percent is not None,
        }
        lacking = [need for need in sorted(operator.needs) if not given[need]]
        if lacking:
            self.add(at, f"“{leaf.op}”缺少 {'、'.join(lacking)}", "补上要比较的 value、param 或 other")
        return True
