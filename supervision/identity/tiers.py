"""Mentions without a full number and the numbers they may stand for → subjects with tier, score and reasons.

The partition is the sound of a name: whoever sounds otherwise is another, unless a number or a person says so. So a
change concerns the records of one sound, and what is recomputed in part equals what is recomputed as a whole.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log2
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from supervision.identity.clusters import clusters
from supervision.identity.frequencies import Frequencies, FrozenColumns
from supervision.identity.linking import EMPTY, EQUAL, LinkModel, Links, Rows, once, score
from supervision.identity.spec import LinkColumn, linkage

Kind = Literal["person", "organisation"]
#: what is compared, by kind; a node has all of these columns as text
ATTRIBUTES = ("name", "sound", "birth", "sex", "masked", "issued", "legacy", "phone", "town", "address")
NODE_SCHEMA = {
    "key": pl.String,
    "number": pl.String,
    "first": pl.Int64,
    **dict.fromkeys(ATTRIBUTES, pl.String),
}
_NAMESPACE = uuid.UUID("5b0c6c5e-7d5c-4f0e-9d0d-2f7a7f7f3a11")
#: agreements that make two mentions without a number one row of the computation
_COLLAPSE = (("masked", "birth"), ("birth", "phone"), ("birth", "town"))
#: columns in which two different values forbid that records be joined without a person's word
_FORBIDS = ("masked", "issued", "birth", "sex", "legacy")
_DIGITS = ("masked", "issued")
#: bits of a person's word
_JUDGED = 1e6
#: rows of one value beyond which a weak key finds no candidates
_CAP = 400


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Strict):
    tier: Literal["B", "C", "D"]
    equal: tuple[str, ...]
    odds: float = Field(gt=0)
    numbered: bool = False


class SpineModel(_Strict):
    """``spine.yaml``."""

    refresh: float = Field(gt=1)
    ambiguous: float = Field(ge=0)
    shown: float = Field(gt=0)
    tiers: dict[Kind, tuple[Tier, ...]]
    asked: dict[Kind, tuple[tuple[str, ...], ...]]
    person: tuple[LinkColumn, ...]
    organisation: tuple[LinkColumn, ...]


@lru_cache
def spine_model() -> SpineModel:
    """Raises pydantic's ValidationError with place and cure for a broken file."""
    path = Path(__file__).parent / "spine.yaml"
    return SpineModel.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@lru_cache
def link_model(kind: Kind) -> LinkModel:
    """Comparisons of the kind: persons as in ``person.yaml`` and ``spine.yaml``, organisations as in ``spine.yaml``."""
    own: tuple[LinkColumn, ...] = getattr(spine_model(), kind)
    linked = linkage("person").model.comparisons if kind == "person" else ()
    kept = tuple(c for c in linked if c.column != "number")
    return LinkModel((*kept, *(c.comparison() for c in own)), ())


@dataclass(frozen=True)
class Judged:
    """People's word on pairs of node keys."""

    same: frozenset[tuple[str, str]] = frozenset()
    different: frozenset[tuple[str, str]] = frozenset()

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(k for pair in (*self.same, *self.different) for k in pair)


@dataclass(frozen=True)
class Resolved:
    """``mentions``: key, subject, tier, score, reasons (JSON text: column → equal, near, different) of every node
    without a number. ``pairs``: left, right, score, reasons of those to show, best first."""

    mentions: pl.DataFrame
    pairs: pl.DataFrame


MENTION_SCHEMA = {
    "key": pl.String, "subject": pl.String, "tier": pl.String, "score": pl.Float64, "reasons": pl.String,
}  # fmt: skip
PAIR_SCHEMA = {"left": pl.String, "right": pl.String, "score": pl.Float64, "reasons": pl.String}


