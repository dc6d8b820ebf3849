"""The one sheet prints on one page of A4 in a browser, however full the clue."""

from __future__ import annotations

import random
import secrets
from pathlib import Path

import pypdfium2
from django.template.loader import render_to_string

from supervision.documents.layout import CHECK_ONLY
from supervision.documents.paper import read
from supervision.documents.pdf import measured
from supervision.documents.sheet import fitted
from supervision.documents.spec import kinds
from tests.browser import test_whole_way as whole_way

chromium, pytestmark = whole_way.chromium, whole_way.pytestmark
_CSS = Path(__file__).resolve().parents[2] / "dashboard" / "static" / "css"


def test_the_fullest_clue_prints_on_one_page(chromium, tmp_path: Path) -> None:
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    words = [
        "楚雄市示例镇",
        "2026-10-15 08:00",
        "WT53230120261015000000",
        "●●●●",
        "1,500.00 元",
        "（示例）",
        "abc def",
    ]

    def text(most: int) -> str:
        return "".join(draw.choice(words) for _ in range(draw.randint(1, most)))

    page = chromium.new_page()
    for fullness in (3, 20, 120):
        facts = {
            name: [text(fullness) for _ in range(draw.randint(1, fullness))]
            if name in ("查明事实", "证据清单", "法律依据", "核查要点", "核查结论")
            else text(min(fullness, 12))
            for name in kinds()["sheet"].placeholders
        }
        content = fitted(facts, confirmed=False)
        assert measured(content)[0] == 1
        paper = render_to_string("documents/parts/paper.html", {"paper": read(content)})
        styles = "".join(
            f'<link rel="stylesheet" href="{(_CSS / name).as_uri()}">'
            for name in ("tokens.css", "desk.css", "documents.css")
        )
        (tmp_path / "sheet.html").write_text(
            f'<!doctype html><meta charset="utf-8">{styles}<body class="sheet-page"><main id="main">{paper}</main>',
            encoding="utf-8",
        )
        page.goto((tmp_path / "sheet.html").as_uri())
        printed = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
        assert len(printed) == 1, fullness
        width, height = printed[0].get_size()
        assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (210, 297)
        said = "".join(printed[0].get_textpage().get_text_bounded().split())
        assert "".join(CHECK_ONLY.split()) in said and "审核人" in said, "from the header to the last line"
