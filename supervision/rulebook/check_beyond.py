"""Checks of what looks beyond a row (``beyond.py``): versions, shared values, feeds in which nothing may stand."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import TYPE_CHECKING

from ingestion.catalog.load import Catalog
from ingestion.catalog.mentions import COUNTY
from supervision.rulebook.spec import Absence, Leaf, RuleSpec, Tree, Without

if TYPE_CHECKING:
    from supervision.rulebook.check import Fields

_DATES = {"date", "month", "datetime"}
_WRITTEN = {"text", "person_name", "org_name", "address"}


class BeyondChecks:
    """The part of the check that these need."""

    rule: RuleSpec
    catalog: Catalog
    fields: Fields

    if TYPE_CHECKING:

        def add(self, at: str, what: str, cure: str) -> None: ...
        def _known(self, at: str, name: str) -> bool: ...
        def _param(self, at: str, name: str) -> None: ...
        def _where(self, tree: Tree | None, feed: str | None, at: str) -> None: ...

    def _title(self) -> None:
        """Titles and evidence name what the rule has: a place in a title is filled with a measure, plainly."""
        for language in ("zh", "en"):
            at = f"clue.title.{language}"
            try:
                parts = list(Formatter().parse(getattr(self.rule.clue.title, language)))
            except ValueError:
                self.add(at, "花括号不成对", "写成 {度量名}")
                continue
            for _text, name, form, conversion in parts:
                if name is not None and (name not in self.rule.measures or form or conversion):
                    self.add(at, f"“{{{name}}}”不是度量", f"可用：{'、'.join(self.rule.measures)}")
        for alias in self.rule.clue.evidence:
            if alias not in self.rule.sources:
                self.add("clue.evidence", f"没有来源“{alias}”", f"可用：{'、'.join(self.rule.sources)}")

    def _latest(self) -> None:
        for alias, source in self.rule.sources.items():
            for column in (*source.latest.by, *source.latest.order) if source.latest else ():
                self._known(f"sources.{alias}.latest", f"{alias}.{column}")

    def _without(self) -> None:
        for leg in self.rule.without:
            at = f"without.{leg.id}"
            self._window(leg, at)
            for absence in leg.feeds:
                if absence.feed not in self.catalog:
                    self.add(f"{at}.feed", f"没有“{absence.feed}”", "改成数据目录里有的数据源（feed list）")
                    continue
                own: dict[str, str] = {c.name: c.type for c in self.catalog[absence.feed].columns}
                own |= {COUNTY: "division"}
                self._where(absence.where, absence.feed, f"{at}.where")
                self._alike(absence, own, at)
                beside = {name.split(".")[0] for name in absence.asked} - {self.rule.driver}
                if len(beside) > 1:
                    self.add(
                        f"{at}.match",
                        f"同时用了 {'、'.join(sorted(beside))} 的列",
                        "只用主来源和另一个来源的列",
                    )
                if not absence.match:
                    self.add(f"{at}.match", "没有写如何对应，会两两相乘", "写明主来源的字段对应哪一列")
                for theirs, column in absence.match.items():
                    if not self._known(f"{at}.match", theirs):
                        continue
                    mentions = own.get(column) == "text" and self.fields.subjects.get(theirs)
                    if not mentions and own.get(column) != self.fields.types[theirs]:
                        self.add(
                            f"{at}.match",
                            f"{theirs} 与 {absence.feed}.{column} 不是同类标识",
                            f"可用：{'、'.join(own)}",
                        )
                for key, day in (("date", absence.date), ("end", absence.end)):
                    if day and own.get(day) not in _DATES:
                        self.add(f"{at}.{key}", f"{absence.feed}.{day} 不是日期列", "换成该数据源的日期列")

    def _alike(self, absence: Absence, own: Mapping[str, str], at: str) -> None:
        for theirs, column in absence.alike.items():
            if not self._known(f"{at}.alike", theirs):
                continue
            if not {own.get(column), self.fields.types[theirs]} <= _WRITTEN:
                self.add(
                    f"{at}.alike",
                    f"{theirs} 与 {absence.feed}.{column} 不都是名称或地址",
                    "只比较名称、地址和文字列",
                )
        for theirs, column in absence.named_in.items():
            if (
                self._known(f"{at}.named_in", theirs)
                and not {own.get(column), self.fields.types[theirs]} <= _WRITTEN
            ):
                self.add(
                    f"{at}.named_in",
                    f"{theirs} 与 {absence.feed}.{column} 不都是文字",
                    "左侧写名称，右侧写文字列",
                )
        if absence.percent:
            self._share(f"{at}.percent", absence.percent)

    def _share(self, at: str, name: str) -> None:
        self._param(at, name)
        value = self.rule.params[name].value if name in self.rule.params else 1
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 100:
            self.add(at, f"参数 {name} 的值 {value!r} 不是百分数", "写 0 到 100 之间的数")

    def _window(self, leg: Without, at: str) -> None:
        for key, name in (("since", leg.since), ("until", leg.until)):
            if name and self._known(f"{at}.{key}", name) and self.fields.types[name] not in _DATES:
                self.add(f"{at}.{key}", f"{name} 不是日期", "换成日期字段")
        for key, name in (("days", leg.days), ("back", leg.back), ("fewer_than", leg.fewer_than)):
            if name:
                self._param(f"{at}.{key}", name)
                value = self.rule.params[name].value if name in self.rule.params else 1
                if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                    self.add(f"{at}.{key}", f"参数 {name} 的值 {value!r} 不是可用的数", "写不小于 0 的整数")

    def _shared(self, leaf: Leaf, at: str) -> None:
        """Counted over one source's own rows."""
        alias = leaf.field.split(".")[0]
        if self.rule.sources[alias].any_of:
            self.add(at, "合并来源不能计共用对象", "改为单一数据源")
        for key, name in (("other", leaf.other), ("at", leaf.at)):
            if name and name.split(".")[0] != alias:
                self.add(f"{at}.{key}", f"{name} 不属于 {alias}", f"写 {alias} 的列")
        if (leaf.at is None) != (leaf.days is None):
            self.add(at, "at 与 days 须同时写", "按日期限定时，写明日期列 at 和前后天数 days；不限定时都不写")