def resolve(kind: Kind, nodes: pl.DataFrame, frequencies: Frequencies, judged: Judged) -> Resolved:
    """Subjects of the mentions among ``nodes`` (``NODE_SCHEMA``).

    A node with ``number`` stands for it; several nodes may. ``first`` is the landing that a mention came with: the
    earliest names a subject that has no number. The order of the rows does not matter.
    """
    nodes = nodes.sort("key", "number", *ATTRIBUTES, nulls_last=True)
    model = link_model(kind)
    rows, members = _collapsed(nodes, judged.keys)
    # Mentions that say the same are one only where saying it makes a tier: many bear a common name on one birthday.
    many = members.group_by("row").len().filter(pl.col("len") > 1)["row"].sort().to_numpy().astype(np.uint64)
    alike = score(
        FrozenColumns(rows, frequencies), model, (many << np.uint64(32)) | many, frequencies.chances(model)
    )
    alike_tier = _tiers(kind, alike, rows, frequencies)
    weak = members.filter(pl.col("row").is_in(alike.left[alike_tier == 0].tolist()))["key"]
    among: dict[str, tuple[str, float, str]] = {
        rows["key"][int(row)]: (
            spine_model().tiers[kind][int(tier) - 1].tier,
            round(float(alike.score[at]), 6),
            _reasons(alike, at),
        )
        for at, (row, tier) in enumerate(zip(alike.left, alike_tier, strict=True))
        if tier
    }
    if len(weak):
        rows, members = _collapsed(nodes, judged.keys | frozenset(weak.to_list()))
    pairs = _candidates(kind, rows)
    columns = FrozenColumns(rows, frequencies)
    links = score(columns, model, pairs, frequencies.chances(model))
    tier = _tiers(kind, links, rows, frequencies)
    sure = _unambiguous(links, tier, rows, spine_model().ambiguous)
    place = dict(zip(members["key"], members["row"], strict=True))
    same = [(place[a], place[b]) for a, b in judged.same if a in place and b in place]
    different = [(place[a], place[b]) for a, b in judged.different if a in place and b in place]
    numbers = columns.codes("number")
    # A person's word counts more than every score, but never makes one of two numbers.
    said = np.array(sorted({(min(p), max(p)) for p in same}), np.int64).reshape(-1, 2)
    firm = Links(
        np.concatenate((said[:, 0], links.left[sure])),
        np.concatenate((said[:, 1], links.right[sure])),
        np.concatenate((np.full(len(said), _JUDGED), links.score[sure])),
        {},
    )
    own = _of_one_number(numbers)
    cluster = clusters(
        len(rows), firm, float("-inf"), numbers, same=own, different=different, apart=_contradicting(links)
    )
    subject = _subjects(rows, members, cluster, place)
    best = _best(len(rows), links, tier, sure, cluster)
    return Resolved(
        _mentions(kind, rows, members, subject, best, links, tier, set(same), among),
        _shown(links, rows, cluster, numbers, frequencies, different),
    )


