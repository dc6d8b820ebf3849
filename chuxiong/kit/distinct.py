"""Work on the distinct values of a column only: status, month and place columns repeat a few values."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

_SAMPLE, _FEW = 2_000, 600


def over_distinct(values: pl.Series, convert: Callable[[pl.Series], pl.DataFrame]) -> pl.DataFrame:
    """``convert(values)``, computed once per distinct value where values repeat. Null gives nulls.

    ``convert`` must treat each value by itself, whatever its neighbours are.
    """
    sample = values.gather_every(max(1, len(values) // _SAMPLE))
    if len(values) <= _SAMPLE or sample.n_unique() > _FEW:
        return convert(values)
    encoded = values.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    known = convert(pl.Series(values.name, encoded.dictionary, dtype=values.dtype))
    places = pl.Series(encoded.indices).cast(pl.UInt32)
    return known.select(pl.all().gather(places))
