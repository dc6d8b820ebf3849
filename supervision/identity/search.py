"""What people type at the desk, and how alike what is found is to it: persons, organisations, addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist

from supervision.identity.addresses import addresses
from supervision.identity.organisations import organisation_names
from supervision.identity.places import place_marks
from supervision.identity.spellings import person_names, sounds

Kind: TypeAlias = Literal["person", "organisation", "address"]
KINDS: tuple[Kind, ...] = ("organisation", "person", "address")
#: a name of fewer characters with one left out is everybody's
_SHORTEST_LEFT_OUT = 3
#: what is left out of longer names (Yi names in characters, names in Latin letters) leads to few anyhow
_LONGEST_LEFT_OUT = 6
_UPPER = r"^(?:中国)?(?:云南省?)?(?:楚雄彝族自治州|楚雄州)?"
#: how much of an organisation's score its place and its kind make
_PLACE, _LEGAL_FORM = 0.12, 0.08
_SAME_SOUND = 0.92
_OTHER_FAMILY = 0.7


def spelled(kind: Kind, written: pl.Series) -> pl.DataFrame:
    """``name``, ``core``, ``keys`` of names or addresses as they are written; rows without a name stay null."""
    if kind == "organisation":
        told = organisation_names(written)
        return told.select("name", core=pl.col("core").fill_null(""), keys=pl.lit([], pl.List(pl.String)))
    if kind == "address":
        told = addresses(written)
        return told.select(
            name="text",
            core=pl.col("text").str.replace(_UPPER, "").fill_null(""),
            keys=place_marks(written),
        )
    names = person_names(written)["name"]
    return pl.DataFrame(
        {"name": names, "core": pl.Series([""]).new_from_index(0, len(names)), "keys": name_keys(names)}
    )


def name_keys(names: pl.Series) -> pl.Series:
    """The name; its sound after a tilde; the name with each one character left out.

    Two names one character apart, changed, added or dropped, have a key in common.
    """
    frame = pl.DataFrame({"name": names, "sound": "~" + sounds(names)})
    length = pl.col("name").str.len_chars()
    some = length.is_between(_SHORTEST_LEFT_OUT, _LONGEST_LEFT_OUT)
    # A star holds the place: 张*明 is not 张明 of two characters, which the plain form below stands for.
    shorter = [
        pl.when(some & (length > n)).then(pl.col("name").str.slice(0, n) + pl.col("name").str.slice(n + 1))
        for n in range(_LONGEST_LEFT_OUT)
    ]
    return frame.select(
        keys=pl.concat_list("name", "sound", *shorter).list.drop_nulls().list.unique(maintain_order=True)
    )["keys"]


@dataclass(frozen=True)
class Asked:
    """One question in the spelling of the table. ``region`` and ``form`` of an organisation, where stated."""

    kind: Kind
    name: str
    core: str
    keys: tuple[str, ...]
    region: str | None = None
    form: str | None = None


def asked(kind: Kind, text: str) -> Asked | None:
    """The question that ``text`` asks; None when nothing to search for is left of it."""
    written = pl.Series([text])
    told = spelled(kind, written).row(0, named=True)
    if not told["name"] or (kind != "person" and not told["core"]):
        return None
    region = form = None
    if kind == "organisation":
        parts = organisation_names(written).row(0, named=True)
        region, form = parts["region"], parts["kind"]
    return Asked(kind, told["name"], told["core"], tuple(told["keys"] or ()), region, form)


def likeness(question: Asked, names: pl.Series, cores: pl.Series) -> NDArray[np.float64]:
    """How alike each found name is to the question, 0 to 1; 1 is the same spelling."""
    size = len(names)
    if not size:
        return np.empty(0)
    same = (names == question.name).to_numpy()
    if question.kind == "person":
        found = names.to_list()
        apart = cpdist([question.name] * size, found, scorer=OSA.normalized_similarity)
        score = np.asarray(apart, np.float64)
        alike = (sounds(names) == sounds(pl.Series([question.name]))[0]).fill_null(False).to_numpy()
        # Of another family name it is another person, however alike the rest.
        family = (names.str.slice(0, 1) == question.name[:1]).fill_null(False).to_numpy()
        score = np.where(
            alike, np.maximum(score, _SAME_SOUND), np.where(family, score, score * _OTHER_FAMILY)
        )
    else:
        core = cpdist([question.core] * size, cores.to_list(), scorer=fuzz.ratio) / 100
        whole = cpdist([question.core] * size, cores.to_list(), scorer=fuzz.partial_ratio) / 100
        # Typed in part it is found in whole: 彝人古镇 leads to 彝人古镇旅游开发.
        score = np.maximum(core, 0.9 * whole * (cores.str.len_chars().to_numpy() >= len(question.core)))
        if question.kind == "organisation":
            score = (1 - _PLACE - _LEGAL_FORM) * score + _agreement(question, names)
    return np.where(same, 1.0, np.minimum(score, 0.99))


def _agreement(question: Asked, names: pl.Series) -> NDArray[np.float64]:
    parts = organisation_names(names)
    place = _same(parts["region"], question.region)
    form = _same(parts["kind"], question.form)
    return _PLACE * place + _LEGAL_FORM * form


def _same(values: pl.Series, wanted: str | None) -> NDArray[np.float64]:
    """1 where equal or the question does not say, half where the other does not say, else 0."""
    if wanted is None:
        return np.ones(len(values))
    return values.eq(wanted).cast(pl.Float64).fill_null(0.5).to_numpy()
