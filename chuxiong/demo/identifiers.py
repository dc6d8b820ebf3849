"""Synthetic identifiers with valid check digits."""

from __future__ import annotations

from datetime import date

import numpy as np

from chuxiong.kit.citizen_id import check_digit
from chuxiong.kit.credit_code import check_character, is_legacy

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECKS = np.array(list("10X98765432"))
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def citizen_ids(
    draw: np.random.Generator, divisions: np.ndarray, births: np.ndarray, male: np.ndarray
) -> np.ndarray:
    """Distinct 18-character numbers. ``divisions``: int; ``births``: datetime64[D]; odd sequence for men."""
    years = births.astype("datetime64[Y]").astype(int) + 1970
    months = births.astype("datetime64[M]").astype(int) % 12 + 1
    days = (births - births.astype("datetime64[M]")).astype(int) + 1
    place = divisions.astype(np.int64) * 10**11 + (years * 10_000 + months * 100 + days) * 1000

    def sequences(size: int, of_men: np.ndarray) -> np.ndarray:
        return draw.integers(0, 500, size) * 2 + of_men

    body = place + sequences(len(place), male)
    while True:
        _, first = np.unique(body, return_index=True)
        if len(first) == len(body):
            break
        twice = np.ones(len(body), dtype=bool)
        twice[first] = False
        body[twice] = place[twice] + sequences(int(twice.sum()), male[twice])
    total = sum((body // 10 ** (16 - i)) % 10 * _WEIGHTS[i] for i in range(17))
    return np.strings.add(body.astype("U17"), _CHECKS[total % 11])


def other_number(draw: np.random.Generator, citizen_id: str, taken: set[str]) -> str:
    """Another person's number with the same place, birth date and sex; added to ``taken``."""
    while True:
        sequence = int(draw.integers(0, 500)) * 2 + int(citizen_id[16]) % 2
        body = f"{citizen_id[:14]}{sequence:03d}"
        made = body + check_digit(body)
        if made not in taken:
            taken.add(made)
            return made


def old_number(citizen_id: str) -> str:
    """The 15-digit form of a number of someone born in the 1900s."""
    if citizen_id[6:8] != "19":
        raise ValueError("只有 1900 年代出生的人有 15 位旧号码")
    return citizen_id[:6] + citizen_id[8:17]


def broken(citizen_id: str) -> str:
    """The number with a wrong check digit."""
    return citizen_id[:17] + ("1" if citizen_id[17] != "1" else "2")


def credit_code(draw: np.random.Generator, division: str, *, trader: bool = False) -> str:
    """A unified social credit code whose organisation code checks too."""
    digits = [int(d) for d in draw.integers(0, 10, 8)]
    rest = 11 - sum(d * w for d, w in zip(digits, _ORG_WEIGHTS, strict=True)) % 11
    own = "".join(map(str, digits)) + {10: "X", 11: "0"}.get(rest, str(rest))
    body = f"{'92' if trader else '91'}{division}{own}"
    return body + check_character(body)


def registration_number(draw: np.random.Generator, division: str) -> str:
    """A 15-digit registration number of the years before the credit codes, with its check digit (GS 15)."""
    body = f"{division}6{int(draw.integers(0, 10_000_000)):07d}"
    return next(body + digit for digit in "0123456789" if is_legacy(body + digit))


def permit(credit: str, serial: int) -> str:
    """A discharge permit's number: the holder's credit code, a serial and the mark (HJ 608)."""
    return f"{credit}{serial:03d}P"


def phone(number: int) -> str:
    """A number in 154, a segment given to no operator: nobody's telephone."""
    return f"154{number % 10**8:08d}"


def account(number: int) -> str:
    """A 19-digit account under an issuer number that no bank holds."""
    return f"629999{number % 10**13:013d}"


def month_text(day: date) -> str:
    return f"{day:%Y%m}"
