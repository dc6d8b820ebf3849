"""Reads a .docx as what stands on paper: paragraphs, tables, header. Pure. PDF and page are drawn from it alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph

from supervision.documents.layout import TEXT, Align, Page, Style

_ALIGN: dict[Any, Align] = {
    WD_ALIGN_PARAGRAPH.CENTER: "center",
    WD_ALIGN_PARAGRAPH.RIGHT: "right",
    WD_ALIGN_PARAGRAPH.JUSTIFY: "justify",
}
_MM = 36000
_POINT = 12700


@dataclass(frozen=True)
class Piece:
    """A stretch of text in one look. Sizes in points."""

    text: str
    face: str
    size: float
    bold: bool = False
    marked: bool = False


@dataclass(frozen=True)
class Line:
    """One paragraph. ``indent`` (first line), ``right`` (right edge), ``before`` and ``leading`` in points."""

    pieces: tuple[Piece, ...]
    align: Align
    leading: float
    indent: float = 0
    right: float = 0
    before: float = 0
    #: stands on one page with the paragraph that follows
    keep: bool = False

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class Cell:
    lines: tuple[Line, ...]
    #: in millimetres
    width: float


@dataclass(frozen=True)
class Grid:
    rows: tuple[tuple[Cell, ...], ...]
    #: rows at its head that stand again on every page
    heads: int = 0


@dataclass(frozen=True)
class Paper:
    page: Page
    blocks: tuple[Line | Grid, ...]
    header: Line | None
    #: whether pages are numbered
    numbered: bool


def read(content: bytes) -> Paper:
    document = Document(BytesIO(content))
    section: Any = document.sections[0]
    page = Page(
        section.page_width / _MM,
        section.page_height / _MM,
        section.top_margin / _MM,
        section.bottom_margin / _MM,
        section.left_margin / _MM,
        section.right_margin / _MM,
    )
    header = [line for line in _lines(section.header.paragraphs) if line.text.strip()]
    footer = section.footer._element
    return Paper(
        page,
        tuple(_line(i) if isinstance(i, Paragraph) else _grid(i) for i in document.iter_inner_content()),
        header[0] if header else None,
        any("PAGE" in (t.text or "") for t in footer.iter(qn("w:instrText"))),
    )


def _lines(paragraphs: Iterable[Paragraph]) -> tuple[Line, ...]:
    return tuple(_line(p) for p in paragraphs)


def _line(paragraph: Paragraph) -> Line:
    form, usual = paragraph.paragraph_format, Style(TEXT, 16, 28.9)
    pieces = tuple(_piece(run, usual) for run in paragraph.runs if run.text)
    size = pieces[0].size if pieces else usual.size
    spacing: Any = form.line_spacing
    leading = spacing.pt if hasattr(spacing, "pt") else size * 1.3 * float(spacing or 1)
    return Line(
        pieces,
        _ALIGN.get(form.alignment, "left"),
        leading,
        _points(form.first_line_indent),
        _points(form.right_indent),
        _points(form.space_before),
        bool(form.keep_with_next),
    )


def _points(length: Any) -> float:
    return float(length / _POINT) if length else 0.0


def _piece(run: Any, usual: Style) -> Piece:
    properties = run._r.rPr
    fonts = properties.rFonts if properties is not None else None
    face = (fonts.get(qn("w:eastAsia")) if fonts is not None else None) or usual.face
    size = run.font.size.pt if run.font.size else usual.size
    return Piece(run.text, face, size, bool(run.font.bold), run.font.highlight_color is not None)


def _grid(table: Any) -> Grid:
    rows, heads = [], 0
    for row in table.rows:
        cells, seen = [], []
        for cell in row.cells:
            if cell._tc not in seen:
                seen.append(cell._tc)
                cells.append(Cell(_lines(cell.paragraphs), (cell.width or 0) / _MM))
        rows.append(tuple(cells))
        properties = row._tr.trPr
        if properties is not None and properties.find(qn("w:tblHeader")) is not None:
            heads += 1
    return Grid(tuple(rows), heads)
