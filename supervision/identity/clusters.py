"""From scored pairs to things: the surest links first, never two different numbers in one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from supervision.identity.linking import Codes, Links, Rows


def clusters(
    size: int,
    links: Links,
    least: float,
    numbers: Codes,
    *,
    same: Iterable[tuple[int, int]] = (),
    different: Iterable[tuple[int, int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> Rows:
    """The cluster of every row, named by its first row.

    Links below ``least`` bits join nothing. ``numbers`` are codes of full identifiers (0: none): rows of two numbers never
    meet, however the links run. ``same`` and ``different`` are people's judgements and come before every score. ``apart``:
    pairs that contradict each other; a third that fits both makes them one by a person's word alone. The result does not depend on the order of the links: equal scores join in the order of their rows.
    """
    parent = list(range(size))
    held = numbers.tolist()
    enemies: dict[int, set[int]] = {}

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def join(a: int, b: int, *, judged: bool = False) -> None:
        a, b = root(a), root(b)
        if a == b or b in enemies.get(a, ()):
            return
        if held[a] and held[b] and held[a] != held[b] and not judged:
            return
        first, second = min(a, b), max(a, b)
        parent[second] = first
        held[first] = held[first] or held[second]
        for enemy in enemies.pop(second, ()):
            enemies[enemy].discard(second)
            enemies[enemy].add(first)
            enemies.setdefault(first, set()).add(enemy)

    for a, b in different:
        enemies.setdefault(a, set()).add(b)
        enemies.setdefault(b, set()).add(a)
    for a, b in sorted(same):
        join(a, b, judged=True)
    for a, b in apart:
        a, b = root(a), root(b)
        if a != b:
            enemies.setdefault(a, set()).add(b)
            enemies.setdefault(b, set()).add(a)
    good = np.flatnonzero(links.score >= least)
    order = good[np.lexsort((links.right[good], links.left[good], -links.score[good]))]
    for a, b in zip(links.left[order].tolist(), links.right[order].tolist(), strict=True):
        join(a, b)
    return np.array([root(row) for row in range(size)], np.int64)


def pairs_within(cluster: Rows) -> NDArray[np.uint64]:
    """Every pair of rows of one cluster as ``left << 32 | right``, in order."""
    order = np.argsort(cluster, kind="stable")
    groups = cluster[order]
    found = []
    for apart in range(1, len(cluster)):
        same = np.flatnonzero(groups[apart:] == groups[:-apart])
        if not len(same):
            break
        found.append(order[same].astype(np.uint64) << np.uint64(32) | order[same + apart].astype(np.uint64))
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.uint64)