def _collapsed(nodes: pl.DataFrame, apart: frozenset[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row for mentions that say the same and enough of it; (rows, members: key, row, first)."""
    enough = pl.any_horizontal(pl.all_horizontal(pl.col(c).is_not_null() for c in need) for need in _COLLAPSE)
    alone = ~enough | pl.col("key").is_in(list(apart)) | pl.col("number").is_not_null()
    marked = nodes.with_row_index("at").with_columns(own=pl.when(alone).then(pl.col("at")))
    grouped = marked.with_columns(lead=pl.col("at").min().over(["own", "number", *ATTRIBUTES]))
    rows = grouped.filter(pl.col("at") == pl.col("lead")).sort("at").with_row_index("row")
    members = grouped.join(rows.select("lead", "row"), on="lead").sort("at")
    return rows, members.select("key", "row", "first")


def _candidates(kind: Kind, rows: pl.DataFrame) -> NDArray[np.uint64]:
    """Pairs that some tier could join: at least one side without a number. All share the sound of the name."""
    found = []
    frame = rows.select("row", *ATTRIBUTES, free=pl.col("number").is_null())
    model = spine_model()
    wanted = [(t.equal, t.numbered) for t in model.tiers[kind]] + [(b, False) for b in model.asked[kind]]
    for equal, numbered in wanted:
        keys = ["sound", *(c for c in equal if c != "name")]
        full = frame.filter(pl.all_horizontal(pl.col(k).is_not_null() for k in keys)).select(
            "row", "free", *keys
        )
        full = full.filter(pl.len().over(keys) <= _CAP)
        free = full.filter(pl.col("free"))
        other = full.filter(~pl.col("free")) if numbered else full
        pairs = free.join(other, on=keys, suffix="_b").filter(pl.col("row") != pl.col("row_b"))
        left = pairs.select(pl.min_horizontal("row", "row_b")).to_series().cast(pl.UInt64).to_numpy()
        right = pairs.select(pl.max_horizontal("row", "row_b")).to_series().cast(pl.UInt64).to_numpy()
        found.append((left << np.uint64(32)) | right)
    return once(found)


def _tiers(kind: Kind, links: Links, rows: pl.DataFrame, frequencies: Frequencies) -> NDArray[np.uint8]:
    """Number of the first tier of the model (1 = first) that each link reaches; 0 for none."""
    prior = log2(max(frequencies.records, 2))
    free = rows["number"].is_null().to_numpy()
    both_free = free[links.left] & free[links.right]
    forbidden = np.zeros(len(links), np.bool_)
    model = link_model(kind)
    for comparison in model.comparisons:
        if comparison.column in _FORBIDS:
            forbidden |= links.levels[comparison.column] > EQUAL
    reached = np.zeros(len(links), np.uint8)
    for number, tier in reversed(list(enumerate(spine_model().tiers[kind], 1))):
        good = ~forbidden & (links.score >= prior + log2(tier.odds))
        if tier.numbered:
            good &= ~both_free
        for column in tier.equal:
            level = links.levels[column]
            # The sound is equal anyway; a slip of the pen in the name still names the person.
            good &= (level == EQUAL) | (
                (column == "name") & (kind == "person") & (level == EQUAL + 1) & (tier.tier != "D")
            )
        reached[good] = number
    return reached


def _contradicting(links: Links) -> list[tuple[int, int]]:
    """Compared pairs whose visible digits of the number differ: whoever fits both does not make them one."""
    differ = np.zeros(len(links), np.bool_)
    for column in _DIGITS:
        if column in links.levels:
            differ |= links.levels[column] > EQUAL
    return sorted(zip(links.left[differ].tolist(), links.right[differ].tolist(), strict=True))


def _unambiguous(
    links: Links, tier: NDArray[np.uint8], rows: pl.DataFrame, margin: float
) -> NDArray[np.int64]:
    """Places of the links that may join: of a mention that two numbers claim about equally, none to a number."""
    reached = np.flatnonzero(tier > 0)
    number = rows["number"]
    left, right = links.left[reached], links.right[reached]
    frame = pl.DataFrame(
        {"at": reached, "left": left, "right": right, "score": links.score[reached]}
    ).with_columns(
        left_number=number.gather(left),
        right_number=number.gather(right),
    )
    to_number = frame.filter(
        pl.col("left_number").is_not_null() | pl.col("right_number").is_not_null()
    ).select(
        "at",
        "score",
        free=pl.when(pl.col("left_number").is_null()).then("left").otherwise("right"),
        number=pl.coalesce("left_number", "right_number"),
    )
    leading = (
        to_number.group_by("free", "number")
        .agg(pl.col("score").max())
        .sort("free", "score", descending=[False, True])
    )
    two = leading.group_by("free", maintain_order=True).agg(
        best=pl.col("number").first(), gap=pl.col("score").first() - pl.col("score").get(1, null_on_oob=True)
    )
    kept = to_number.join(two, on="free").filter(
        (pl.col("number") == pl.col("best")) & (pl.col("gap").is_null() | (pl.col("gap") >= margin))
    )
    dropped = to_number.join(kept.select("at"), on="at", how="anti")["at"]
    return np.setdiff1d(reached, dropped.to_numpy())


def _of_one_number(numbers: NDArray[np.uint32]) -> list[tuple[int, int]]:
    order = np.argsort(numbers, kind="stable")
    held = numbers[order]
    same = np.flatnonzero((held[1:] == held[:-1]) & (held[1:] > 0))
    return [(int(a), int(b)) for a, b in zip(order[same], order[same + 1], strict=True)]


def _subjects(rows: pl.DataFrame, members: pl.DataFrame, cluster: Rows, place: dict[str, int]) -> list[str]:
    """The subject of every row: the number of its cluster, else a name drawn from its earliest mention."""
    named = rows.select("row", "number").with_columns(cluster=pl.Series(cluster))
    number = named.group_by("cluster").agg(pl.col("number").drop_nulls().min())
    eldest = (
        members.join(named.select("row", "cluster"), on="row").sort("first", "key").group_by("cluster", maintain_order=True)
        .agg(pl.col("key").first())
    )  # fmt: skip
    of = {c: n for c, n in number.iter_rows() if n is not None}
    for c, key in eldest.iter_rows():
        of.setdefault(c, str(uuid.uuid5(_NAMESPACE, key)))
    return [of[int(c)] for c in cluster]


def _best(
    size: int, links: Links, tier: NDArray[np.uint8], sure: NDArray[np.int64], cluster: Rows
) -> NDArray[np.int64]:
    """For each row the place of its best link inside its cluster; -1 for none."""
    inside = sure[cluster[links.left[sure]] == cluster[links.right[sure]]]
    best = np.full(size, -1, np.int64)
    order = inside[np.lexsort((links.right[inside], links.left[inside], -links.score[inside]))][::-1]
    best[links.left[order]] = order
    right = np.full(size, -1, np.int64)
    right[links.right[order]] = order
    for row in range(size):
        a, b = best[row], right[row]
        if a < 0 or (b >= 0 and links.score[b] > links.score[a]):
            best[row] = b
    return best


def words(levels: Iterable[tuple[str, int, int]]) -> str:
    """JSON text of (column, level, levels of the comparison): equal, near, different; empty columns are left out."""
    import json

    said = {
        column: "equal" if level == EQUAL else "different" if level == last else "near"
        for column, level, last in levels
        if level != EMPTY
    }
    return json.dumps(said, sort_keys=True)


def _reasons(links: Links, at: int) -> str:
    last = {c.column: c.levels for kind in ("person", "organisation") for c in link_model(kind).comparisons}  # type: ignore[arg-type]
    return words((column, int(level[at]), last[column]) for column, level in links.levels.items())


def _mentions(
    kind: Kind, rows: pl.DataFrame, members: pl.DataFrame, subject: Sequence[str], best: NDArray[np.int64],
    links: Links, tier: NDArray[np.uint8], same: set[tuple[int, int]], among: dict[str, tuple[str, float, str]],
) -> pl.DataFrame:  # fmt: skip
    tiers = spine_model().tiers
    judged = {row for pair in same for row in pair}
    free = rows["number"].is_null().to_list()
    keys = rows["key"].to_list()
    out: list[tuple[int, str, str, float, str]] = []
    for row, at in enumerate(best.tolist()):
        if not free[row]:
            continue
        if at >= 0:
            out.append(
                (
                    row,
                    subject[row],
                    tiers[kind][int(tier[at]) - 1].tier,
                    round(float(links.score[at]), 6),
                    _reasons(links, at),
                )
            )
        elif keys[row] in among:
            out.append((row, subject[row], *among[keys[row]]))
        else:
            # Said to be one by a person, or known by itself alone.
            out.append((row, subject[row], "J" if row in judged else "", 0.0, "{}"))
    frame = pl.DataFrame(
        out,
        schema={"row": pl.UInt32, **{k: v for k, v in MENTION_SCHEMA.items() if k != "key"}},
        orient="row",
    )
    return members.join(frame, on="row").select(*MENTION_SCHEMA).sort("key")


def _shown(
    links: Links, rows: pl.DataFrame, cluster: Rows, numbers: NDArray[np.uint32], frequencies: Frequencies,
    different: list[tuple[int, int]],
) -> pl.DataFrame:  # fmt: skip
    """Pairs worth a person's look: not one yet, likely enough, not judged different."""
    least = log2(max(frequencies.records, 2)) + log2(spine_model().shown)
    open_ = np.flatnonzero((cluster[links.left] != cluster[links.right]) & (links.score >= least))
    told = set(different) | {(b, a) for a, b in different}
    keys = rows["key"].to_list()
    out = [
        (keys[a], keys[b], round(float(links.score[at]), 6), _reasons(links, at))
        for at, a, b in zip(
            open_.tolist(), links.left[open_].tolist(), links.right[open_].tolist(), strict=True
        )
        if (a, b) not in told
    ]
    frame = pl.DataFrame(out, schema=PAIR_SCHEMA, orient="row")
    return frame.sort(["score", "left", "right"], descending=[True, False, False]).unique(
        ["left", "right"], keep="first", maintain_order=True
    )
