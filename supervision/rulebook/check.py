"""Is the document sound against the catalogue? Every problem names the key path and the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from difflib import get_close_matches

from chuxiong.kit.problems import Problem
from supervision.rulebook.catalog import CatalogView, Kind
from supervision.rulebook.fields import FieldInfo, Fields, driver_of, feed_fields, find, leg_fields, rule_fields
from supervision.rulebook.operators import OPERATORS, SLOTS, Operator
from supervision.rulebook.problems import problem
from supervision.rulebook.spec import (
    ROW,
    AllOf,
    AnyOf,
    FieldRef,
    Leaf,
    Not,
    Param,
    ParamRef,
    Rule,
    Tree,
)

_NUMERIC = {Kind.INT, Kind.NUMBER}
_PARAM_KIND = {
    "fen": Kind.MONEY,
    "months": Kind.INT,
    "days": Kind.INT,
    "count": Kind.INT,
    "share": Kind.NUMBER,
    "text": Kind.TEXT,
    "date": Kind.DATE,
}
_MEASURE_KIND = {"fen": Kind.MONEY, "count": Kind.INT, "month": Kind.DATE, "date": Kind.DATE, "text": Kind.TEXT}
Say = Callable[[str, str, str], None]


def check_rule(rule: Rule, catalog: CatalogView, file: str) -> list[Problem]:
    """All problems of the document; empty when it can be compiled."""
    found: list[Problem] = []
    check = _Check(rule, catalog, lambda place, what, cure: found.append(problem(file, place, what, cure)))
    check.sources()
    if not found:
        check.links()
        check.conditions()
        check.absences()
        check.grouping()
        check.identities()
        check.tests()
    return found


class _Check:
    def __init__(self, rule: Rule, catalog: CatalogView, say: Say) -> None:
        self.rule, self.catalog, self.say = rule, catalog, say
        self.fields: Fields = rule_fields(rule, catalog)
        self.used_params: set[str] = set()

    # ---- sources and links ----

    def sources(self) -> None:
        for alias, source in self.rule.sources.items():
            place = f"sources.{alias}"
            if alias == ROW:
                self.say(place, f"“{ROW}”是保留名", "换一个别名")
            if bool(source.feed) == bool(source.any_of):
                self.say(place, "必须且只能写 feed 或 any_of 之一", "一个数据源写 feed，多个同类数据源写 any_of")
            for feed in source.feeds:
                self._feed(feed, place)
            if source.any_of:
                self._any_of(place, alias)
            for name, derived in source.derive.items():
                self._derive(f"{place}.derive.{name}", alias, derived.minus)
        for index, leg in enumerate(self.rule.without):
            self._feed(leg.feed, f"without.{index}.feed")

    def _feed(self, feed: str, place: str) -> None:
        if feed not in self.catalog:
            self.say(place, f"没有数据源 {feed}", _suggest(feed, list(self.catalog), "改成数据源目录中的代码"))

    def _any_of(self, place: str, alias: str) -> None:
        source = self.rule.sources[alias]
        names = [set(m.columns) for m in source.any_of]
        if any(n != names[0] for n in names):
            self.say(f"{place}.any_of", "各数据源的共同列不一致", "每个数据源都给出同样的列名")
        feeds = source.feeds
        if len(set(feeds)) != len(feeds):
            self.say(f"{place}.any_of", "同一数据源出现两次", "每个数据源只写一次")
        for index, member in enumerate(source.any_of):
            if member.feed not in self.catalog:
                continue
            own = feed_fields(member.feed, self.catalog)
            for name, column in member.columns.items():
                if column not in own:
                    self._no_column(f"{place}.any_of.{index}.columns.{name}", column, own)
            for leaf_place, leaf in _walk(member.where, f"{place}.any_of.{index}.where"):
                self._leaf(leaf_place, leaf, {ROW: own})
                for path in _paths(leaf):
                    info = find({ROW: own}, path)
                    if info and not info.required:
                        self.say(leaf_place, f"{path} 可能为空，不能用来筛行", "只用必填列筛行；其余条件写到 when")

    def _derive(self, place: str, alias: str, columns: tuple[str, str]) -> None:
        known = self.fields[alias]
        parts = [known.get(c) for c in columns]
        for column, part in zip(columns, parts, strict=True):
            if part is None:
                self._no_column(place, column, known)
        if all(parts) and (parts[0].kind != parts[1].kind or parts[0].kind not in _NUMERIC | {Kind.MONEY}):  # type: ignore[union-attr]
            self.say(place, "相减的两列必须同为金额或同为数", "换成类型相同的两列")

    def links(self) -> None:
        driver = driver_of(self.rule)
        if driver not in self.rule.sources:
            self.say("clue.subject", f"没有别名 {driver}", f"用 sources 中的别名：{', '.join(self.rule.sources)}")
            return
        reached = {driver}
        for index, link in enumerate(self.rule.link):
            place = f"link.{index}"
            left, right = self._field(f"{place}.left", link.left), self._field(f"{place}.right", link.right)
            if link.left.partition(".")[0] not in reached:
                self.say(f"{place}.left", f"{link.left} 尚未与线索主体相连", f"先从 {driver} 连到它，或左右对调")
            reached.add(link.right.partition(".")[0])
            if left and right:
                self._same_key(place, link.by, left, right)
        for alias in sorted(set(self.rule.sources) - reached):
            self.say(f"sources.{alias}", f"数据源 {alias} 没有连接到 {driver}", "在 link 中按身份或编号连接；不允许两两相乘")

    def _same_key(self, place: str, by: str, left: FieldInfo, right: FieldInfo) -> None:
        if by == "identity" and not (left.kind == right.kind == Kind.REF):
            self.say(place, "按身份连接的两列必须都是标识号码", "换成证件、信用代码等标识列，或改用 by: key")
        elif by == "identity" and left.type != right.type:
            self.say(place, f"{left.type} 与 {right.type} 不是同一种标识", "两边用同一种标识")
        elif by == "key" and not (left.kind == right.kind == Kind.TEXT):
            self.say(place, "按编号连接的两列必须都是文本编号", "标识号码用 by: identity")
        elif by == "mention" and not (left.kind == Kind.REF and right.kind == Kind.TEXT):
            self.say(place, "by: mention 的左边须为标识号码，右边须为文本", "两边都是标识号码时用 by: identity")

    # ---- conditions ----

    def conditions(self) -> None:
        for place, leaf in _walk(self.rule.when, "when"):
            self._leaf(place, leaf, self.fields)
        for index, item in enumerate(self.rule.cannot_decide):
            for place, leaf in _walk(item.when, f"cannot_decide.{index}.when"):
                self._leaf(place, leaf, self.fields)
        for index, band in enumerate(self.rule.bands):
            for place, leaf in _walk(band.when, f"bands.{index}.when"):
                self._leaf(place, leaf, None)
            last = index == len(self.rule.bands) - 1
            if (band.when is None) != last:
                self.say(f"bands.{index}", "只有最后一档不写 when", "给前面各档写条件，最后一档兜底")

    def absences(self) -> None:
        for index, leg in enumerate(self.rule.without):
            place = f"without.{index}"
            inside = leg_fields(self.fields, leg, self.catalog)
            for number, match in enumerate(leg.match):
                left = self._field(f"{place}.match.{number}.left", match.left)
                right = self._field(f"{place}.match.{number}.right", f"{ROW}.{match.right}", inside)
                if left and right:
                    self._same_key(f"{place}.match.{number}", match.by, left, right)
            if sum(m.by == "mention" for m in leg.match) > 1:
                self.say(f"{place}.match", "至多一处 by: mention", "其余改用 identity 或 key")
            for leaf_place, leaf in _walk(leg.where, f"{place}.where"):
                self._leaf(leaf_place, leaf, inside)
            if leg.window is None:
                if leg.feed not in self._driver_feeds():
                    self.say(f"{place}.window", "缺少期间", "写明 column、since、until：数据未覆盖到期末时不能认定“没有”")
                continue
            column = self._field(f"{place}.window.column", f"{ROW}.{leg.window.column}", inside)
            if column and column.kind not in (Kind.DATE, Kind.MOMENT):
                self.say(f"{place}.window.column", "须为日期列", "换成日期列")
            for end in ("since", "until"):
                moment = getattr(leg.window, end)
                info = self._field(f"{place}.window.{end}.field", moment.field)
                if info and info.kind not in (Kind.DATE, Kind.MOMENT):
                    self.say(f"{place}.window.{end}.field", "须为日期列", "换成日期列")
                if moment.plus is not None:
                    self._slot(f"{place}.window.{end}.plus", moment.plus, "int", Kind.DATE, self.fields)
                if (moment.plus is None) != (moment.unit is None):
                    self.say(f"{place}.window.{end}", "plus 与 unit 须同时写", "例如 plus: {param: …}, unit: days")

    def _driver_feeds(self) -> tuple[str, ...]:
        return self.rule.sources[driver_of(self.rule)].feeds

    def _leaf(self, place: str, leaf: Leaf, fields: Fields | None) -> None:
        """``fields`` None: a band, whose leaves are about measures."""
        operator = OPERATORS.get(leaf.op)
        if operator is None:
            cure = _suggest(leaf.op, list(OPERATORS), f"可用：{'、'.join(OPERATORS)}")
            self.say(f"{place}.op", f"没有运算符“{leaf.op}”", cure)
            return
        kind = self._left_kind(place, leaf, fields)
        if kind is None:
            return
        if kind not in operator.left:
            kinds = "、".join(sorted(k.value for k in operator.left))
            self.say(f"{place}.{'field' if fields else 'measure'}", f"{leaf.op} 不适用于 {kind.value} 类型", f"换成 {kinds} 类型的列")
            return
        self._slots(place, leaf, operator, kind, fields)

    def _left_kind(self, place: str, leaf: Leaf, fields: Fields | None) -> Kind | None:
        if fields is None:
            if leaf.field or not leaf.measure:
                self.say(place, "分级条件只能针对指标", "写 measure: 指标名，不写 field")
                return None
            measure = self.rule.group.measures.get(leaf.measure)
            if measure is None:
                cure = _suggest(leaf.measure, list(self.rule.group.measures), "用 group.measures 中的名称")
                self.say(f"{place}.measure", f"没有指标 {leaf.measure}", cure)
                return None
            return _MEASURE_KIND[measure.unit]
        if leaf.measure or not leaf.field:
            self.say(place, "条件必须写 field", "写 field: 别名.列名；measure 只用于 bands")
            return None
        info = self._field(f"{place}.field", leaf.field, fields)
        return info.kind if info else None

    def _slots(self, place: str, leaf: Leaf, operator: Operator, kind: Kind, fields: Fields | None) -> None:
        for slot in SLOTS:
            operand = getattr(leaf, slot)
            like = operator.takes.get(slot)
            if operand is None and like and slot not in operator.optional:
                self.say(place, f"{leaf.op} 缺少 {slot}", f"补上 {slot}")
            elif operand is not None and not like:
                self.say(f"{place}.{slot}", f"{leaf.op} 不用 {slot}", "删除")
            elif operand is not None and like:
                self._slot(f"{place}.{slot}", operand, like, kind, fields)
        if operator.many != (leaf.values is not None):
            cure = "补上 values（列表或 {param: 名称}）" if operator.many else "删除 values"
            self.say(f"{place}.values", f"{leaf.op} {'缺少' if operator.many else '不用'} values", cure)
        elif isinstance(leaf.values, ParamRef):
            param = self._param(f"{place}.values", leaf.values)
            if param and param.unit != "list":
                self.say(f"{place}.values", f"参数 {leaf.values.param} 不是列表", "把该参数的 unit 改为 list")
        elif leaf.values is not None and not all(isinstance(v, str) and v for v in leaf.values):
            self.say(f"{place}.values", "须为非空文本的列表", "给每一项加引号")
        if operator.until:
            if leaf.until is None:
                self.say(place, f"{leaf.op} 缺少 until", "补上 until: 别名.列名")
            elif fields is not None:
                self._field(f"{place}.until", leaf.until, fields)
        elif leaf.until is not None:
            self.say(f"{place}.until", f"{leaf.op} 不用 until", "删除")
        if "unit" in operator.optional and (leaf.plus is not None) and leaf.unit is None and "month" not in leaf.op:
            self.say(place, "plus 没有单位", "补上 unit: days 或 months")
        if "month" in leaf.op and leaf.unit == "days":
            self.say(f"{place}.unit", f"{leaf.op} 按月计算", "改为 unit: months")

    def _slot(self, place: str, operand: object, like: str, left: Kind, fields: Fields | None) -> None:
        kind = self._kind(place, operand, fields)
        if kind is None:
            return
        wanted = {
            "same": {left},
            "date": {Kind.DATE, Kind.MOMENT},
            "int": {Kind.INT},
            "share": {Kind.NUMBER},
            "numeric": {Kind.MONEY} if left == Kind.MONEY else {Kind.INT, Kind.NUMBER},
        }[like]
        if like == "same" and left in (Kind.INT, Kind.NUMBER):
            wanted = {Kind.INT, Kind.NUMBER}
        if like == "same" and left in (Kind.DATE, Kind.MOMENT):
            wanted = {Kind.DATE, Kind.MOMENT}
        if kind == Kind.INT and Kind.MONEY in wanted and not isinstance(operand, FieldRef | ParamRef):
            return  # a bare whole number against money is a number of 分
        if kind not in wanted:
            names = "或".join(sorted(k.value for k in wanted))
            cure = f"须为 {names}" + ("（金额参数用 unit: fen，以分计）" if Kind.MONEY in wanted else "")
            self.say(place, f"类型不符：这里是 {kind.value}", cure)

    def _kind(self, place: str, operand: object, fields: Fields | None) -> Kind | None:
        if isinstance(operand, ParamRef):
            param = self._param(place, operand)
            if param is None:
                return None
            if param.unit == "list":
                self.say(place, f"参数 {operand.param} 是列表", "列表参数写在 values")
                return None
            return _PARAM_KIND[param.unit]
        if isinstance(operand, FieldRef):
            info = self._field(place, operand.field, fields or {})
            return info.kind if info else None
        if isinstance(operand, bool):
            return Kind.BOOL
        if isinstance(operand, int):
            return Kind.INT
        if isinstance(operand, float):
            return Kind.NUMBER
        return Kind.DATE if isinstance(operand, date) else Kind.TEXT

    def _param(self, place: str, ref: ParamRef) -> Param | None:
        self.used_params.add(ref.param)
        if ref.param not in self.rule.params:
            self.say(place, f"没有参数 {ref.param}", _suggest(ref.param, list(self.rule.params), "在 params 中定义它"))
        return self.rule.params.get(ref.param)

    def _field(self, place: str, path: str, fields: Fields | None = None) -> FieldInfo | None:
        fields = self.fields if fields is None else fields
        alias, _, column = path.partition(".")
        if alias not in fields:
            self.say(place, f"没有数据源别名 {alias}", _suggest(alias, list(fields), f"可用：{', '.join(fields) or '无'}"))
            return None
        info = fields[alias].get(column)
        if info is None:
            self._no_column(place, column, dict(fields[alias]))
        return info

    def _no_column(self, place: str, column: str, known: object) -> None:
        names = list(known) if isinstance(known, dict) else []
        self.say(place, f"没有列 {column}", _suggest(column, names, "改成数据源文件 columns 中的列名"))

    # ---- grouping, identities, tests ----

    def grouping(self) -> None:
        rule, driver = self.rule, driver_of(self.rule)
        subject = self._field("clue.subject", rule.clue.subject)
        if subject and subject.kind not in (Kind.REF, Kind.TEXT):
            self.say("clue.subject", "线索主体须为标识号码或编号", "换成证件、信用代码或案号列")
        bucket = rule.clue.bucket
        wanted = (rule.clue.subject, *((bucket.field,) if bucket else ()))
        if rule.group.by != wanted:
            self.say("group.by", "须与 clue.subject 和 clue.bucket 一致", f"写成 [{', '.join(wanted)}]")
        if bucket:
            info = self._field("clue.bucket.field", bucket.field)
            expected = {Kind.TEXT} if bucket.by == "value" else {Kind.DATE, Kind.MOMENT}
            if info and info.kind not in expected:
                self.say("clue.bucket.field", f"by: {bucket.by} 不适用于 {info.kind.value}", "编号用 value，日期用 month 或 year")
        if rule.clue.label:
            self._field("clue.label", rule.clue.label)
        if rule.route.county not in rule.sources:
            self.say("route.county", f"没有别名 {rule.route.county}", f"用 {', '.join(rule.sources)} 之一")
        for name, measure in rule.group.measures.items():
            self._measure(f"group.measures.{name}", name, driver)
        for index, name in enumerate(rule.clue.material):
            if name not in rule.group.measures:
                cure = _suggest(name, list(rule.group.measures), "用 group.measures 中的名称")
                self.say(f"clue.material.{index}", f"没有指标 {name}", cure)
        corroborated = [a for a, s in rule.sources.items() if s.corroborate]
        for alias in corroborated:
            if len(rule.sources[alias].any_of) < 2 and any(b.level == "urgent" for b in rule.bands):
                self.say(f"sources.{alias}", "单一来源不得定为紧急", "增加第二个来源，或删去 urgent 一档")

    def _measure(self, place: str, name: str, driver: str) -> None:
        measure = self.rule.group.measures[name]
        what = measure.what()
        if len(what) != 1:
            self.say(place, "须写且只写 rows、sum、min、max、feeds 之一", "保留一个")
            return
        if measure.feeds is not None:
            if measure.feeds not in self.rule.sources:
                self.say(f"{place}.feeds", f"没有别名 {measure.feeds}", "用 sources 中的别名")
            return
        path = measure.sum or measure.min or measure.max
        if path is None:
            return
        info = self._field(f"{place}.{what[0]}", path)
        if measure.sum and path.partition(".")[0] != driver:
            self.say(f"{place}.sum", f"只能对 {driver} 的列求和", "其他来源的行会重复，改用 min 或 max")
        if info and measure.sum and info.kind not in (Kind.MONEY, Kind.INT):
            self.say(f"{place}.sum", "只能对金额或整数求和", "换一列")
        if info and (info.kind == Kind.MONEY) != (measure.unit == "fen"):
            self.say(f"{place}.unit", "金额指标的单位须为 fen，其他指标不得为 fen", "改正 unit")
        if info and not measure.sum and info.kind in (Kind.TEXT, Kind.REF, Kind.BOOL, Kind.NUMBER):
            self.say(f"{place}.{what[0]}", "只能对日期、金额或整数取最大最小", "换一列")

    def identities(self) -> None:
        seen: set[str] = set()
        names = [leaf.id for leaf in self.rule.all_leaves()]
        names += [leg.id for leg in self.rule.without] + [item.id for item in self.rule.cannot_decide]
        for name in names:
            if name in seen:
                self.say("id", f"条件编号 {name} 重复", "每个条件用不同的 id")
            seen.add(name)
        for name in self.rule.params:
            if name not in self.used_params:
                self.say(f"params.{name}", "没有条件使用这个参数", "删除，或在条件中引用")
        for name, param in self.rule.params.items():
            if (param.unit == "list") != isinstance(param.value, tuple):
                self.say(f"params.{name}", "列表参数的 unit 须为 list", "改正 value 或 unit")
            elif param.unit in ("fen", "months", "days", "count") and not (type(param.value) is int):
                self.say(f"params.{name}.value", f"{param.unit} 须为整数", "金额以分计，不带小数")
            elif param.unit == "share" and not isinstance(param.value, float):
                self.say(f"params.{name}.value", "比例须为小数", "例如 0.1")

    def tests(self) -> None:
        expected = [t.expect for t in self.rule.tests]
        kinds = {
            "命中（clues ≥ 1）": any(e.clues for e in expected),
            "未命中（clues 0、undecided 0）": any(not e.clues and not e.undecided for e in expected),
            "无法判断（undecided ≥ 1）": any(e.undecided for e in expected),
        }
        for what, there in kinds.items():
            if not there:
                self.say("tests", f"缺少“{what}”的用例", "命中、未命中、无法判断至少各一例")
        read = {f for s in self.rule.sources.values() for f in s.feeds} | {leg.feed for leg in self.rule.without}
        for index, test in enumerate(self.rule.tests):
            for feed in [*test.given, *test.covers]:
                if feed not in read:
                    self.say(f"tests.{index}", f"规则不读数据源 {feed}", f"规则读取：{', '.join(sorted(read))}")
                    continue
                known = feed_fields(feed, self.catalog)
                for row in test.given.get(feed, ()):
                    for column in row:
                        if column not in known and column != "county":
                            self._no_column(f"tests.{index}.given.{feed}", column, known)


def _walk(tree: Tree | None, place: str) -> Iterator[tuple[str, Leaf]]:
    if isinstance(tree, Leaf):
        yield place, tree
    elif isinstance(tree, AllOf | AnyOf):
        name, parts = ("all", tree.all) if isinstance(tree, AllOf) else ("any", tree.any)
        for index, part in enumerate(parts):
            yield from _walk(part, f"{place}.{name}.{index}")
    elif isinstance(tree, Not):
        yield from _walk(tree.not_, f"{place}.not")


def _paths(leaf: Leaf) -> list[str]:
    operands = [getattr(leaf, slot) for slot in SLOTS]
    own = [p for p in (leaf.field, leaf.until) if p]
    return own + [o.field for o in operands if isinstance(o, FieldRef)]


def _suggest(name: str, known: list[str], otherwise: str) -> str:
    near = get_close_matches(name, known, n=1)
    return f"是否为 {near[0]}？{otherwise}" if near else otherwise


leaf_paths = _paths
