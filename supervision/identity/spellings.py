"""Person names as agencies write them, brought to one spelling, and the sound of each."""

from __future__ import annotations

import csv
import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cpdist

from chuxiong.kit.text import cleaned, same_brackets, same_dots

_FOLDER = Path(__file__).parent / "data"
_FILE = _FOLDER / "syllables.tsv"
#: raised with every change in how names and addresses are spelled or cut
_WAY = "3"


@lru_cache(maxsize=1)
def spelling() -> str:
    """Changes when sounds, names or addresses come out otherwise: whatever was derived from them is derived anew."""
    told = hashlib.sha256(_WAY.encode())
    for path in sorted(_FOLDER.glob("*.[ct]sv")):
        told.update(path.read_bytes())
    return told.hexdigest()


#: 张三(曾用名:张小三), 张三 曾用名张小三, 张三(原名张小三)
_FORMER = r"\(?(?:曾用名|原名|又名|别名)[:：]?([^()]+)\)?$"
_REMARK = r"\([^()]*\)"
_LETTERS = r"[A-Za-z]"


@lru_cache(maxsize=1)
def _syllables() -> dict[str, str]:
    with _FILE.open(encoding="utf-8", newline="") as source:
        return {
            c: row["syllable"] for row in csv.DictReader(source, delimiter="\t") for c in row["characters"]
        }


def person_names(values: pl.Series) -> pl.DataFrame:
    """``name`` in one spelling, ``former`` name when the cell states one, ``sound`` of the name.

    Blanks inside a Chinese name go (李  强), middle dots become one (木吉•罗日), remarks in brackets go. A name in Latin
    letters keeps its blanks and becomes upper case.
    """
    text = same_brackets(cleaned(values)).alias("text")
    former = text.str.extract(_FORMER, 1)
    bare = text.str.replace(_FORMER, "").str.replace_all(_REMARK, "")
    # 原名洲 is a name: what states a former one states the present one first.
    alone = (bare.str.strip_chars() == "").fill_null(False)
    bare, former = text.zip_with(alone, bare), former.set(alone, None)
    latin = bare.str.contains(_LETTERS).fill_null(False)
    frame = pl.DataFrame({"bare": bare, "former": former, "latin": latin}).select(
        name=pl.when("latin")
        .then(pl.col("bare").str.to_uppercase().str.strip_chars())
        .otherwise(_one_dot(pl.col("bare"))),
        former=_one_dot(pl.col("former")),
    )
    frame = frame.with_columns(pl.all().replace("", None))
    return frame.with_columns(sound=sounds(frame["name"]))


def _one_dot(text: pl.Expr) -> pl.Expr:
    return text.map_batches(same_dots, pl.String).str.replace_all(r"\s", "").str.strip_chars("·")


def sounds(names: pl.Series) -> pl.Series:
    """The syllables of a name, one blank apart; a character outside the table stands for itself."""
    characters = names.drop_nulls().unique().str.join("").str.split("").explode().unique().to_list()
    table = _syllables()
    known = {c: f"{table[c]} " for c in characters if c and c in table}
    return names.str.replace_all("·", "").str.replace_many(known).str.strip_chars().alias("sound")


def alike_names(first: pl.Series, second: pl.Series) -> NDArray[np.float32]:
    """How alike two names are, 0 to 1, row by row: the order of their words, accents and case do not count.

    Of the words of the shorter name each needs its like in the longer one; what the longer one has more costs little.
    """
    a, b = (_words(side).to_list() for side in (first, second))
    sorted_, whole = (
        cpdist(a, b, scorer=scorer, workers=-1) for scorer in (fuzz.token_sort_ratio, JaroWinkler.similarity)
    )
    shared = cpdist(a, b, scorer=fuzz.partial_token_sort_ratio, workers=-1)
    return np.maximum(np.maximum(sorted_ / 100, whole * 0.97), shared * 0.009).astype(np.float32)


def _words(names: pl.Series) -> pl.Series:
    text = names.fill_null("").str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_uppercase()
    return text.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
