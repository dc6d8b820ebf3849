"""Records of one prefecture's people, drawn: 60 of 100 are true ones, 40 are noisy duplicates.

Names follow the frequencies of ``names/`` (tests only, never shipped), villages those of the division tables, errors of
writing the tables of ``typos/``: characters of the same sound or alike in strokes. Of the duplicates 55 of 100 lack the
number, a third of those show its first and last four digits.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])


def homophones(shared: Path) -> dict[str, str]:
    """Character → characters of the same sound and tone."""
    found = {}
    for line in (shared / "data/typos/same_pinyin.txt").read_text("utf-8").splitlines():
        parts = line.split("\t")
        if not line.startswith("#") and len(parts) > 1 and parts[1]:
            found[parts[0]] = parts[1]
    return found


def near_glyphs(shared: Path) -> dict[str, str]:
    """Character → characters that look like it."""
    found = {}
    for line in (shared / "data/typos/same_stroke.txt").read_text("utf-8").splitlines():
        group = line.split("\t")
        found |= {
            one: "".join(c for c in group if c != one and len(c) == 1) for one in group if len(one) == 1
        }
    return {one: others for one, others in found.items() if others}


def swapped(word: str, place: int, table: dict[str, str], draw: np.random.Generator) -> str:
    """``word`` with the character at ``place`` taken from the table, where the table knows it."""
    others = table.get(word[place])
    return word if not others else word[:place] + others[draw.integers(len(others))] + word[place + 1 :]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as source:
        return list(csv.DictReader(source))


def _numbers(divisions: Sequence[str], births: Sequence[str], order: np.ndarray) -> list[str]:
    heads = [f"{d}{b}{n:03d}" for d, b, n in zip(divisions, births, order, strict=True)]
    digits = np.array([[ord(c) - 48 for c in head] for head in heads])
    return [head + "10X98765432"[k] for head, k in zip(heads, (digits @ _WEIGHTS) % 11, strict=True)]


def people(shared: Path, count: int, seed: int) -> pl.DataFrame:
    """``who`` (the truth), ``name``, ``number``, ``masked``, ``birth``, ``sex``, ``phone``, ``town``, ``address``; shuffled."""
    draw = np.random.default_rng(seed)
    families = _rows(shared / "data/names/familyname.csv")[:1000]
    givens = _rows(shared / "data/names/givenname.csv")
    villages = _rows(shared / "data/divisions/villages_chuxiong.csv")
    family = np.array([r["surname"] for r in families])
    family_share = np.array([float(r["ppm.1930_2008"]) for r in families])
    given = np.array([r["character"] for r in givens])
    given_share = np.array([float(r["name.ppm"]) for r in givens])
    true = int(count * 0.6)
    first, second = (draw.choice(given, true, p=given_share / given_share.sum()) for _ in range(2))
    names = [
        f + a + (b if two else "")
        for f, a, b, two in zip(
            draw.choice(family, true, p=family_share / family_share.sum()),
            first,
            second,
            draw.random(true) < 0.82,
            strict=True,
        )
    ]
    births = [str(x).replace("-", "") for x in np.datetime64("1930-01-01") + draw.integers(0, 365 * 85, true)]
    home = draw.integers(0, len(villages), true)
    sexes = draw.integers(0, 2, true)
    numbers = _numbers(
        [villages[k]["areaCode"] for k in home], births, draw.integers(0, 500, true) * 2 + sexes
    )
    phones = [
        f"1{a}{b:08d}"
        for a, b in zip(
            draw.choice([38, 39, 50, 59, 87, 88], true), draw.integers(0, 10**8, true), strict=True
        )
    ]
    towns = [villages[k]["streetCode"] for k in home]
    houses = draw.integers(1, 300, true)
    addresses = [f"{_village(villages[k])}{h}号" for k, h in zip(home, houses, strict=True)]
    rows: list[tuple[object, ...]] = list(
        zip(
            range(true),
            names,
            numbers,
            [None] * true,
            births,
            ["FM"[s] for s in sexes],
            phones,
            towns,
            addresses,
            strict=True,
        )
    )
    sound, glyph = homophones(shared), near_glyphs(shared)
    for k in draw.integers(0, true, count - true).tolist():
        r = draw.random(8)
        name, birth, number, masked, phone, town, address = (
            names[k],
            births[k],
            numbers[k],
            None,
            phones[k],
            towns[k],
            addresses[k],
        )
        if r[0] < 0.11:
            name = swapped(name, int(draw.integers(len(name))), sound if r[0] < 0.08 else glyph, draw)
        elif r[0] < 0.12 and len(name) > 2:
            name = name[0] + name[2:]
        if r[1] < 0.025:
            place = int(draw.integers(4, 8)) if r[1] < 0.015 else 3
            birth = f"{birth[:place]}{draw.integers(10)}{birth[place + 1 :]}"
        if r[2] < 0.55:
            masked = f"{number[:4]}{number[-4:]}" if r[3] < 0.35 else None
            number = None
        if r[4] > 0.5:
            phone = f"1{draw.choice([38, 39, 50])}{draw.integers(10**8):08d}" if r[4] < 0.7 else None
        if r[5] < 0.15:
            other = villages[int(draw.integers(len(villages)))]
            town, address = other["streetCode"], f"{_village(other)}{draw.integers(1, 300)}号"
        elif r[5] < 0.45:
            address = address[: -int(draw.integers(1, 4))] if r[5] < 0.35 else None
        sex = "FM"[sexes[k] if r[6] > 0.005 else 1 - sexes[k]] if r[7] > 0.05 else None
        rows.append(
            (k, name, number, masked, birth if not 0.025 <= r[1] < 0.04 else None, sex, phone, town, address)
        )
    columns = ("who", "name", "number", "masked", "birth", "sex", "phone", "town", "address")
    text = {c: pl.String for c in columns[1:]}
    return pl.DataFrame(rows, schema={"who": pl.Int64, **text}, orient="row").sample(
        fraction=1, shuffle=True, seed=seed
    )


def _village(row: dict[str, str]) -> str:
    return row["name"].replace("居民委员会", "").replace("村民委员会", "村")
