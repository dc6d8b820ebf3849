"""Which of many addresses an address means: the same village and a number in common, or the same numbers, then sign by sign.

Addresses of one prefecture are alike in nearly every pair of characters, and two doors of one street in all but a digit.
So candidates come from the place and the numbers, and another number is another door, however alike the words are.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from supervision.identity.addresses import place_keys
from supervision.identity.likeness import Alike, best

_AREA = r"^([0-9]{6,12}):"
_NUMBER = r"[0-9A-Za-z]+"
_UPPER = r"^(?:.{0,2}南.?省?)?(?:楚.{0,7}自治州|楚雄州)?"
#: a block of more addresses than this tells nobody apart
_CAP = 200
#: what other numbers and another place take from the likeness
_OTHER_NUMBER, _OTHER_PLACE = 0.3, 0.3
_THREADS = 2


class Places:
    """Addresses that are searched. Empty ones are found by nobody."""

    def __init__(self, addresses: pl.Series) -> None:
        self._parts = _parts(addresses)
        self._blocks = [block.filter(pl.len().over("key") <= _CAP) for block in _blocks(self._parts)]

    def closest(self, addresses: pl.Series, most: int = 2, least: float = 0.3) -> Alike:
        """The ``most`` addresses of the stock nearest to each of ``addresses``, none below ``least``."""
        asked = _parts(addresses)
        found = [
            one.join(held, on="key", how="inner").select("row", "row_right")
            for one, held in zip(_blocks(asked), self._blocks, strict=True)
        ]
        pairs = pl.concat(found).unique()
        query, text = (pairs[c].to_numpy().astype(np.int64) for c in ("row", "row_right"))
        return best(query, text, _likeness(asked[query], self._parts[text]), len(addresses), most, least)


def _parts(addresses: pl.Series) -> pl.DataFrame:
    """``row``, ``area`` (code or null), ``rest`` below it, ``whole`` (without the prefecture), ``numbers``, ``sign`` of them."""
    key = place_keys(addresses)
    frame = pl.DataFrame({"written": addresses.fill_null(""), "key": key}).with_row_index("row")
    frame = frame.with_columns(
        area=pl.col("key").str.extract(_AREA, 1),
        whole=pl.col("written").str.replace(_UPPER, ""),
    ).with_columns(rest=pl.col("key").str.replace(_AREA, "").fill_null(pl.col("whole")))
    numbers = frame["rest"].str.extract_all(_NUMBER)
    return frame.with_columns(numbers=numbers, sign=numbers.list.join("-"))


def _blocks(parts: pl.DataFrame) -> list[pl.DataFrame]:
    """``row`` and ``key``: place and all numbers; all numbers, of two at least; place and each number."""
    several = pl.col("numbers").list.len() >= 2
    return [
        parts.select("row", key=pl.concat_str("area", "sign", separator="|")).drop_nulls(),
        parts.filter(several).select("row", key="sign"),
        parts.explode("numbers")
        .select("row", key=pl.concat_str("area", "numbers", separator="|"))
        .drop_nulls(),
    ]


def place_marks(addresses: pl.Series) -> pl.Series:
    """What an address is found by: its blocks as texts, a list a row; empty where it holds no number."""
    blocks = pl.concat(_blocks(_parts(addresses))).unique(maintain_order=True)
    listed = blocks.group_by("row").agg("key")
    rows = pl.DataFrame({"row": np.arange(len(addresses), dtype=np.uint32)})
    return rows.join(listed, on="row", how="left", maintain_order="left")["key"].fill_null([])


def _likeness(a: pl.DataFrame, b: pl.DataFrame) -> NDArray[np.float32]:
    rest, whole = (
        cpdist(
            a[c].to_list(),
            b[c].to_list(),
            scorer=OSA.normalized_similarity,
            workers=_THREADS,
            dtype=np.float32,
        )
        for c in ("rest", "whole")
    )
    both = (
        pl.DataFrame({"a": a["area"], "b": b["area"]})
        .select(
            known=pl.col("a").is_not_null() & pl.col("b").is_not_null(),
            within=pl.col("a").str.starts_with(pl.col("b")) | pl.col("b").str.starts_with(pl.col("a")),
            same=pl.col("a") == pl.col("b"),
        )
        .fill_null(False)
    )
    known, within, same = (both[c].to_numpy() for c in ("known", "within", "same"))
    # Where a slip in the village's name leaves the place open, the words decide.
    likeness = np.where(same, rest, whole)
    other = (a["sign"] != b["sign"]).to_numpy()
    taken = _OTHER_NUMBER * other + _OTHER_PLACE * (known & ~within)
    return np.asarray(np.maximum(likeness - taken, 0), np.float32)
