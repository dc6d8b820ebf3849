"""The card as a .docx in the national listing's order (模型卡). Pure; counts are handed in by whoever may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from supervision.documents.layout import FORM, FORM_STYLES, Page, Style
from supervision.packs.card import LEVELS, Card
from supervision.rulebook.sentence import Language
from supervision.rulebook.spec import RuleSpec

#: the listing's headings, in its order (``card.ORDER``)
HEADINGS: dict[str, tuple[str, str]] = {
    "background": ("背景", "Background"),
    "basis": ("监督依据", "Legal basis"),
    "points": ("监督点（核查要点）", "Points to check"),
    "elements": ("数据要素", "Data elements"),
    "rule": ("研判规则", "Rule"),
    "innocents": ("已知的正常情形", "Known innocents"),
    "tests": ("校验样例", "Stored tests"),
    "cases": ("案例", "Cases"),
    "effect": ("效果", "Effect"),
}
DOMAINS: dict[str, tuple[str, str]] = {
    "civil": ("民事检察", "Civil"),
    "criminal": ("刑事检察", "Criminal"),
    "administrative": ("行政检察", "Administrative"),
    "public_interest": ("公益诉讼", "Public interest"),
    "minors": ("未成年人检察", "Minors"),
    "management": ("检察管理", "Management"),
}
EXPECTED: dict[str, tuple[str, str]] = {
    "hit": ("命中", "hit"),
    "miss": ("不命中", "no hit"),
    "undecided": ("未定", "undecided"),
}
_NUMERALS = "一二三四五六七八九"
_ALIGN = {
    "left": WD_ALIGN_PARAGRAPH.LEFT,
    "center": WD_ALIGN_PARAGRAPH.CENTER,
    "right": WD_ALIGN_PARAGRAPH.RIGHT,
    "justify": WD_ALIGN_PARAGRAPH.JUSTIFY,
}
_BLANK = Style("仿宋_GB2312", 6, 8, "left")
_MADE = datetime(2026, 1, 1)


@dataclass(frozen=True)
class Counted:
    """What became of past clues, as counts: (words, count) in order; and by month (month, found, checked, confirmed,
    corrected, improved, in progress), the last row their sum. ``within`` says whose clues they are."""

    within: str
    endings: Sequence[tuple[str, int]]
    months: Sequence[tuple[str, int, int, int, int, int, int]]


def document(rule: RuleSpec, card: Card, language: Language, counted: Counted | None = None) -> bytes:
    """The card; without ``counted`` (a pack for others) cases and effect are left to the office that lists it."""
    return _Paper(rule, card, language, counted).made()


class _Paper:
    def __init__(self, rule: RuleSpec, card: Card, language: Language, counted: Counted | None) -> None:
        self.rule, self.card, self.zh, self.counted = rule, card, language == "zh", counted
        self.document: Any = Document()
        self.page: Page = FORM
        section = self.document.sections[0]
        section.page_width, section.page_height = Mm(FORM.width), Mm(FORM.height)
        section.top_margin, section.bottom_margin = Mm(FORM.top), Mm(FORM.bottom)
        section.left_margin, section.right_margin = Mm(FORM.left), Mm(FORM.right)
        core = self.document.core_properties
        core.title, core.author, core.comments = f"{rule.code} {card.title}", "", ""
        core.created, core.modified = _MADE, _MADE
        package = self.document.part.package
        for name, relation in list(package.rels.items()):
            if relation.reltype.endswith("/thumbnail"):
                # The picture of an empty page that the library's own template brings.
                del package.rels[name]

    def pick(self, words: tuple[str, str]) -> str:
        return words[0] if self.zh else words[1]

    def made(self) -> bytes:
        rule, card = self.rule, self.card
        self.line(card.title, FORM_STYLES["#"])
        domain = self.pick(DOMAINS[rule.domain])
        version = f"第 {rule.version} 版" if self.zh else f"version {rule.version}"
        self.line(
            f"{rule.code}　{domain}　{version}" if self.zh else f"{rule.code} · {domain} · {version}",
            FORM_STYLES["~"],
        )
        for number, (name, heading) in enumerate(HEADINGS.items()):
            numeral = f"{_NUMERALS[number]}、" if self.zh else f"{number + 1}. "
            self.line(numeral + self.pick(heading), FORM_STYLES["##"], keep=True)
            getattr(self, f"_{name}")()
        out = BytesIO()
        self.document.save(out)
        return out.getvalue()

    def _background(self) -> None:
        self.line(self.card.background)

    def _basis(self) -> None:
        head = ("法律", "条款", "适用期间", "说明") if self.zh else ("Law", "Article", "In force", "Remark")
        self.table(
            head,
            [(b.law, b.article, f"{b.valid_from} – {b.valid_to or ''}", b.note) for b in self.card.basis],
            (38, 18, 22, 22),
        )

    def _points(self) -> None:
        self.listed(self.card.points)

    def _elements(self) -> None:
        head = (
            ("数据源（提供单位）", "字段", "字段名", "类型", "级别")
            if self.zh
            else ("Feed (agency)", "Field", "Name", "Type", "Class")
        )
        rows, last = [], ""
        for e in self.card.elements:
            feed = self.pick((e.feed.title.zh, e.feed.title.en))
            agency = self.pick((e.feed.agency.zh, e.feed.agency.en))
            said = "" if e.feed.code == last else (f"{feed}（{agency}）" if self.zh else f"{feed} ({agency})")
            last = e.feed.code
            rows.append(
                (
                    said,
                    self.pick((e.column.zh, e.column.en)),
                    e.column.name,
                    e.column.type,
                    e.column.sensitivity,
                )
            )
        self.table(head, rows, (30, 22, 24, 15, 9))

    def _rule(self) -> None:
        card = self.card
        self.line(card.sentence_zh)
        if not self.zh:
            self.line(card.sentence_en)
        head = ("条件", "怎样判断") if self.zh else ("Condition", "How it is judged")
        self.table(
            head,
            [("　" * s.depth + s.label, s.detail) for s in card.steps],
            (36, 64),
        )
        if card.params:
            self.line("", _BLANK)
            head3 = ("参数", "取值", "来源", "起用") if self.zh else ("Parameter", "Value", "Source", "Since")
            self.table(
                head3, [(p.label, p.value, p.source, str(p.since)) for p in card.params], (26, 26, 34, 14)
            )

    def _innocents(self) -> None:
        self.listed(self.card.innocents)

    def _tests(self) -> None:
        head = ("样例", "判断日", "应得结果", "记录数") if self.zh else ("Test", "Day", "Expected", "Records")
        self.table(
            head,
            [
                (
                    t.name, str(t.as_of),
                    self.pick(EXPECTED[t.expect]) + (f"（{self.pick(LEVELS[t.level])}）" if t.level and self.zh else f" ({t.level})" if t.level else ""),
                    str(t.rows),
                )
                for t in self.card.tests
            ],
            (52, 16, 20, 12),
        )  # fmt: skip

    def _cases(self) -> None:
        if self.counted is None:
            self.line("由使用单位填写。" if self.zh else "To be filled in by the office that uses the model.")
            return
        self.line(self.counted.within)
        if not self.counted.endings:
            self.line("还没有线索。" if self.zh else "There are no clues yet.")
            return
        head = ("线索结果", "条数") if self.zh else ("How clues ended", "Clues")
        self.table(head, [(words, f"{n:,}") for words, n in self.counted.endings], (70, 30))

    def _effect(self) -> None:
        if self.counted is None:
            self.line("由使用单位填写。" if self.zh else "To be filled in by the office that uses the model.")
            return
        head = (
            ("发现月份", "线索", "核查", "查实", "监督纠正", "改进", "在办")
            if self.zh
            else ("Month", "Clues", "Checked", "Confirmed", "Corrected", "Improved", "In progress")
        )
        self.table(
            head,
            [(m[0], *(f"{n:,}" for n in m[1:])) for m in self.counted.months],
            (22, 13, 13, 13, 13, 13, 13),
        )
        self.line(
            "查实 = 监督纠正 + 改进 + 在办。"
            if self.zh
            else "Confirmed = corrected + improved + in progress.",
            FORM_STYLES["~"],
        )

    # -- what paper is made of ---------------------------------------------------------------------

    def line(self, text: str, style: Style | None = None, *, keep: bool = False) -> None:
        paragraph = self.document.add_paragraph()
        _write(paragraph, text, style or FORM_STYLES[""])
        paragraph.paragraph_format.keep_with_next = keep or None

    def listed(self, texts: Sequence[str]) -> None:
        for number, text in enumerate(texts, 1):
            self.line(f"{number}. {text}", Style("仿宋_GB2312", 12, 20, "left", indent=1))
        if not texts:
            self.line("无" if self.zh else "None")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[int]) -> None:
        width = self.page.width - self.page.left - self.page.right
        table = self.document.add_table(rows=0, cols=len(head))
        table.style = "Table Grid"
        table.autofit = False
        for number, row in enumerate([head, *rows]):
            added = table.add_row()
            for cell, text, share in zip(added.cells, row, shares, strict=True):
                cell.width = Mm(width * share / 100)
                _write(cell.paragraphs[0], text, FORM_STYLES["value" if number else "name"])
            properties = added._tr.get_or_add_trPr()
            properties.append(OxmlElement("w:cantSplit"))
            if not number:
                # The head stands again on every page.
                properties.append(OxmlElement("w:tblHeader"))


def _write(paragraph: Any, text: str, style: Style) -> None:
    form = paragraph.paragraph_format
    form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(style.leading)
    form.space_before, form.space_after = Pt(style.before), Pt(0)
    form.alignment = _ALIGN[style.align]
    if style.indent:
        form.first_line_indent = Pt(style.indent * style.size)
    run = paragraph.add_run(text)
    run.font.size, run.font.bold, run.font.name = Pt(style.size), style.bold or None, style.face
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), style.face)
