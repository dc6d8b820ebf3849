"""Makes the .docx template beside each kind from its wording: ``python -m supervision.documents.forms``.

An office may afterwards change a template in a word processor: faces, spacing, words between the placeholders.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import yaml
from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from supervision.documents.layout import FORM, FORM_STYLES, HEADER, LETTER, LETTER_STYLES, Page, Style

_ALIGN = {
    "left": WD_ALIGN_PARAGRAPH.LEFT,
    "center": WD_ALIGN_PARAGRAPH.CENTER,
    "right": WD_ALIGN_PARAGRAPH.RIGHT,
    "justify": WD_ALIGN_PARAGRAPH.JUSTIFY,
}
#: in the order in which they are looked for
_MARKS = ("## ", "# ", "@ ", "> ", "- ", "~ ", "| ")
#: shares of the width of a form's columns
_COLUMNS = (16, 38, 16, 30)
#: the seal goes over the signature: it stands off the right edge
_SEAL_ROOM = 4
_MADE = datetime(2026, 1, 1)


def template(zh: str, body: str) -> bytes:
    """The .docx of a wording (see ``spec.Kind``): placeholders stand as they are, the header is ``{{页眉}}``."""
    lines = [_mark(line) for line in body.splitlines() if line.strip()]
    form = any(mark == "|" for mark, _text in lines)
    page, styles = (FORM, FORM_STYLES) if form else (LETTER, LETTER_STYLES)
    document = Document()
    core = document.core_properties
    core.title, core.author, core.comments, core.created, core.modified = zh, "", "", _MADE, _MADE
    package = document.part.package
    for name, relation in list(package.rels.items()):
        if relation.reltype.endswith("/thumbnail"):
            # The picture of an empty page that the library's own template brings.
            del package.rels[name]
    section = document.sections[0]
    _page(section, page)
    _write(section.header.paragraphs[0], "{{页眉}}", HEADER)
    if not form:
        _numbered(section.footer.paragraphs[0])
    table: Any = None
    last = ""
    for mark, text in lines:
        if mark == "|":
            if table is None:
                table = _table(document, page)
            _row(table, [part.strip() for part in text.split("|")], page)
            continue
        table = None
        style = styles.get(mark, styles[""])
        if mark == "-" and last != "-":
            # Room for the seal above the signature.
            style = replace(style, before=style.leading)
            if document.paragraphs:
                document.paragraphs[-1].paragraph_format.keep_with_next = True
        paragraph = document.add_paragraph()
        _write(paragraph, text, style)
        # No page bears the signature alone.
        paragraph.paragraph_format.keep_with_next = mark == "-" or None
        last = mark
    if last == "-":
        document.paragraphs[-1].paragraph_format.keep_with_next = None
    out = BytesIO()
    document.save(out)
    return _still(out)


def _still(made: BytesIO) -> bytes:
    """The same bytes for the same wording: the time of packing is not kept."""
    out = BytesIO()
    with ZipFile(made) as before, ZipFile(out, "w", ZIP_DEFLATED) as after:
        for entry in before.infolist():
            after.writestr(ZipInfo(entry.filename, _MADE.timetuple()[:6]), before.read(entry), ZIP_DEFLATED)
    return out.getvalue()


def _mark(line: str) -> tuple[str, str]:
    for mark in _MARKS:
        if line.startswith(mark):
            return mark.strip(), line[len(mark) :].strip()
    return "", line.strip()


def _page(section: Any, page: Page) -> None:
    section.page_width, section.page_height = Mm(page.width), Mm(page.height)
    section.top_margin, section.bottom_margin = Mm(page.top), Mm(page.bottom)
    section.left_margin, section.right_margin = Mm(page.left), Mm(page.right)
    section.header_distance, section.footer_distance = Mm(min(15, page.top / 2)), Mm(min(28, page.bottom / 2))


def _write(paragraph: Any, text: str, style: Style) -> None:
    form = paragraph.paragraph_format
    form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(style.leading)
    form.space_before, form.space_after = Pt(style.before), Pt(0)
    form.alignment = _ALIGN[style.align]
    form.widow_control = False
    if style.indent:
        form.first_line_indent = Pt(style.indent * style.size)
    if style.align == "right":
        form.right_indent = Pt(_SEAL_ROOM * style.size)
    _faced(paragraph.add_run(text), style)


def _faced(run: Any, style: Style) -> None:
    run.font.size, run.font.bold, run.font.name = Pt(style.size), style.bold or None, style.face
    fonts = run._element.get_or_add_rPr().get_or_add_rFonts()
    # Without it a word processor takes its own face for Chinese.
    for kind in ("w:eastAsia", "w:hAnsi", "w:ascii", "w:cs"):
        fonts.set(qn(kind), style.face)


def _numbered(paragraph: Any) -> None:
    """— 1 — below the text."""
    style = Style("宋体", 14, 18, "center")
    _write(paragraph, "— ", style)
    run = paragraph.add_run()
    _faced(run, style)
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        if kind:
            piece = OxmlElement("w:fldChar")
            piece.set(qn("w:fldCharType"), kind)
        else:
            piece = OxmlElement("w:instrText")
            piece.text = text
        run._element.append(piece)
    _faced(paragraph.add_run(" —"), style)


def _table(document: Any, page: Page) -> Any:
    table = document.add_table(rows=0, cols=len(_COLUMNS))
    table.style, table.autofit = "Table Grid", False
    return table


def _row(table: Any, parts: list[str], page: Page) -> None:
    """Names and values in turn; the last value takes what is left of the width."""
    width = page.width - page.left - page.right
    cells = table.add_row().cells
    if len(parts) < len(cells):
        cells = [*cells[: len(parts) - 1], cells[len(parts) - 1].merge(cells[-1])]
    spans = [*_COLUMNS[: len(parts) - 1], sum(_COLUMNS[len(parts) - 1 :])]
    for n, (cell, text, share) in enumerate(zip(cells, parts, spans, strict=True)):
        cell.width = Mm(width * share / 100)
        _write(cell.paragraphs[0], text, FORM_STYLES["value" if n % 2 else "name"])


def main() -> None:
    from supervision.documents.spec import FOLDER

    for path in sorted([*FOLDER.glob("*.yaml"), *(FOLDER.parent / "reports").glob("*.yaml")]):
        kind = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.with_suffix(".docx").write_bytes(template(kind["zh"], kind["body"]))


if __name__ == "__main__":
    main()
