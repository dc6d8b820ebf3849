"""A problem said the same way everywhere: where, what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """``place`` names file, key, row or page; ``cure`` tells what to do about it.

    ``what_en`` and ``cure_en`` are there where the problem may reach an English screen.
    """

    place: str
    what: str
    cure: str
    what_en: str = ""
    cure_en: str = ""

    def __str__(self) -> str:
        return f"{self.place}：{self.what}。{self.cure}".replace("。。", "。")

    @property
    def english(self) -> str:
        """The problem in English; falls back to the Chinese words where no English is held."""
        return f"{self.place}: {self.what_en or self.what}. {self.cure_en or self.cure}".replace("..", ".")
