"""A document on paper as a page shows it: sizes and places as classes, for no style stands in the page itself."""

from __future__ import annotations

from typing import Any

from django import template

from dashboard.desk.page import english, pick
from supervision.documents.layout import HEADING, KAI, TITLE
from supervision.documents.paper import Cell, Grid, Line, Piece

register = template.Library()

_FACES = {TITLE: "title", HEADING: "heading", KAI: "kai"}
#: columns that a table's width is cut into
_PARTS = 50


@register.filter
def is_grid(block: Any) -> bool:
    return isinstance(block, Grid)


@register.filter
def line_look(line: Line) -> str:
    """Classes of a paragraph: ``l`` its leading and ``b`` the room above in tenths of a point, ``i`` its indent in characters."""
    size = line.pieces[0].size if line.pieces else 16
    found = [f"a-{line.align}", f"l{round(line.leading * 10)}"]
    if line.indent:
        found.append(f"i{round(line.indent / size)}")
    if line.right:
        found.append(f"r{round(line.right / size)}")
    if line.before:
        found.append(f"b{round(line.before * 10)}")
    return " ".join(found)


@register.filter
def piece_look(piece: Piece) -> str:
    found = [f"s{round(piece.size * 10)}", _FACES.get(piece.face, "text")]
    return " ".join([*found, *(["marked"] if piece.marked else [])])


@register.simple_tag
def span(cell: Cell, row: tuple[Cell, ...]) -> int:
    """How many of fifty columns a cell takes; the last takes what is left."""
    whole = sum(c.width for c in row)
    taken = [round(c.width / whole * _PARTS) for c in row]
    at = next(n for n, c in enumerate(row) if c is cell)
    return _PARTS - sum(taken[:-1]) if at == len(row) - 1 else taken[at]


@register.filter
def document_state(state: str) -> str:
    return {
        "draft": pick("草稿", "Draft"),
        "issued": pick("已制发", "Issued"),
        "void": pick("已作废", "Void"),
    }.get(state, state)


@register.filter
def title_of(kind: Any) -> str:
    return str(kind.en if english() else kind.zh)
