"""Our weights beside Splink's: what each level of agreement is said to tell, by the model's file, by Splink and by the truth.

``python -m bench.linkage audit``. Splink is trained on the same drawn persons with the same columns and levels; the truth is
how often true pairs agree so far, which only drawn data can tell.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from supervision.identity.linking import Columns, candidates, chances, compare
from supervision.identity.spec import linkage

#: true pairs that are looked at
_LOOKED_AT = 400_000
_TINY = 1e-6


def ours(records: pl.DataFrame, gold: NDArray[np.uint64]) -> pl.DataFrame:
    """One row a level: ``column``, ``level``, ``m`` and ``u`` of ours, ``m_true``; ``pairs`` true pairs where both are filled."""
    model, columns = linkage("person").model, Columns(records)
    blocks = candidates(columns, model)
    known = chances(columns, model, blocks)
    looked = gold[:: len(gold) // _LOOKED_AT + 1]
    left, right = (
        (looked >> np.uint64(32)).astype(np.int64),
        (looked & np.uint64(0xFFFFFFFF)).astype(np.int64),
    )
    rows = []
    for comparison, m, u in zip(model.comparisons, known.m, known.u, strict=True):
        found = np.bincount(compare(columns, comparison, left, right), minlength=comparison.levels + 1)[1:]
        names = [
            "equal",
            *(near.column or f"{near.kind} {near.limit:g}" for near in comparison.near),
            "different",
        ]
        for n, name in enumerate(names):
            truth = float(found[n] / max(found.sum(), 1))
            rows.append((comparison.column, n, name, float(m[n]), float(u[n]), truth, int(found.sum())))
    schema = ["column", "n", "level", "m", "u", "m_true", "pairs"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def beside(mine: pl.DataFrame, splink: pl.DataFrame) -> pl.DataFrame:
    """``mine`` with ``m_splink``, ``u_splink`` and the weights in bits; ``apart``: ours less Splink's, ``off``: ours less the truth's."""
    both = mine.join(splink, on=["column", "n"], how="left")

    def bits(m: str, u: str) -> pl.Expr:
        return (pl.col(m).clip(_TINY) / pl.col(u).clip(_TINY)).log(2)

    return both.with_columns(
        bits=bits("m", "u"), bits_splink=bits("m_splink", "u_splink"), bits_true=bits("m_true", "u")
    ).with_columns(apart=pl.col("bits") - pl.col("bits_splink"), off=pl.col("bits") - pl.col("bits_true"))


def show(table: pl.DataFrame) -> None:
    """Print it."""
    shown = Table(title="m, u and weights in bits: ours, Splink's, the truth's")
    for name in (
        "column",
        "level",
        "m",
        "Splink m",
        "true m",
        "u",
        "Splink u",
        "bits",
        "Splink bits",
        "true bits",
        "apart",
    ):
        shown.add_column(name, justify="left" if name in ("column", "level") else "right")
    for r in table.iter_rows(named=True):
        shown.add_row(
            r["column"], r["level"],
            *(_number(r[k]) for k in ("m", "m_splink", "m_true", "u", "u_splink")),
            *("–" if r[k] is None else f"{r[k]:+.1f}" for k in ("bits", "bits_splink", "bits_true", "apart")),
        )  # fmt: skip
    Console(width=130).print(shown)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
