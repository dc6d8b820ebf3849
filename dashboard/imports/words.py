"""Words of the import pages in the page's language."""

from __future__ import annotations

from django.utils.translation import gettext as _

from dashboard.desk.page import pick
from ingestion.catalog.spec import FeedSpec
from ingestion.imports.columns import NOT_TAKEN
from ingestion.intake.normalising import Reason
from ingestion.models import Batch, ManualImport


def state_of(manual: ManualImport) -> tuple[str, str]:
    """(code, words): the import's own state, or its batch's once it has been handed over."""
    if manual.state == ManualImport.State.HANDED and manual.batch is not None:
        code = str(manual.batch.state)
        return code, {
            Batch.State.RECEIVED: _("排队入库"),
            Batch.State.READING: _("正在入库"),
            Batch.State.LANDED: _("已入库"),
            Batch.State.HELD: _("已暂扣"),
            Batch.State.REFUSED: _("已拒收"),
        }[Batch.State(code)]
    words = {
        "checking": _("检查中"),
        "choosing": _("待选数据源"),
        "ready": _("待导入"),
        "unreadable": _("无法读取"),
        "queued": _("排队导入"),
        "handed": _("已交接收"),
        "repeated": _("重复文件"),
        "stopped": _("未获准"),
        "cancelled": _("已取消"),
        "expired": _("已过期"),
    }
    return manual.state, words[manual.state]


#: how a state looks in a list
LOOK = {
    "landed": "landed",
    "held": "held",
    "ready": "held",
    "choosing": "held",
    "refused": "refused",
    "unreadable": "refused",
    "stopped": "refused",
    "repeated": "never",
    "cancelled": "never",
    "expired": "never",
}


def why_words(proposal: dict[str, object], feed: FeedSpec) -> tuple[str, str]:
    """(look, words) of what is known about one header."""
    hint, by = str(proposal["hint"]), str(proposal["by"])
    named = {c.name: pick(c.zh, c.en) for c in feed.delivered}
    match str(proposal["why"]):
        case "same":
            return "good", _("完全一致")
        case "variant":
            return "good", _("别名")
        case "alias":
            return "good", _("已登记的别名（%(by)s）") % {"by": by}
        case "added":
            return "plain", _("更正单附加的列，不读取")
        case "ignored":
            return "plain", _("约定不接收")
        case "unnamed":
            return "plain", _("没有表头")
        case "double":
            return "plain", _("与另一列重复")
    if by:
        meant = _("不接收") if hint == NOT_TAKEN else named.get(hint, hint)
        return "soon", _("登记过一次：%(column)s（%(by)s），请核对") % {"column": meant, "by": by}
    if hint:
        return "soon", _("未见过；可能是“%(column)s”") % {"column": named.get(hint, hint)}
    return "soon", _("未见过的表头")


#: how to mend what a reason names, for the English page; agencies are told in Chinese (``Reason.cure``)
CURES_EN = {
    "missing": "fill in and deliver again",
    "ragged": "look for a delimiter too many or a missing quotation mark",
    "control": "export anew from the source system, without converting in between",
    "numeric_id": "format the column as text and export anew from the source system",
    "scientific_id": "format the column as text and export anew from the source system",
    "bad_checksum": "compare with the document and correct",
    "bad_birth_date": "compare with the document and correct",
    "not_an_id": "compare with the document and correct",
    "masked_key": "deliver the whole number as agreed",
    "bad_credit_code": "compare with the register and correct",
    "bad_phone": "write an 11-digit mobile number, or a landline with its area code",
    "bad_date": "write down to the day, as 2026-11-05; a month as 2026-11",
    "bad_amount": "write a number in yuan",
    "bad_number": "write in Arabic numerals",
    "bad_code": "choose from the list of the blank template",
    "bad_division": "write the six-digit code or the name of the county or city",
    "other_document": "write the citizen number where there is one",
    "legacy_code": "write the unified social credit code of 18 characters",
    "either_number": "write the citizen number or the unified social credit code of 18 characters",
    "bad_plate": "compare with the vehicle licence and correct",
    "bad_parcel_unit": "compare with the real-estate register and correct",
    "bad_permit": "compare with the permit and correct",
    "bad_device": "compare with the register of devices and correct",
    "bad_factor": "write the HJ 212 code, as w01018",
    "bad_coordinate": "write decimal degrees, as 101.546000 and 25.032000",
    "out_of_range": "compare with the original record and correct",
    "ditto": "write the content itself",
    "converted_id": "write 18-digit numbers from now on",
    "several": "one value a cell",
    "swapped": "longitude and latitude as the headers say",
    "below_detection": "nothing to mend",
    "out_of_order": "check the device's clock or the dates",
    "truncated": "export the whole text and deliver again",
    "identity_conflict": "compare with the household register and correct",
}


def reason_said(reason: Reason) -> tuple[str, str]:
    """(why, how to mend it)."""
    return pick(reason.zh, reason.en), pick(reason.cure, CURES_EN.get(reason.code, reason.cure))
