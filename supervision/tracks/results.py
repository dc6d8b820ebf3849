"""What came of a settled clue as typed facts (``results.yaml``). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from chuxiong.kit.money import fen_of

_FILE = Path(__file__).with_name("results.yaml")
_LARGEST = 10**12


class Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str
    en: str
    unit: Literal["money", "people", "places", "tonnes", "square_metres", "cases", "documents"]
    source: str
    since: date


class NotAFact(ValueError):
    """Words for the page: which result, what is wrong, what to write."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh)
        self.zh, self.en = zh, en


@dataclass(frozen=True)
class Fact:
    """``amount``: 分 for money, else whole numbers; tonnes and square metres in hundredths."""

    code: str
    amount: int
    proof: str

    def document(self) -> dict[str, Any]:
        return {"code": self.code, "amount": self.amount, "proof": self.proof}


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    known = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {code: Kind.model_validate(words) for code, words in known.items()}


def facts(written: Iterable[tuple[str, str, str]]) -> list[Fact]:
    """(kind, amount as written, proof) → facts; rows left empty are passed over. Raises ``NotAFact``."""
    found: list[Fact] = []
    for code, amount, proof in written:
        if not amount.strip() and not proof.strip():
            continue
        kind = kinds().get(code)
        if kind is None:
            raise NotAFact("请选择成效种类", "choose what kind of result it is")
        if any(f.code == code for f in found):
            raise NotAFact(f"“{kind.zh}”写了两次，请合并", f"“{kind.en}” stands twice: add them up")
        value = _amount(kind, amount)
        if value is None or not 0 < value <= _LARGEST:
            raise NotAFact(
                f"“{kind.zh}”请填写大于零的数（金额以元计，可写 1.2 万元）",
                f"“{kind.en}”: a number above zero (money in yuan)",
            )
        if not proof.strip():
            raise NotAFact(f"“{kind.zh}”请写明依据（收据、回复、照片编号等）", f"“{kind.en}”: name the proof")
        found.append(Fact(code, value, proof.strip()[:200]))
    return found


def _amount(kind: Kind, written: str) -> int | None:
    if kind.unit == "money":
        return fen_of(written)
    try:
        value = float(written.strip().replace(",", "").replace("，", ""))
    except ValueError:
        return None
    if value != value or abs(value) > _LARGEST:
        return None
    if kind.unit in ("tonnes", "square_metres"):
        return round(value * 100)
    return int(value) if value == int(value) else None
