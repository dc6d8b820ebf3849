"""Words of the ways in, by the page's language."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chuxiong.kit.problems import Problem
from ingestion import selectors
from ingestion.exchange import receipts
from ingestion.exchange.sheet import Mismatch
from ingestion.intake.normalising import Reason

register = template.Library()


def _english() -> bool:
    return (get_language() or "zh").startswith("en")


@register.filter
def way_words(way: str) -> str:
    return {
        "bundle": _("数据包"),
        "disc": _("光盘交接"),
        "folder": _("投递目录"),
        "push": _("接口推送"),
        "pull": _("定时拉取"),
        "view": _("数据库视图"),
    }.get(way, way)


@register.filter
def outcome_words(outcome: str) -> str:
    return {
        "waiting": _("等待"),
        "repeated": _("此前已接收"),
        "refused": _("已拒收"),
        "received": _("已接收"),
        "reading": _("处理中"),
        "landed": _("已入库"),
        "held": _("已暂扣"),
    }.get(outcome, outcome)


@register.filter
def delivery_state(receipt: dict[str, Any]) -> SafeString:
    """What has become of a delivery as a whole, worst first."""
    outcomes = {f["outcome"] for f in receipt["files"]}
    state = receipt["state"]
    if state == "confirming":
        kind, words = "soon", _("待复核")
    elif state == "waiting":
        kind, words = "soon", _("待补前包")
    elif state == "skipped":
        kind, words = "plain", _("已声明缺号")
    elif state == "refused":
        kind, words = "warn", _("已拒收")
    elif "refused" in outcomes:
        kind, words = "warn", _("有文件被拒收")
    elif "held" in outcomes:
        kind, words = "soon", _("已暂扣")
    elif receipt["final"]:
        repeated = outcomes == {"repeated"}
        kind, words = ("plain", _("此前已接收")) if repeated else ("good", _("已入库"))
    else:
        kind, words = "", _("处理中")
    return format_html('<span class="tag {}">{}</span>', kind, words)


@register.filter
def problem_words(problem: Problem) -> str:
    if _english():
        return (
            f"{problem.what_en or problem.what}. {problem.cure_en or problem.cure}".strip().rstrip(".") + "."
        )
    return f"{problem.what}。{problem.cure}".replace("。。", "。")


@register.filter
def mismatch_words(found: Mismatch) -> str:
    words = {
        "lost": _("%(name)s：交接单上有，光盘上没有"),
        "stray": _("%(name)s：光盘上有，交接单上没有"),
        "digest": _("%(name)s：摘要不同，交接单 %(sheet)s，文件 %(disc)s"),
        "size": _("%(name)s：大小不同，交接单 %(sheet)s 字节，文件 %(disc)s 字节"),
    }[found.kind]
    shown = {"name": found.name, "sheet": found.on_sheet[:16], "disc": found.on_disc[:16]}
    return str(words % shown)


@register.filter
def reason_words(code: str) -> str:
    reason = Reason[code.upper()]
    return str(reason.en if _english() else reason.zh)


@register.filter
def feed_title(code: str) -> str:
    feed = selectors.catalog().get(code)
    return (feed.title.en if _english() else feed.title.zh) if feed else code


@register.filter
def grouped(digest: str) -> str:
    """Digits in fours, as they are compared with paper."""
    return " ".join(digest[i : i + 4] for i in range(0, len(digest), 4))


@register.filter
def spans(numbers: list[int]) -> str:
    return receipts.ranges(numbers)


@register.filter
def sheet_rows(data: dict[str, Any]) -> list[tuple[str, Any]]:
    labels = {
        "number": _("交接单编号"),
        "medium": _("光盘编号"),
        "handed_over_by": _("移交人"),
        "received_by": _("接收人"),
        "by": _("经办人"),
        "approved_by": _("审批人"),
        "phone": _("联系电话"),
        "note": _("备注"),
        "reason": _("原因"),
        "created_at": _("打包时间"),
        "sheet_by": _("交接单经办人"),
        "sheet_approved_by": _("交接单审批人"),
        "sheet_note": _("交接单备注"),
    }
    return [(labels[k], _moment(data[k]) if k == "created_at" else data[k]) for k in labels if data.get(k)]


def _moment(written: str) -> str:
    """A time as the sender wrote it, on our clock; words that are no time stay."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return written
    return f"{timezone.localtime(at) if at.tzinfo else at:%Y-%m-%d %H:%M}"
