"""What a delivery is expected to look like: the tally of a batch held against its feed's maxima. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from chuxiong.kit.problems import Problem
from ingestion.catalog.spec import FeedSpec

#: fewer filled cells than this say nothing about a stuck sensor
_TELLING = 20


@dataclass
class Tally:
    """Counts of one batch, chunk by chunk. Memory grows with the distinct values of the watched columns only."""

    feed: FeedSpec
    rows: int = 0
    quarantined: int = 0
    _values: dict[str, Counter[object]] = field(default_factory=dict)

    def add(self, good: pl.DataFrame, quarantined: int) -> None:
        """One normalised chunk: its good rows and how many rows stood aside."""
        self.rows += good.height + quarantined
        self.quarantined += quarantined
        for name in self.feed.expectations.maximum.same:
            if name in good.columns:
                counts = good[name].drop_nulls().value_counts()
                self._values.setdefault(name, Counter()).update(dict(counts.iter_rows()))

    def warnings(self) -> list[Problem]:
        """What lies above the feed's maxima. The batch is taken in all the same."""
        maximum, found = self.feed.expectations.maximum, []
        if maximum.rows is not None and self.rows > maximum.rows:
            found.append(
                Problem(
                    self.feed.code,
                    f"有 {self.rows} 行，多于约定的最多 {maximum.rows} 行",
                    "请向提供单位核实是否重复导出",
                    f"{self.rows} rows, more than the {maximum.rows} agreed",
                    "Ask the provider whether rows were exported twice",
                )
            )
        share = self.quarantined / self.rows if self.rows else 0.0
        if maximum.quarantined is not None and share > maximum.quarantined:
            found.append(
                Problem(
                    self.feed.code,
                    f"隔离 {self.quarantined} 行，占 {share:.1%}，超过约定的 {maximum.quarantined:.0%}",
                    "把错误回执发给提供单位，改正后重新报送",
                    f"{self.quarantined} rows in quarantine, {share:.1%}, above the {maximum.quarantined:.0%} agreed",
                    "Send the error receipt to the provider and ask for a corrected file",
                )
            )
        for name, limit in maximum.same.items():
            counts = self._values.get(name, Counter())
            filled = counts.total()
            value, most = (counts.most_common(1) or [(None, 0)])[0]
            if filled >= _TELLING and most / filled > limit:
                found.append(
                    Problem(
                        f"{self.feed.code}.{name}",
                        f"{most / filled:.0%} 的值都是 {value}，超过约定的 {limit:.0%}（设备恒值或误填充）",
                        "请提供单位核对设备状态或重新导出",
                        f"{most / filled:.0%} of the values are {value}, above the {limit:.0%} agreed",
                        "Ask the provider to check the device or to export again",
                    )
                )
        return found
