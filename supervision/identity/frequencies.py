"""Frozen shares of values: what an agreement weighs does not move with every delivery, so that what is recomputed in part

equals what is recomputed as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from supervision.identity.linking import Chances, Columns, LinkModel, Weights, chances


@dataclass(frozen=True)
class Frequencies:
    """``records``: subjects counted; ``shares``: column → frame (value, share), values met once are left out; ``u`` of every
    comparison's levels, in the model's order."""

    records: int
    shares: Mapping[str, pl.DataFrame]
    u: Mapping[str, tuple[float, ...]]

    def chances(self, model: LinkModel) -> Chances:
        """As ``linking.chances``, but frozen. ``m`` stands in the model."""
        return Chances(
            tuple(np.array(c.m) for c in model.comparisons),
            tuple(np.array(self.u[c.column]) for c in model.comparisons),
        )


class FrozenColumns(Columns):
    """Records whose values weigh by a frozen share; one met once or never counts as one in all records."""

    def __init__(self, records: pl.DataFrame, frequencies: Frequencies) -> None:
        super().__init__(records)
        self._frozen = frequencies

    def shares(self, column: str) -> Weights:
        self.codes(column)
        least = 1 / max(self._frozen.records, 1)
        table = self._frozen.shares.get(column)
        values = self._values[column].to_frame("value")
        if table is None or table.is_empty():
            found = np.full(len(values), least)
        else:
            joined = values.join(table, on="value", how="left", maintain_order="left")["share"]
            found = joined.fill_null(least).to_numpy()
        return np.concatenate(([1.0], found)).astype(np.float64)


#: records that the chances of near agreement are taken from
_SAMPLE = 200_000


def count(records: pl.DataFrame, model: LinkModel) -> Frequencies:
    """The frequencies of ``records``: ``subject`` and one column for each comparison, in any order of rows.

    A value counts once for each subject that has it, however many records say so.
    """
    shares = {}
    for comparison in model.comparisons:
        told = records.select("subject", comparison.column).drop_nulls().unique()
        held = told[comparison.column]
        counts = held.value_counts(name="count").rename({comparison.column: "value"})
        shares[comparison.column] = (
            counts.filter(pl.col("count") > 1)
            .select("value", share=pl.col("count") / max(len(held), 1))
            .sort("value")
        )
    one = records.unique("subject", keep="any")
    columns = Columns(one.sample(min(_SAMPLE, one.height), seed=1969))
    known = chances(columns, model, [])
    u = {c.column: tuple(float(x) for x in u) for c, u in zip(model.comparisons, known.u, strict=True)}
    return Frequencies(one.height, shares, u)
