"""How right links and answers are: the limit is set on one half, what counts is the other half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scored:
    """F1, precision and recall at the limit that was best on the other half; recall where precision is at least 0.98."""

    f1: float
    precision: float
    recall: float
    recall_at_98: float


def of_pairs(
    left: NDArray, right: NDArray, score: NDArray, gold: NDArray[np.uint64], who: NDArray, seed: int
) -> Scored:
    """``who`` names the true thing of every row and decides the half: a thing is wholly on one side."""
    half = np.random.default_rng(seed).random(int(who.max()) + 1) < 0.5
    pairs = left.astype(np.uint64) << np.uint64(32) | right.astype(np.uint64)
    good = np.isin(pairs, gold)
    side, gold_side = half[who[left]], half[who[(gold >> np.uint64(32)).astype(np.int64)]]
    limit = _best_limit(score[side], good[side], int(gold_side.sum()))
    at_98 = _limit_at(score[side], good[side], 0.98)
    other, wanted = ~side, int((~gold_side).sum())
    found = good[other & (score >= limit)]
    sure = good[other & (score >= at_98)]
    precision, recall = float(found.mean()) if len(found) else 0.0, float(found.sum()) / wanted
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return Scored(f1, precision, recall, float(sure.sum()) / wanted)


def of_answers(answer: NDArray, score: NDArray, truth: NDArray, seed: int) -> Scored:
    """One answer a query (-1: none); ``truth`` -1 where the stock has none."""
    side = np.random.default_rng(seed).random(len(truth)) < 0.5
    good = (answer == truth) & (truth >= 0)
    given = answer >= 0
    limit = _best_limit(score[side & given], good[side & given], int((truth[side] >= 0).sum()))
    at_98 = _limit_at(score[side & given], good[side & given], 0.98)
    wanted = int((truth[~side] >= 0).sum())
    found, sure = (good[~side & given & (score >= bound)] for bound in (limit, at_98))
    precision, recall = float(found.mean()) if len(found) else 0.0, float(found.sum()) / wanted
    return Scored(
        2 * precision * recall / max(precision + recall, 1e-9), precision, recall, float(sure.sum()) / wanted
    )


def _curve(score: NDArray, good: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Limits that differ, with the right and all answers at or above each."""
    order = np.argsort(-score, kind="stable")
    score, right = score[order], np.cumsum(good[order])
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else np.empty(0, np.int64)
    return score[last], right[last], last + 1


def _best_limit(score: NDArray, good: NDArray, wanted: int) -> float:
    limits, right, all_ = _curve(score, good)
    return float(limits[np.argmax(2 * right / (all_ + wanted))]) if len(limits) else np.inf


def _limit_at(score: NDArray, good: NDArray, precision: float) -> float:
    limits, right, all_ = _curve(score, good)
    enough = np.flatnonzero(right / np.maximum(all_, 1) >= precision)
    return float(limits[enough[-1]]) if len(enough) else np.inf
