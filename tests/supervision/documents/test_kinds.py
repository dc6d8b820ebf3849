"""Each kind of document filled: nothing left open but marked blanks, the same words in .docx and PDF, laws that exist."""

from __future__ import annotations

import gzip
import json
import random
import re
import secrets
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pypdfium2
import pytest
import yaml
from docx import Document as Docx

from supervision.documents import daily, filling, forms, layout
from supervision.documents.fonts import NoFont, font_for
from supervision.documents.paper import Paper, read
from supervision.documents.pdf import draw, measured, pdf_of
from supervision.documents.spec import BLANK, FOLDER, KindError, kinds, load_kinds
from supervision.tracks.spec import tracks

MADE = datetime(2026, 11, 20, 10, 0)
#: in rules and name lists, not in the usual fonts
RARE = "䶮㛃𬭩"
#: what people write: formulas, markup, breaks, things that look like placeholders
_HOSTILE = [
    "=1+1",
    "<b>&amp;</b>",
    "{{院名}}",
    "a\x0bb",
    "“引号”——（括号）",
    RARE,
    "2026-10-01",
    "（2026）云2301民初123号",
]


def _plain(text: str) -> str:
    return re.sub(r"[\s\x02\ufffe\u3000]+", "", text)


def pdf_text(content: bytes, header: str) -> str:
    """The words of a PDF without spaces, the header of every page checked and taken off."""
    found = ""
    for number, page in enumerate(pypdfium2.PdfDocument(content), 1):
        text = _plain(page.get_textpage().get_text_bounded())
        assert text.startswith(_plain(header)), f"page {number} without its header"
        found += text.removeprefix(_plain(header)).replace(f"—{number}—", "", 1)
    return found


def _facts(kind, draw: random.Random) -> dict[str, str | list[str]]:  # type: ignore[no-untyped-def]
    """Some facts given and some missing; lists of one to six entries."""
    facts: dict[str, str | list[str]] = {}
    for name in kind.placeholders:
        if draw.random() < 0.25:
            continue
        entry = [f"{name}{n} {draw.choice(_HOSTILE)}" for n in range(draw.randint(1, 6))]
        facts[name] = entry if draw.random() < 0.5 else entry[0]
    return facts


def test_there_are_ten_kinds_and_more_and_templates_say_what_the_wording_says() -> None:
    assert len([k for k in kinds().values() if k.number == "official"]) >= 10
    for path in [*FOLDER.glob("*.yaml"), daily.TEMPLATE.with_suffix(".yaml")]:
        kind = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert path.with_suffix(".docx").read_bytes() == forms.template(kind["zh"], kind["body"]), (
            f"{path.name}: run python -m supervision.documents.forms"
        )


@pytest.mark.parametrize("code", sorted(kinds()))
def test_each_kind_filled_has_no_placeholder_left(code: str) -> None:
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    kind = kinds()[code]
    facts = _facts(kind, random.Random(seed))
    content = filling.fill(kind.template.read_bytes(), facts, header=layout.CHECK_ONLY)
    lines = filling.texts(content)
    whole = "\n".join(lines)
    # A fact may hold braces; the template's own are gone.
    unfilled = [n for n in re.findall(r"\{\{\s*([^{}\s]+)\s*\}\}", whole) if n != "院名"]
    assert unfilled == [] and "页眉" not in whole
    for name in kind.placeholders:
        value = facts.get(name, filling.blank(name))
        parts = value if isinstance(value, list) else [value]
        for line in [line for part in parts for line in part.splitlines()]:
            assert _plain(line) in _plain(whole), name
    assert filling.blanks_of(content) == [n for n in kind.placeholders if n not in facts]


def test_the_pdf_of_each_kind_says_what_its_docx_says() -> None:
    """All letters drawn as one, and all forms: cutting fonts is what costs."""
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    draw_facts = random.Random(seed)
    papers: dict[bool, list[tuple[str, Paper, list[str]]]] = {True: [], False: []}
    for kind in kinds().values():
        content = filling.fill(kind.template.read_bytes(), _facts(kind, draw_facts), header=layout.CHECK_ONLY)
        paper = read(content)
        papers[paper.numbered].append((kind.code, paper, filling.texts(content)))
    assert sum(len(found) for found in papers.values()) == len(kinds())
    for found in papers.values():
        whole = replace(found[0][1], blocks=tuple(b for _c, paper, _t in found for b in paper.blocks))
        text = pdf_text(draw(whole, title="x", made=MADE), layout.CHECK_ONLY)
        for code, _paper, lines in found:
            for line in lines:
                if line.strip() not in ("", layout.CHECK_ONLY) and not line.startswith("— "):
                    assert _plain(line) in text, (code, line)


def test_the_form_of_an_official_document() -> None:
    document = Docx(BytesIO(kinds()["public_interest_proposal"].template.read_bytes()))
    section = document.sections[0]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
    assert [round(x.mm) for x in (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)] == [37, 35, 28, 26]  # fmt: skip
    body = next(p for p in document.paragraphs if "履行公益诉讼" in p.text)
    assert body.runs[0].font.size.pt == 16 and body.paragraph_format.line_spacing.pt * 22 <= 225 / 25.4 * 72
    fonts = body.runs[0]._r.rPr.rFonts
    assert (
        fonts.get("{http://schemas.openxmlformats.org/wordprocessingml/2006/main}eastAsia") == "仿宋_GB2312"
    )
    with ZipFile(BytesIO(kinds()["order"].template.read_bytes())) as packed:
        assert not any("font" in n and n.endswith((".ttf", ".odttf")) for n in packed.namelist()), (
            "no font is embedded"
        )


