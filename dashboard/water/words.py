"""Answers of the water room in words of a page."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.desk.page import pick
from ingestion.catalog.labels import english_labels
from ingestion.water.readings import Flag
from ingestion.water.upstream import Candidate, Known


def label(value: str) -> str:
    """A label of a code list; English where the page is English."""
    return pick(value, english_labels().get(value, value))


def flag_words() -> dict[str, str]:
    return {
        Flag.BELOW.value: _("不高于检出限"),
        Flag.STUCK.value: _("长时间恒值，疑似仪器故障，不作判断"),
        Flag.WHOLE_PH.value: _("pH 只有整数，按 ±0.5 判断"),
    }


def reasons(found: Candidate) -> list[tuple[str, str]]:
    """(tone, words): what speaks for a candidate (``for``), against it (``against``), or is not known (``open``)."""
    return [_own(found), _permit(found), _time(found)]


def _own(found: Candidate) -> tuple[str, str]:
    if found.own is Known.YES:
        return "for", _("窗口内自身超限 %(n)s 次，最高为限值的 %(times)s 倍") % {
            "n": found.readings_above,
            "times": f"{found.highest or 0:.1f}",
        }
    if found.own is Known.NO:
        return "against", _("窗口内读数均未超限")
    if found.own is Known.NOT_SEEN:
        return "open", _("读数不在您的范围内")
    if found.quickest_h is None:
        return "open", _("不能推算窗口，未比对读数")
    return "open", _("窗口内没有可判断的读数")


def _permit(found: Candidate) -> tuple[str, str]:
    return {
        Known.YES: ("for", _("许可证含该因子")),
        Known.NO: ("against", _("许可证不含该因子")),
    }.get(found.in_permit, ("open", _("没有许可证信息")))


def _time(found: Candidate) -> tuple[str, str]:
    if found.quickest_h is None or found.slowest_h is None or not found.left_from or not found.left_until:
        return "open", _("该段没有流速参数，不能推算行程")
    return "plain", _("行程 %(quick)s–%(slow)s 小时，约 %(from)s 至 %(until)s 经过该口") % {
        "quick": f"{found.quickest_h:.1f}",
        "slow": f"{found.slowest_h:.1f}",
        "from": _moment(found.left_from),
        "until": _moment(found.left_until),
    }


def _moment(at: datetime) -> str:
    return f"{timezone.localtime(at):%m-%d %H:%M}"
