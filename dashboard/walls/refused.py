"""An act on walls that was not carried out, and why, in both languages."""

from __future__ import annotations


class WallRefused(Exception):
    """``status`` is the answer's; ``zh`` and ``en`` say why and what to do."""

    def __init__(self, status: int, zh: str, en: str) -> None:
        super().__init__(zh)
        self.status, self.zh, self.en = status, zh, en
