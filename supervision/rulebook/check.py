"""Does a rule fit the catalogue? Every field, type, parameter and link, named where it stands."""

from __future__ import annotations

from datetime import date

from chuxiong.kit.problems import Problem
from ingestion.catalog.load import Catalog
from supervision.rulebook.check_beyond import BeyondChecks
from supervision.rulebook.operators import OPERATORS, PARAM_KEYS, Operator
from supervision.rulebook.spec import (
    FIELD_KEYS,
    SCORE,
    Leaf,
    Link,
    Member,
    Node,
    RuleSpec,
    Tree,
    fields_of,
    furthered,
    judged_leaves,
    leaves,
)
from supervision.rulebook.units import units

#: what a combined source offers beside its common columns
SUPPORT = "support"
#: identifiers that texts hold as mentions 〔kind:ref〕, and forms of a text that holds exactly one
MENTIONED = frozenset({"citizen_id", "credit_code", "phone"})
ONE_MENTION = frozenset({"identity", "taxpayer"})
_DATES = {"date", "month", "datetime"}
_NUMBERS = {"int", "number"}


class Fields:
    """Types of every field a rule may name, as ``alias.column``."""

    def __init__(self, rule: RuleSpec, catalog: Catalog) -> None:
        self.types: dict[str, str] = {}
        self.subjects: dict[str, str | None] = {}
        self.forms: dict[str, str | None] = {}
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
            self.forms[f"{alias}.{column.name}"] = column.form
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

    def mention(self, one: str, two: str) -> str | None:
        """What kind of number ``one`` (a text that holds a single one) is compared with in ``two``; None: no mention."""
        if self.types[one] == "text" and self.types[two] in MENTIONED and self.forms.get(one) in ONE_MENTION:
            return self.types[two]
        return None


_WORDS = {"text", "code", "person_name", "org_name", "address", "enum", "division", "case_no"}
_WHOLE = {"count", "distinct", "longest_run", "most_within"}


#: what looks beyond the row itself
_LINKED_ONLY = {"no_row", "shared_by"}


def _negates(node: Node) -> bool:
    if isinstance(node, Leaf):
        return False
    return node.negated is not None or any(_negates(child) for child in node.all or node.any or ())


def problems_of(rule: RuleSpec, catalog: Catalog, place: str) -> list[Problem]:
    """Everything that keeps the rule from being compiled."""
    return _Check(rule, catalog, place).run()


