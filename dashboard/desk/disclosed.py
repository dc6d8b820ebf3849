"""A disclosed list as a spreadsheet: text cells only, who opened it and for what on every page."""

from __future__ import annotations

from typing import IO

from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from chuxiong.accounts.models import Person
from dashboard.audit.export import harmless
from supervision.disclosures.actions import Opened

_HEADERS = {
    False: ("序号", "线索号", "姓名或名称", "号码种类", "号码", "来源"),
    True: ("No.", "Clue", "Name", "Kind of number", "Number", "Source"),
}
_WIDTHS = (8, 18, 28, 24, 26, 36)


def write_xlsx(opened: Opened, out: IO[bytes], person: Person, *, english: bool) -> None:
    """The list with its heading; nothing in it is a formula, and numbers keep every digit."""
    found = opened.disclosure
    at = f"{timezone.localtime(found.opened_at):%Y-%m-%d %H:%M:%S}"
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Disclosure" if english else "对外提供清单")
    for index, width in enumerate(_WIDTHS):
        sheet.column_dimensions[chr(ord("A") + index)].width = width
    sheet.freeze_panes = "A6"

    def row(*texts: str, bold: bool = False) -> None:
        cells = []
        for text in texts:
            cell = WriteOnlyCell(sheet, harmless(text))
            cell.data_type = "s"
            cell.font = Font(bold=bold)
            cells.append(cell)
        sheet.append(cells)

    notice = heading(opened, english=english)
    row(notice, bold=True)
    if english:
        row(
            f"Request {found.pk}",
            f"Opened by {person.name} ({person.username}) {at}",
            f"Approved by {found.decided_by}",
        )
        row(f"For {found.addressee}", f"Basis {found.basis}", f"Reason {found.reason}")
    else:
        row(
            f"申请编号 {found.pk}",
            f"打开人 {person.name}（{person.username}）{at}",
            f"审批人 {found.decided_by}",
        )
        row(f"接收单位 {found.addressee}", f"依据 {found.basis}", f"事由 {found.reason}")
    row(*[_kept(opened, english=english)])
    row(*_HEADERS[english], bold=True)
    for n, line in enumerate(opened.lines, 1):
        kind, source = (line.kind_en, line.source_en) if english else (line.kind_zh, line.source_zh)
        row(str(n), line.clue, line.name, kind, line.number, source)
    # Ampersands begin a code in headers.
    mark = f"{notice}  {person.name} {person.username} {at}".replace("&", "&&")
    sheet.oddHeader.center.text = mark
    sheet.oddFooter.center.text = mark
    book.save(out)


def heading(opened: Opened, *, english: bool) -> str:
    """What may be done with it: before anything is confirmed, checking and nothing else."""
    if opened.unconfirmed:
        return "Clue material, for checking only" if english else "线索材料 仅供核查"
    return "For the stated purpose only" if english else "仅限用于所列事由"


def _kept(opened: Opened, *, english: bool) -> str:
    if not opened.kept_inside:
        return ""
    if english:
        return "Left out, their agreements keep them inside: " + ", ".join(
            en for _zh, en in opened.kept_inside
        )
    return "协议不允许对外提供、未列入的来源：" + "、".join(zh for zh, _en in opened.kept_inside)
