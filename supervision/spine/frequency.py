"""Versions of the frequencies: counted from the spine's own records, kept, used until records have multiplied."""

from __future__ import annotations

import io
from typing import Any

import polars as pl

from supervision.identity.frequencies import Frequencies, count
from supervision.identity.tiers import ATTRIBUTES, Kind, link_model
from supervision.models import IdentityState
from supervision.spine.stage import read


def current(state: IdentityState) -> Frequencies:
    """The version that ``state`` holds."""
    shares: dict[str, pl.DataFrame] = {}
    if state.shares:
        frame = pl.read_ipc(io.BytesIO(bytes(state.shares)))
        shares = {str(c): part.select("value", "share") for (c,), part in frame.group_by("column")}
    return Frequencies(state.records, shares, state.u)


def records_now(kind: Kind) -> int:
    """Subjects with a full number, which a new version would count."""
    frame = read(
        "select greatest((select count(distinct subject) from supervision_appearance where kind = %(kind)s), 1)",
        {"kind": kind},
        {"n": pl.Int64},
    )
    return int(frame["n"][0])


def renew(state: IdentityState, landing: int) -> Frequencies:
    """Count a new version from what the spine holds now; the caller recomputes everything."""
    kind: Any = state.kind
    columns = ", ".join(f"{c}::text" for c in ATTRIBUTES)
    records = read(
        f"select subject::text, {columns} from supervision_appearance where kind = %(kind)s order by subject",
        {"kind": kind},
        dict.fromkeys(("subject", *ATTRIBUTES), pl.String),
    )
    found = count(records, link_model(kind))
    buffer = io.BytesIO()
    pl.concat(
        [t.with_columns(column=pl.lit(c)).select("column", "value", "share") for c, t in found.shares.items()]
    ).write_ipc(buffer, compression="zstd")
    state.version += 1
    state.counted_landing, state.records, state.u = (
        landing,
        found.records,
        {k: list(v) for k, v in found.u.items()},
    )
    state.shares = buffer.getvalue()
    return current(state)