def test_blanks_are_marked_and_a_placeholder_cut_by_a_word_processor_is_filled() -> None:
    document = Docx()
    paragraph = document.add_paragraph()
    for piece in ("致{{受文", "单位}}，", "经查{{查明", "事实}}"):
        paragraph.add_run(piece)
    out = BytesIO()
    document.save(out)
    content = filling.fill(out.getvalue(), {"受文单位": "示例局"}, header="")
    assert filling.texts(content)[0] == "致示例局，经查【待填：查明事实】"
    line = read(content).blocks[0]
    assert [p.text for p in line.pieces if p.marked] == ["【待填：查明事实】"]
    changed = filling.change(content, lambda text: text.replace("【待填：查明事实】", "属实"))
    assert filling.blanks_of(changed) == [] and not any(p.marked for p in read(changed).blocks[0].pieces)


def test_a_character_that_no_font_draws_is_named_and_nothing_is_made() -> None:
    kind = kinds()["order"]
    content = filling.fill(kind.template.read_bytes(), {"事项": "含\ue000字"}, header="")
    with pytest.raises(NoFont, match=r"U\+E000"):
        pdf_of(content, title="x", made=MADE)
    for character in RARE:
        assert character in font_for(character, layout.TEXT)


def test_rare_characters_are_drawn_not_boxed() -> None:
    """Each rare character leaves other ink than the box of a missing glyph, and than its neighbours."""
    document = Docx()
    document.add_paragraph(RARE)
    out = BytesIO()
    document.save(out)
    page = pypdfium2.PdfDocument(pdf_of(out.getvalue(), title="x", made=MADE))[0]
    text, picture = page.get_textpage(), page.render(scale=3).to_pil().convert("L")
    boxes = {text.get_charbox(n) for n in range(text.count_chars())}
    inks = []
    for left, bottom, right, top in sorted(box for box in boxes if box[2] - box[0] > 8):
        height = page.get_height()
        cut = picture.crop(
            (int(left * 3), int((height - top) * 3), int(right * 3), int((height - bottom) * 3))
        )
        inks.append(cut.resize((24, 24)).tobytes())
    assert len(inks) == len(RARE) and len(set(inks)) == len(RARE)
    for ink in inks:
        assert sum(255 - b for b in ink) / 255 / len(ink) > 0.15, "strokes, not the outline of a box"


def test_a_kind_that_is_not_whole_says_what_to_do(tmp_path: Path) -> None:
    good = yaml.safe_load((FOLDER / "transfer.yaml").read_text(encoding="utf-8"))
    (tmp_path / "transfer.yaml").write_text(
        yaml.safe_dump(good | {"body": good["body"] + "{{编造的事实}}"}, allow_unicode=True), encoding="utf-8"
    )
    (tmp_path / "loose.yaml").write_text(
        yaml.safe_dump(good | {"code": "loose"}, allow_unicode=True), encoding="utf-8"
    )
    with pytest.raises(KindError) as raised:
        load_kinds(tmp_path)
    said = str(raised.value)
    for words in ("编造的事实", "没有轨道的步骤用到它", "旁边没有同名的 .docx"):
        assert words in said


def test_every_law_cited_is_held_and_in_force_or_marked(shared: Path) -> None:
    """Bases and wording cite articles that exist; what we do not hold says so (待核)."""
    articles = set()
    with gzip.open(shared / "data/laws/articles.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            articles.add((row["law_name"], row["article_no"]))
    others = {p.stem.split("(")[0]: p for p in (shared / "data/laws/md").rglob("*.md")}
    for kind in kinds().values():
        for basis in kind.basis:
            if "待核" in basis.note:
                continue
            if (basis.law, basis.article) in articles:
                continue
            path = others.get(basis.law) or next((p for name, p in others.items() if basis.law in name), None)
            assert path is not None and basis.article in path.read_text(encoding="utf-8"), (kind.code, basis)
        for law, article in re.findall(
            r"《(中华人民共和国[^》]+)》(第[一二三四五六七八九十百千零]+条)", kind.body
        ):
            assert (law, article) in articles, (kind.code, law, article)


def test_documents_that_tracks_name_and_we_draft_are_the_same_words() -> None:
    named = {s.document for t in tracks().values() for s in t.steps}
    assert {k.code for k in kinds().values() if k.on_track} <= named
    assert BLANK.fullmatch(filling.blank("x"))


def test_measuring_is_what_drawing_does() -> None:
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    kind = kinds()["sheet"]
    content = filling.fill(
        kind.template.read_bytes(),
        {"证据清单": ["示例证据" * draw.randint(1, 20) for _ in range(draw.randint(1, 40))]},
        header="",
    )
    pages, left = measured(content)
    assert pages == len(pypdfium2.PdfDocument(pdf_of(content, title="x", made=MADE))) and left >= -1
