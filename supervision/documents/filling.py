"""Fills a .docx template with facts and marks what is missing. Pure: bytes in, bytes out.

A fact that is a list stands as so many paragraphs where its placeholder is a paragraph of its own, and joined by
；elsewhere. What is missing becomes 【待填：…】, highlighted; nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from io import BytesIO
from typing import Any

from docx import Document
from docx.enum.text import WD_COLOR_INDEX
from docx.text.paragraph import Paragraph

from supervision.documents.spec import BLANK, PLACEHOLDER

Facts = Mapping[str, str | Sequence[str]]

#: what XML cannot hold
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MARKED = re.compile(r"(【待填：[^】]+】)")


#: the placeholder of the header of every page
HEADER = "页眉"


def blank(name: str) -> str:
    return f"【待填：{name}】"


def fill(template: bytes, facts: Facts, *, header: str) -> bytes:
    """``facts``: by name; an empty one leaves its blank. ``header`` stands at the head of every page."""
    document = Document(BytesIO(template))
    known = {**facts, HEADER: header}
    for paragraph in list(_paragraphs(document)):
        _fill(paragraph, known)
    return _saved(document)


def change(content: bytes, turn: Callable[[str], str]) -> bytes:
    """The document with every paragraph's text turned; runs whose text stays are left as they are."""
    document = Document(BytesIO(content))
    for paragraph in _paragraphs(document):
        for run in paragraph.runs:
            turned = turn(run.text)
            if turned != run.text:
                run.text = turned
                run.font.highlight_color = None
    return _saved(document)


def blanks_of(content: bytes) -> list[str]:
    """The names of what is still to be filled in, in their order, each once."""
    found = BLANK.findall("\n".join(texts(content)))
    return list(dict.fromkeys(found))


def texts(content: bytes) -> list[str]:
    """The text of every paragraph, those of headers and footers last."""
    return [p.text for p in _paragraphs(Document(BytesIO(content)))]


def _fill(paragraph: Paragraph, facts: Facts) -> None:
    text = paragraph.text
    names = PLACEHOLDER.findall(text)
    if not names:
        return
    own = PLACEHOLDER.fullmatch(text.strip())
    if own:
        value = facts.get(own[1], "")
        # Without a header its place stays empty.
        lines = _lines(value) or ([""] if own[1] == HEADER else [blank(own[1])])
        for line in lines[:-1]:
            copy = deepcopy(paragraph._p)
            paragraph._p.addprevious(copy)
            _put(Paragraph(copy, paragraph._parent), line)
        _put(paragraph, lines[-1])
        return

    def said(match: re.Match[str]) -> str:
        return "；".join(_lines(facts.get(match[1], ""))) or blank(match[1])

    runs = list(paragraph.runs)
    # Once and no more: braces within a fact are the fact's own.
    if [name for run in runs for name in PLACEHOLDER.findall(run.text)] != names:
        # A word processor has cut the placeholder into pieces: the paragraph takes the look of its first run.
        _put(paragraph, PLACEHOLDER.sub(said, text))
        return
    for run in runs:
        if PLACEHOLDER.search(run.text):
            run.text = PLACEHOLDER.sub(said, run.text)
            _highlighted(run)


def _lines(value: str | Sequence[str]) -> list[str]:
    parts = value.splitlines() if isinstance(value, str) else [line for v in value for line in v.splitlines()]
    return [line for part in parts if (line := _CONTROL.sub("", part).strip())]


def _put(paragraph: Paragraph, text: str) -> None:
    runs = paragraph.runs
    for run in runs[1:]:
        run._r.getparent().remove(run._r)
    first = runs[0] if runs else paragraph.add_run()
    first.text = text
    _highlighted(first)


def _highlighted(run: Any) -> None:
    """Cuts the run so that each 【待填：…】 stands highlighted in a run of its own."""
    pieces = [piece for piece in _MARKED.split(run.text) if piece]
    if not any(_MARKED.fullmatch(piece) for piece in pieces):
        return
    for piece in pieces[:-1]:
        copy = deepcopy(run._r)
        run._r.addprevious(copy)
        _marked(type(run)(copy, run._parent), piece)
    _marked(run, pieces[-1])


def _marked(run: Any, text: str) -> None:
    run.text = text
    if _MARKED.fullmatch(text):
        run.font.highlight_color = WD_COLOR_INDEX.YELLOW


def _paragraphs(document: Any) -> Iterator[Paragraph]:
    yield from _within(document)
    for section in document.sections:
        yield from _within(section.header)
        yield from _within(section.footer)


def _within(part: Any) -> Iterator[Paragraph]:
    for item in part.iter_inner_content():
        if isinstance(item, Paragraph):
            yield item
            continue
        seen: set[Any] = set()
        for row in item.rows:
            for cell in row.cells:
                # A merged cell comes once for each column it covers.
                if cell._tc not in seen:
                    seen.add(cell._tc)
                    yield from _within(cell)


def _saved(document: Any) -> bytes:
    out = BytesIO()
    document.save(out)
    return out.getvalue()
