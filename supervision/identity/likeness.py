"""The most alike texts of a large stock: character pairs weighed by their rarity, cosine, best first.

A text is its pairs of neighbouring characters (its ends count as characters), each weighed by ``log(texts / texts that
have it)``; likeness is the cosine of two such vectors, 0 to 1. Pairs that stand in very many texts (公司) find nobody:
they count in the likeness, but candidates come from the rarer ones, which is what makes a million texts quick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cpdist
from scipy.sparse import csr_matrix
from sparse_dot_topn import sp_matmul_topn

#: places for pairs of characters: so many that two pairs seldom share one, so few that a small stock is quick
_COLUMNS, _FEW_COLUMNS, _SMALL = 1 << 20, 1 << 16, 5_000
_BEGIN, _END = 1, 2
#: a pair of characters in more texts than this finds no candidates
_COMMON = 4_000
#: candidates of which the full likeness is taken, for every text wanted
_SPARE = 8


@dataclass(frozen=True)
class Alike:
    """``query`` and ``text`` are row numbers; ``likeness`` 0 to 1; best first within a query."""

    query: NDArray[np.int64]
    text: NDArray[np.int64]
    likeness: NDArray[np.float32]


class Stock:
    """Texts that are searched. Empty texts are found by nobody."""

    def __init__(self, texts: pl.Series) -> None:
        self._texts = texts
        self._columns = _FEW_COLUMNS if len(texts) <= _SMALL else _COLUMNS
        counts = _counts(texts, self._columns)
        held = np.bincount(counts.indices, minlength=self._columns)
        self._weight = np.log((len(texts) + 1) / (held + 1)).astype(np.float32)
        self._rare = held <= _COMMON
        self._all = self._weighed(counts)
        self._postings = self._only_rare(self._all).T.tocsr()

    def closest(self, texts: pl.Series, most: int = 2, least: float = 0.3) -> Alike:
        """As ``alike``, the likeliest compared sign by sign as well: pairs of characters tell rare words, edits tell errors.

        Of rarely written errors (one sign changed, left out, swapped) the right text stands first more often than by pairs
        alone, and a text that merely shares rare pairs falls back.
        """
        found = self.alike(texts, most=max(most, _COMPARED), least=least)
        asked, held = (s.fill_null("") for s in (texts, self._texts))
        apart = cpdist(
            asked[found.query].to_list(),
            held[found.text].to_list(),
            scorer=OSA.normalized_similarity,
            workers=_THREADS,
            dtype=np.float32,
        )
        likeness = (_PAIRS * found.likeness + (1 - _PAIRS) * apart).astype(np.float32)
        return best(found.query, found.text, likeness, len(texts), most, least)

    def alike(self, texts: pl.Series, most: int = 10, least: float = 0.3) -> Alike:
        """The ``most`` texts of the stock most like each of ``texts``, none below ``least``."""
        asked = self._weighed(_counts(texts, self._columns))
        found = sp_matmul_topn(
            self._only_rare(asked), self._postings, top_n=most * _SPARE, n_threads=_THREADS
        )
        query = np.repeat(np.arange(len(texts)), np.diff(found.indptr))
        text = found.indices.astype(np.int64)
        likeness = _cosines(asked, query, self._all, text)
        return best(query, text, likeness, len(texts), most, least)

    def _weighed(self, counts: csr_matrix) -> csr_matrix:
        """Each row weighed by rarity and of unit length."""
        data = counts.data * self._weight[counts.indices]
        row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        length = np.sqrt(np.bincount(row, weights=data**2, minlength=counts.shape[0]))
        data = (data / np.maximum(length, 1e-9)[row]).astype(np.float32)
        return csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)

    def _only_rare(self, matrix: csr_matrix) -> csr_matrix:
        kept = self._rare[matrix.indices]
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[kept]
        begins = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=matrix.shape[0]))))
        return csr_matrix((matrix.data[kept], matrix.indices[kept], begins), shape=matrix.shape)


_THREADS = 2
#: of how many candidates the signs are compared; the part of the pairs in the likeness (found best on drawn names and
#: addresses, ``bench/linkage``, between 0.2 and 0.5 nearly equal)
_COMPARED, _PAIRS = 10, 0.3


def best(
    query: NDArray[np.int64],
    text: NDArray[np.int64],
    likeness: NDArray[np.float32],
    size: int,
    most: int,
    least: float,
) -> Alike:
    """The ``most`` best of every query."""
    order = np.lexsort((text, -likeness, query))
    query, text, likeness = query[order], text[order], likeness[order]
    begins = np.concatenate(([0], np.cumsum(np.bincount(query, minlength=size))[:-1]))
    kept = (np.arange(len(query)) - begins[query] < most) & (likeness >= least)
    return Alike(query[kept], text[kept], likeness[kept])


def _counts(texts: pl.Series, size: int) -> csr_matrix:
    """How often each pair of neighbouring characters stands in each text; a row a text."""
    whole = texts.fill_null("")
    marked = pl.select(pl.concat_str(pl.lit(chr(_BEGIN)), whole, pl.lit(chr(_END)))).to_series()
    signs = np.frombuffer(marked.str.join("").item().encode("utf-32-le"), np.uint32).astype(np.uint64)
    rows = np.repeat(np.arange(len(texts), dtype=np.int32), marked.str.len_chars().to_numpy())
    mixed = (signs[:-1] * np.uint64(0x9E3779B97F4A7C15)) ^ (signs[1:] * np.uint64(0xC2B2AE3D27D4EB4F))
    inside = (signs[:-1] != _END) & ~((signs[:-1] == _BEGIN) & (signs[1:] == _END))
    columns, rows = (mixed >> np.uint64(65 - size.bit_length())).astype(np.int32)[inside], rows[:-1][inside]
    begins = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(texts)))))
    counts = csr_matrix((np.ones(len(columns), np.float32), columns, begins), shape=(len(texts), size))
    counts.sum_duplicates()
    return counts


def _cosines(
    a: csr_matrix, rows_a: NDArray[np.int64], b: csr_matrix, rows_b: NDArray[np.int64], step: int = 500_000
) -> NDArray[np.float32]:
    """Products of the given rows, one by one, a bounded number at a time."""
    parts = [
        np.asarray(a[rows_a[n : n + step]].multiply(b[rows_b[n : n + step]]).sum(axis=1), np.float32).ravel()
        for n in range(0, len(rows_a), step)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
