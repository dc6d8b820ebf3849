"""Draws a document as PDF: the same paper as the .docx, with system fonts, in pure Python (no office suite, no browser).

Lines break as Chinese text does: anywhere but before closing and after opening punctuation; words and numbers stay whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from fpdf import FPDF

from supervision.documents.fonts import Font, font_for
from supervision.documents.paper import Cell, Grid, Line, Paper, Piece, read

_MM = 72 / 25.4
#: never at the head of a line; never at its end
_CLOSING = frozenset("，。、；：？！）】〕》」』”’％%…—,.;:?!)]}·・")
_OPENING = frozenset("（【〔《「『“‘([{")
#: how far the baseline lies below the middle of a line, in parts of the size
_DROP = 0.38
_PAD = 4.0
#: how far a line's characters are moved apart at most, in parts of their size
_STRETCH = 0.12
_MARK = (255, 240, 170)


@dataclass(frozen=True)
class _Glyph:
    character: str
    font: Font
    size: float
    width: float
    marked: bool


def pdf_of(content: bytes, *, title: str, made: datetime) -> bytes:
    """The .docx as PDF. Raises ``NoFont`` where a character cannot be drawn."""
    return draw(read(content), title=title, made=made)


def draw(paper: Paper, *, title: str, made: datetime) -> bytes:
    return _Drawing(paper, title, made).done()


def measured(content: bytes) -> tuple[int, float]:
    """(pages, points of height left on the last) of the .docx; nothing is drawn. Raises ``NoFont`` like ``pdf_of``."""
    drawing = _Drawing(read(content), "", None)
    drawing.blocks()
    return drawing.pages, drawing.bottom - drawing.y


class _Drawing:
    def __init__(self, paper: Paper, title: str, made: datetime | None) -> None:
        """``made`` None: the paper is measured alone."""
        self.paper = paper
        page = paper.page
        self.pdf: FPDF | None = None
        if made is not None:
            self.pdf = FPDF(unit="pt", format=(page.width * _MM, page.height * _MM))
            self.pdf.set_auto_page_break(False)
            self.pdf.set_margin(0)
            self.pdf.set_title(title)
            self.pdf.set_lang("zh-CN")
            self.pdf.set_creation_date(made)
        self.left, self.right = page.left * _MM, (page.width - page.right) * _MM
        self.top, self.bottom = page.top * _MM, (page.height - page.bottom) * _MM
        self.y, self.pages = self.top, 0
        self._turn()

    def done(self) -> bytes:
        assert self.pdf is not None  # noqa: S101  drawn, not measured
        self.blocks()
        return bytes(self.pdf.output())

    def blocks(self) -> None:
        kept: list[Line] = []
        for block in self.paper.blocks:
            if isinstance(block, Grid):
                self._together_on_a_page(kept)
                kept = []
                self._grid(block)
                continue
            kept.append(block)
            if not block.keep:
                self._together_on_a_page(kept)
                kept = []
        self._together_on_a_page(kept)

    def _together_on_a_page(self, lines: list[Line]) -> None:
        """Paragraphs that must not be parted, where a page holds them."""
        if len(lines) > 1:
            high = sum(len(self._rows(line)) * line.leading + line.before for line in lines)
            if self.y + high > self.bottom + 1 and high <= self.bottom - self.top:
                self._turn()
        for line in lines:
            self._paragraph(line)

    def _rows(self, line: Line) -> list[list[_Glyph]]:
        return self._broken(line, self.right - self.left - line.right) or [[]]

    # ---- pages ----

    def _turn(self) -> None:
        self.y, self.pages = self.top, self.pages + 1
        if self.pdf is None:
            return
        self.pdf.add_page()
        page = self.paper.page
        if self.paper.header:
            line = self.paper.header
            at = min(15, page.top / 2) * _MM
            for row in self._broken(line, self.right - self.left):
                self._row(row, replace(line, align="center"), self.left, self.right, at, last=True)
        if self.paper.numbered:
            number = Line((Piece(f"— {self.pages} —", "宋体", 14),), "center", 18)
            at = (page.height - min(28, page.bottom / 2)) * _MM - 18
            for row in self._broken(number, self.right - self.left):
                self._row(row, number, self.left, self.right, at, last=True)

    # ---- paragraphs ----

    def _paragraph(self, line: Line) -> None:
        self.y += line.before
        rows = self._rows(line)
        for n, row in enumerate(rows):
            if self.y + line.leading > self.bottom + 1:
                self._turn()
            start = self.left + (line.indent if n == 0 else 0)
            self._row(row, line, start, self.right - line.right, self.y, last=n == len(rows) - 1)
            self.y += line.leading

    def _glyphs(self, line: Line) -> Iterator[_Glyph]:
        for piece in line.pieces:
            for character in piece.text.replace("\t", "　").replace("\n", " "):
                font = font_for(character, piece.face)
                yield _Glyph(character, font, piece.size, font.width(character, piece.size), piece.marked)

    def _set(self, pdf: FPDF, font: Font, size: float) -> None:
        if font.name not in pdf.fonts:
            pdf.add_font(font.name, "", font.path, collection_font_number=font.number)
        pdf.set_font(font.name, size=size)

    def _broken(self, line: Line, width: float) -> list[list[_Glyph]]:
        """The paragraph as rows no wider than ``width`` (the first less its indent)."""
        rows: list[list[_Glyph]] = []
        row: list[_Glyph] = []
        used = line.indent
        for word in _words(self._glyphs(line)):
            long = sum(g.width for g in word)
            if row and used + long > width + 0.01:
                rows.append(row)
                row, used = [], 0.0
            if long > width:
                # A word longer than a line is cut.
                for glyph in word:
                    if row and used + glyph.width > width:
                        rows.append(row)
                        row, used = [], 0.0
                    row.append(glyph)
                    used += glyph.width
                continue
            if not row and rows and all(g.character == " " for g in word):
                continue
            row += word
            used += long
        return [*rows, row] if row else rows

    def _row(self, row: list[_Glyph], line: Line, left: float, right: float, y: float, *, last: bool) -> None:
        pdf = self.pdf
        if pdf is None:
            return
        while row and row[-1].character == " ":
            row = row[:-1]
        spare = right - left - sum(g.width for g in row)
        gap = 0.0
        if line.align == "center":
            left += spare / 2
        elif line.align == "right":
            left += spare
        elif line.align == "justify" and not last and len(row) > 1:
            gap = spare / (len(row) - 1)
            if gap > _STRETCH * row[0].size:
                # A long number went to the next line: better a ragged edge than gaps.
                gap = 0.0
        base, x = y + line.leading / 2, left
        for stretch in _stretches(row):
            first = stretch[0]
            wide = sum(g.width + gap for g in stretch)
            if first.marked:
                pdf.set_fill_color(*_MARK)
                pdf.rect(x, base - first.size * 0.58, wide, first.size * 1.16, style="F")
            self._set(pdf, first.font, first.size)
            pdf.set_char_spacing(gap)
            pdf.text(x, base + first.size * _DROP, "".join(g.character for g in stretch))
            pdf.set_char_spacing(0)
            x += wide

    # ---- tables ----

    def _grid(self, grid: Grid) -> None:
        heads = grid.rows[: grid.heads]
        for n, row in enumerate(grid.rows):
            if n >= grid.heads and heads and self.y + self._height(row) > self.bottom:
                self._turn()
                for head in heads:
                    self._cells(head)
            self._cells(row)

    def _height(self, row: tuple[Cell, ...]) -> float:
        return max(sum(leading for _r, leading, _l, _last in self._cell(c)) for c in row) + 2 * _PAD

    def _cell(self, cell: Cell) -> list[tuple[list[_Glyph], float, Line, bool]]:
        """The rows of a cell with what each takes of the height."""
        found = []
        for line in cell.lines:
            rows = self._broken(line, cell.width * _MM - 2 * _PAD) or [[]]
            found += [(r, line.leading, line, n == len(rows) - 1) for n, r in enumerate(rows)]
        return found

    def _cells(self, row: tuple[Cell, ...]) -> None:
        """One row of a table; what does not fit goes on overleaf."""
        left = [self._cell(cell) for cell in row]
        if self.y + self._height(row) > self.bottom and self._height(row) <= self.bottom - self.top:
            self._turn()
        while True:
            room = self.bottom - self.y - 2 * _PAD
            parts = [_fitting(lines, room) for lines in left]
            if not any(parts) and any(left):
                self._turn()
                continue
            high = max(sum(leading for _r, leading, _l, _last in part) for part in parts) + 2 * _PAD
            x = self.left
            for cell, part in zip(row, parts, strict=True):
                wide = cell.width * _MM
                if self.pdf is not None:
                    self.pdf.set_line_width(0.5)
                    self.pdf.rect(x, self.y, wide, high)
                centred = all(line.align == "center" for _r, _h, line, _last in part)
                y = self.y + _PAD
                if centred:
                    y = self.y + (high - sum(leading for _r, leading, _l, _last in part)) / 2
                for glyphs, leading, line, last in part:
                    self._row(glyphs, line, x + _PAD, x + wide - _PAD, y, last=last)
                    y += leading
                x += wide
            self.y += high
            left = [lines[len(part) :] for lines, part in zip(left, parts, strict=True)]
            if not any(left):
                return
            self._turn()


def _fitting(
    lines: list[tuple[list[_Glyph], float, Line, bool]], room: float
) -> list[tuple[list[_Glyph], float, Line, bool]]:
    taken, used = [], 0.0
    for line in lines:
        used += line[1]
        if used > room + 0.01:
            break
        taken.append(line)
    return taken


def _words(glyphs: Iterable[_Glyph]) -> Iterator[list[_Glyph]]:
    """What must stay together: a word or number, and a character with the punctuation that clings to it."""
    word: list[_Glyph] = []
    for glyph in glyphs:
        if word and not _together(word[-1].character, glyph.character):
            yield word
            word = []
        word.append(glyph)
    if word:
        yield word


def _together(before: str, after: str) -> bool:
    if before == " " or after == " ":
        return False
    if after in _CLOSING or before in _OPENING:
        return True
    return _latin(before) and _latin(after)


def _latin(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "-_/.:+#@%")


def _stretches(row: list[_Glyph]) -> Iterator[list[_Glyph]]:
    """Neighbours drawn with one font, size and mark."""
    stretch: list[_Glyph] = []
    for glyph in row:
        if stretch and (stretch[-1].font, stretch[-1].size, stretch[-1].marked) != (
            glyph.font,
            glyph.size,
            glyph.marked,
        ):
            yield stretch
            stretch = []
        stretch.append(glyph)
    if stretch:
        yield stretch
