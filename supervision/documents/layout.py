"""The form of an official document (公文格式): page, faces and sizes, as data for templates, PDF and pages alike. Pure.

A4; margins 37 mm above, 35 below, 28 left, 26 right; 22 lines of 28 characters; titles 二号小标宋, text 三号仿宋,
headings 三号黑体 (GB/T 9704-2012). The faces are named in the .docx and never embedded there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Align = Literal["left", "center", "right", "justify"]

TITLE, TEXT, HEADING, KAI = "方正小标宋简体", "仿宋_GB2312", "黑体", "楷体_GB2312"


@dataclass(frozen=True)
class Page:
    """Sizes in millimetres."""

    width: float = 210
    height: float = 297
    top: float = 37
    bottom: float = 35
    left: float = 28
    right: float = 26


@dataclass(frozen=True)
class Style:
    """``size`` and ``leading`` (from line to line) in points, ``indent`` in characters."""

    face: str
    size: float
    leading: float
    align: Align = "justify"
    indent: int = 0
    bold: bool = False
    #: points of room above
    before: float = 0


LETTER = Page()
FORM = Page(top=22, bottom=16, left=20, right=20)
#: by the mark at the head of a line of a kind's body
LETTER_STYLES: dict[str, Style] = {
    "#": Style(TITLE, 22, 34, "center"),
    "@": Style(TEXT, 16, 28.9, "center", before=6),
    ">": Style(TEXT, 16, 28.9, "left", before=0),
    "##": Style(HEADING, 16, 28.9, "justify", indent=2),
    "": Style(TEXT, 16, 28.9, "justify", indent=2),
    "-": Style(TEXT, 16, 28.9, "right"),
    "~": Style(KAI, 12, 20, "left", before=12),
}
FORM_STYLES: dict[str, Style] = {
    "#": Style(TITLE, 18, 28, "center"),
    "##": Style(HEADING, 12, 20, "left", before=4),
    "": Style(TEXT, 12, 20, "justify", indent=2),
    "~": Style(KAI, 10.5, 18, "left", before=6),
    "name": Style(HEADING, 10.5, 15, "center"),
    "value": Style(TEXT, 10.5, 15, "left"),
}
HEADER = Style(KAI, 10.5, 14, "center")

#: headers: before a clue is confirmed; of a draft; of what has its official number there is none
CHECK_ONLY = "线索材料　仅供核查"
DRAFT = "草稿　编号、审批以全国检察业务应用系统为准"
