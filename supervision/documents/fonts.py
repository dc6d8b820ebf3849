"""Which installed font draws which character. System fonts only, each character from a font that holds it.

A box in place of a character, or another character, is the worst that can happen to a legal document: where no font
holds a character, nothing is made.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from fontTools.ttLib import TTCollection, TTFont

# It tells of every table it cuts.
logging.getLogger("fontTools").setLevel(logging.WARNING)
_DATA = Path(__file__).with_name("fonts.yaml")


class NoFont(Exception):
    """No PDF can be made: there is no font, or none holds a character. Words in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh)
        self.zh, self.en = zh, en


@dataclass(frozen=True)
class Font:
    path: str
    #: place within a collection
    number: int

    @property
    def name(self) -> str:
        """A name for the PDF library: letters and digits."""
        return f"{Path(self.path).stem}{self.number}".replace("-", "").replace("_", "").lower()

    def __contains__(self, character: str) -> bool:
        return ord(character) in _advances(self)

    def width(self, character: str, size: float) -> float:
        """How far ``character`` at ``size`` moves the pen, in the unit of ``size``."""
        return _advances(self)[ord(character)] * size


@lru_cache(maxsize=16)
def _advances(font: Font) -> dict[int, float]:
    """Width by code point, in parts of the size."""
    with TTFont(font.path, fontNumber=font.number, lazy=True) as opened:
        unit, metrics = opened["head"].unitsPerEm, opened["hmtx"].metrics
        return {code: metrics[name][0] / unit for code, name in opened.getBestCmap().items()}


def fonts_of(face: str) -> tuple[Font, ...]:
    """The fonts for a face, the best first. Raises ``NoFont`` where none is installed."""
    found = _fonts_of(face)
    if not found:
        raise NoFont(
            "本机没有中文字体，不能生成 PDF。请系统管理员安装 fonts-noto-cjk，或把字体放进 /usr/local/share/fonts",
            "no Chinese font is installed, so no PDF can be made: install fonts-noto-cjk or put fonts into /usr/local/share/fonts",
        )
    return found


def font_for(character: str, face: str) -> Font:
    """The font that draws ``character``. Raises ``NoFont`` naming it where none does."""
    for font in fonts_of(face):
        if character in font:
            return font
    raise NoFont(
        f"已安装的字体都没有“{character}”（U+{ord(character):04X}），不能生成 PDF。请下载 DOCX，或安装有这个字的字体",
        f"no installed font has “{character}” (U+{ord(character):04X}): take the .docx, or install a font that has it",
    )


@lru_cache(maxsize=16)
def _fonts_of(face: str) -> tuple[Font, ...]:
    document = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    installed = _installed(tuple(document["folders"]))
    wanted = [*document["faces"].get(face, ()), *document["others"]]
    found = [font for entry in wanted if (font := _font(entry, installed))]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4)
def _installed(folders: tuple[str, ...]) -> dict[str, str]:
    """File name in small letters → path."""
    return {name.lower(): path for folder in folders for name, path in _files(folder)}


def _files(folder: str) -> Iterator[tuple[str, str]]:
    for place, _folders, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.lower().endswith((".ttf", ".otf", ".ttc")):
                yield name, os.path.join(place, name)


def _font(entry: str, installed: dict[str, str]) -> Font | None:
    name, _, family = entry.partition("#")
    path = installed.get(name.lower())
    if path is None:
        return None
    if not family:
        return Font(path, 0)
    with TTCollection(path, lazy=True) as collection:
        for number, font in enumerate(collection.fonts):
            if font["name"].getDebugName(1) == family:
                return Font(path, number)
    return None
