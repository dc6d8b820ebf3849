"""Which records speak of the same organisation: by number, or by name and a second sign; the rest is shown to a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from supervision.identity.addresses import place_keys
from supervision.identity.linking import EMPTY, EQUAL, Columns, Links, candidates, chances, once, score
from supervision.identity.organisations import former_names, organisation_names
from supervision.identity.spec import linkage
from supervision.identity.spellings import person_names, sounds

#: what says more than a name: one of them must agree before records are one
SECOND = ("number", "legacy", "phone", "address", "head")
_MILLION = 1_000_000
_TOLD = ("number", "legacy", "name", "phone", "address", "head")


@dataclass(frozen=True)
class OrganisationLinks:
    """Pairs of rows of the records with their scores; ``joined``: one without a look; ``shown``: a person is asked."""

    links: Links
    joined: NDArray[np.bool_]
    shown: NDArray[np.bool_]


def organisation_columns(records: pl.DataFrame) -> pl.DataFrame:
    """The columns of the model, from ``number``, ``legacy``, ``name``, ``phone``, ``address``, ``head`` (missing ones empty).

    ``row`` is the row of the record: one that states a former name stands twice, once under each.
    """
    told = records.select(
        pl.col(c).cast(pl.String) if c in records.columns else pl.lit(None, pl.String).alias(c) for c in _TOLD
    ).with_row_index("row")
    before = told.with_columns(name=former_names(told["name"])).filter(pl.col("name").is_not_null())
    told = pl.concat([told, before])
    names, head = organisation_names(told["name"]), person_names(told["head"])
    # A spelling that is all place and kind (楚雄有限公司) names nobody.
    return told.select(
        "row",
        "number",
        "legacy",
        "phone",
        core=names["core"],
        kind=names["kind"],
        region=names["region"],
        sound=sounds(names["core"]),
        address=place_keys(told["address"]),
        head=head["name"],
        head_sound=head["sound"],
    )


def link_organisations(records: pl.DataFrame) -> OrganisationLinks:
    """All candidate pairs of ``records``. Two different credit codes are never joined, two places of registration only by one code."""
    told = organisation_columns(records)
    model, columns = linkage("organisation"), Columns(told)
    blocks = candidates(columns, model.model)
    links = _of_records(
        score(columns, model.model, once(blocks), chances(columns, model.model, blocks)), told
    )
    last = {c.column: c.levels for c in model.model.comparisons}
    second = np.zeros(len(links), np.bool_)
    for column in SECOND:
        level = links.levels[column]
        second |= (level != EMPTY) & (level < last[column])
    apart = np.zeros(len(links), np.bool_)
    for column in ("number", "region"):
        apart |= links.levels[column] == last[column]
    # One number registered anew in another county is one organisation still.
    apart &= links.levels["number"] != EQUAL
    # The file's limits hold for a million records; among fewer a chance meeting is rarer by as much.
    rarer = float(np.log2(_MILLION / max(records.height, 2)))
    joined = ((links.score >= model.joins - rarer) & second | (links.levels["number"] == EQUAL)) & ~apart
    # Two numbers that differ are two organisations, and nobody need be asked.
    numbers = links.levels["number"] == last["number"]
    return OrganisationLinks(links, joined, (links.score >= model.shown - rarer) & ~joined & ~numbers)


def _of_records(links: Links, told: pl.DataFrame) -> Links:
    """The pairs of spellings as pairs of records: of several the best, of one record with itself none."""
    row = told["row"].to_numpy().astype(np.int64)
    a, b = row[links.left], row[links.right]
    left, right = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((-links.score, right, left))
    order = order[left[order] != right[order]]
    pairs = left[order] << 32 | right[order]
    kept = order[np.concatenate(([True], pairs[1:] != pairs[:-1]))] if len(order) else order
    return Links(left[kept], right[kept], links.score[kept], {c: x[kept] for c, x in links.levels.items()})