class _Check(BeyondChecks):
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
        for leaf in judged_leaves(rule):
            self._leaf(leaf, f"when.{leaf.id}")
        self._score()
        for alias, source in rule.sources.items():
            self._where(source.where, source.feed, f"sources.{alias}.where")
            for index, member in enumerate(source.any_of or ()):
                self._where(member.where, member.feed, f"sources.{alias}.any_of.{index}.where")
        self._latest()
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
        self._title()
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
            self._link(link, at)
            if link.by == "relation" or link.left_role or link.right_role:
                continue
            mention = self.fields.mention(link.left, link.right) or self.fields.mention(link.right, link.left)
            if types[link.left] != types[link.right] and not mention:
                self.add(
                    at,
                    f"{link.left}（{types[link.left]}）与 {link.right}（{types[link.right]}）类型不同",
                    "用同一类标识连接；载有多个号码的名单列不能连接，改用 mentions 算子或 without",
                )
            if link.by == "identity" and not self.fields.subjects.get(link.left):
                self.add(at, f"{link.left} 不是主体标识", "改用 by: key，或换成身份标识列")
        for alias in self.rule.sources:
            if alias not in linked:
                self.add(
                    f"sources.{alias}", "没有连接，会两两相乘", f"在 link 中写明 {alias} 如何与其他来源相连"
                )

    def _link(self, link: Link, at: str) -> None:
        """What belongs to one kind of link alone, and both ends of the others."""
        subjects, types = self.fields.subjects, self.fields.types
        for theirs, own in link.also.items():
            if not (self._known(f"{at}.also", theirs) and self._known(f"{at}.also", own)):
                continue
            if types[theirs] != types[own]:
                self.add(f"{at}.also", f"{theirs} 与 {own} 类型不同", "用同类的列连接")
            if own.split(".")[0] != link.right.split(".")[0]:
                self.add(f"{at}.also", f"{own} 不属于 {link.right.split('.')[0]}", "右侧写同一来源的列")
            if theirs.split(".")[0] != link.left.split(".")[0]:
                self.add(f"{at}.also", f"{theirs} 不属于 {link.left.split('.')[0]}", "左侧写同一来源的列")
        source = self.rule.sources.get(link.right.split(".")[0])
        if source and source.any_of and (link.also or link.by == "relation" or link.right_role):
            self.add(at, "合并来源只能按单一标识连接", "改用 by: identity 或 key，或改为单一数据源")
        roles = bool(link.left_role or link.right_role)
        if link.by == "relation":
            for name in (link.left, link.right):
                if not subjects.get(name):
                    self.add(at, f"{name} 不是主体标识", "关系只能连接主体，换成身份标识列")
            if not link.kinds:
                self.add(f"{at}.kinds", "没有写关系类型", "写明 kinds，例如 [legal_representative]")
        elif link.kinds or link.hops != 1:
            self.add(at, "kinds、hops 只用于 by: relation", "改为 by: relation，或删除")
        if roles and link.by != "identity":
            self.add(at, "称谓（role）只用于 by: identity", "改为 by: identity，或删除")
        if roles and self.rule.sources[link.left.split(".")[0]].any_of:
            self.add(at, "合并来源没有称谓可解析", "改为单一数据源")
        if (link.tier != "A") != roles:
            self.add(
                f"{at}.tier",
                "tier 与 left_role、right_role 须同时写" if link.tier != "A" else "没有写 tier",
                "低于 A 的身份来自称谓：写明 left_role 或 right_role，以及最低可接受的 tier（B、C、D）",
            )

    def _score(self) -> None:
        if self.rule.score is None:
            return
        names = [item.points for item in self.rule.score.items]
        for name in (*names, self.rule.score.at_least):
            self._param("score", name)
            value = self.rule.params[name].value if name in self.rule.params else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                self.add(f"score.{name}", f"{value} 不是正整数", "分值和起点写正整数")

    def _measures(self) -> None:
        types = self.fields.types
        for name, measure in self.rule.measures.items():
            at = f"measures.{name}"
            if measure.field == SCORE and self.rule.score and measure.kind in ("min", "max"):
                continue
            if measure.days:
                self._param(f"{at}.days", measure.days)
            if (
                measure.kind in ("longest_run", "most_within")
                and self._known(at, measure.field)
                and types[measure.field] not in {"date", "datetime"}
            ):
                self.add(at, f"{measure.field} 不是日期", "换成日期字段")
            if self.rule.cluster and measure.kind in ("distinct", "share", "longest_run", "most_within"):
                self.add(
                    at, f"归并（cluster）的规则不能用 {measure.kind}", "换成 count、sum、min、max 或 first"
                )
            if measure.kind not in ("count", "share"):
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
        """In occurrences only conditions that more rows can but further: then undecided rows bound the answer."""
        if self.rule.having is None:
            return
        if self.rule.cluster and _negates(self.rule.having):
            self.add("having", "不能用 not", "改写为肯定的条件")
        for leaf in leaves(self.rule.having):
            at = f"having.{leaf.id}"
            measure = self.rule.measures.get(leaf.field)
            if measure is None:
                self.add(at, f"没有度量 {leaf.field}", f"可用：{'、'.join(self.rule.measures)}")
                continue
            if self.rule.cluster and not furthered(measure, leaf.op):
                self.add(
                    f"{at}.op",
                    f"“{leaf.op}”不能用于度量 {leaf.field}（{measure.kind}）",
                    "归并的规则只用 count、max 的 > 或 >=，以及 min 的 < 或 <=",
                )
                continue
            if measure.field == SCORE:
                self.add(at, "分值不能再作整体条件", "在 score.at_least 写明起点，或用 bands 分档")
                continue
            if len(fields_of(leaf)) > 1:
                self.add(at, "度量只能与参数比较", "写 value 或 param")
                continue
            exact = measure.kind in _WHOLE | {"share"} or measure.per
            kind = "number" if exact else self.fields.types.get(measure.field, "number")
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
            unknown = [name for name in fields_of(leaf) if name not in own]
            for name in unknown:
                self.add(f"{at}.{leaf.id}", f"{feed} 没有列 {name}", f"可用：{'、'.join(own)}")
            if leaf.op in _LINKED_ONLY or (leaf.op in OPERATORS and OPERATORS[leaf.op].clock):
                self.add(f"{at}.{leaf.id}.op", f"“{leaf.op}”不能用在 where 中", "移到 when 中")
            elif not unknown:
                self._operator(leaf, f"{at}.{leaf.id}", own[leaf.field])

    def _leaf(self, leaf: Leaf, at: str) -> None:
        if not self._known(at, leaf.field) or not self._operator(leaf, at, self.fields.types[leaf.field]):
            return
        operator = OPERATORS[leaf.op]
        for key in FIELD_KEYS:
            name = getattr(leaf, key)
            if name is None or not self._known(f"{at}.{key}", name):
                continue
            a, b = self.fields.types[leaf.field], self.fields.types[name]
            fits = (
                b in _DATES
                if key == "at"
                else b in operator.other_types
                if operator.other_types
                else a == b or {a, b} <= _DATES or {a, b} <= _NUMBERS or {a, b} <= {"division", "code"}
            )
            if not fits:
                self.add(f"{at}.{key}", f"{leaf.field}（{a}）不能与 {name}（{b}）比较", "换成同类的字段")
        if leaf.op == "shared_by":
            self._shared(leaf, at)
        if leaf.op == "no_row":
            optional = [x for x in self.rule.link if x.right == leaf.field and x.optional]
            if not optional:
                self.add(at, f"{leaf.field} 不是可选连接的右侧", "在 link 中把它的连接写成 optional: true")

    def _operator(self, leaf: Leaf, at: str, kind: str) -> bool:
        operator = OPERATORS.get(leaf.op)
        if operator is None:
            self.add(f"{at}.op", f"没有算子“{leaf.op}”", f"可用：{'、'.join(OPERATORS)}")
            return False
        if kind not in operator.types:
            fitting = [o.name for o in OPERATORS.values() if kind in o.types]
            self.add(f"{at}.op", f"“{leaf.op}”不能用于 {leaf.field}（{kind}）", f"可用：{'、'.join(fitting)}")
        for key in PARAM_KEYS:
            name = getattr(leaf, key)
            if name is not None and name not in self.rule.params:
                self.add(f"{at}.{key}", f"没有参数 {name}", f"在 params 中登记 {name}，写明来源")
        given = {
            "against": any(x is not None for x in (leaf.value, leaf.param, leaf.other)),
            "list": isinstance(leaf.value, list) or leaf.param is not None,
            "other": leaf.other is not None,
            "days": leaf.days is not None,
        }
        given |= {k: getattr(leaf, k) is not None for k in (*FIELD_KEYS, *PARAM_KEYS)}
        lacking = [need for need in sorted(operator.needs) if not given[need]]
        if lacking:
            self.add(at, f"“{leaf.op}”缺少 {'、'.join(lacking)}", "补上要比较的 value、param 或 other")
        self._values(leaf, at, kind, operator)
        self._units(leaf, at, kind, operator)
        return True

    def _values(self, leaf: Leaf, at: str, kind: str, operator: Operator) -> None:
        """Values and parameters of the field's own type; words that say something."""
        if leaf.op == "=" and leaf.other:
            return
        compared = [("value", leaf.value)]
        for key in ("param", "low", "high"):
            name = getattr(leaf, key)
            if name in self.rule.params:
                compared.append((key, self.rule.params[name].value))
        listing = "list" in operator.needs
        for key, value in compared:
            if value is None:
                continue
            if isinstance(value, list) != listing:
                what = "须是列表" if listing else "不能是列表"
                self.add(f"{at}.{key}", f"“{leaf.op}”比较的值{what}", "列表写成 [甲, 乙]，单个值不加方括号")
            elif isinstance(value, list):
                if not value or any(not word for word in value):
                    self.add(f"{at}.{key}", "列表为空，或含有空词", "至少写一个词，不写空词")
            elif not _fits(value, operator.param_type or kind):
                self.add(
                    f"{at}.{key}",
                    f"{value!r} 与 {leaf.field}（{kind}）类型不同",
                    "日期写成 2026-01-01 且不加引号，数值不加引号，文字加引号",
                )
        for key in ("months", "days", "percent", "years", "metres", "times"):
            name = getattr(leaf, key)
            value = self.rule.params[name].value if name in self.rule.params else 1
            number = (int, float) if key in ("percent", "metres", "times") else (int,)
            if not isinstance(value, number) or isinstance(value, bool) or value < 0:
                self.add(
                    f"{at}.{key}",
                    f"参数 {name} 的值 {value!r} 不是可用的数",
                    "写不小于 0 的数，天数和年数写整数",
                )

    def _units(self, leaf: Leaf, at: str, kind: str, operator: Operator) -> None:
        for key in ("times", "unit", "other_unit"):
            if getattr(leaf, key) is not None and key not in operator.takes:
                self.add(f"{at}.{key}", f"“{leaf.op}”不用 {key}", "删除，或换成占比、偏离类算子")
        if leaf.at is not None and "at" not in operator.takes:
            self.add(f"{at}.at", f"“{leaf.op}”不用 at", "删除，或换成 shared_by")
        known = [(k, u) for k in ("unit", "other_unit") if (u := getattr(leaf, k)) is not None]
        for key, unit in known:
            if unit not in units():
                self.add(f"{at}.{key}", f"没有计量单位 {unit}", f"可用：{'、'.join(units())}")
                return
        if len(known) == 1:
            self.add(at, "只写了一侧的单位", "unit 与 other_unit 都写明")
        elif known and leaf.times is None and len({units()[u].dimension for _, u in known}) > 1:
            self.add(at, "两侧单位的量纲不同", "换成同类单位，或用 times 写明每单位应有多少")


def _fits(value: object, kind: str) -> bool:
    """Whether a single value can stand against a field of the kind."""
    if kind in _DATES:
        return isinstance(value, date)
    if kind == "bool":
        return isinstance(value, bool)
    if kind in _NUMBERS | {"money"}:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str)
