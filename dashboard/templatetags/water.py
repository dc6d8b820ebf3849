"""Words of the river pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from chuxiong.kit.water_limits import Limit
from dashboard.desk.page import pick
from ingestion.cameras.selectors import CameraRow
from ingestion.water.readings import Carried, Flag
from ingestion.water.selectors import Judged

register = template.Library()


@register.filter
def item(table: Mapping[str, Any], key: str) -> Any:
    return table.get(key, "")


@register.filter
def either(zh: str, en: str) -> str:
    """The English words on an English page, where there are any."""
    return pick(zh, en or zh)


@register.filter
def stopped_words(row: CameraRow) -> str:
    """Why a camera may not be looked through now."""
    return pick(*row.stopped) if row.stopped else ""


@register.simple_tag
def side_words(side: str) -> str:
    return {"left": _("左岸"), "right": _("右岸"), "on": _("河上")}[side]


@register.simple_tag
def lane_words(kind: str) -> str:
    return {
        "section": _("断面"),
        "outfall": _("排污口"),
        "camera": _("摄像机"),
        "problem": _("巡河问题"),
        "alarm": _("预警"),
        "clue": _("线索"),
    }[kind]


@register.simple_tag
def figure_words(figure: Carried) -> str:
    """The figure as it may be read: “≤” where only a bound is known."""
    return f"≤{figure.high:g}" if Flag.BELOW in figure.flags else f"{figure.reading.value:g}"


@register.simple_tag
def limit_words(limit: Limit | None) -> str:
    if limit is None:
        return "—"
    if limit.at_least is not None and limit.at_most is not None:
        return f"{limit.at_least:g}–{limit.at_most:g}"
    return f"≥{limit.at_least:g}" if limit.at_least is not None else f"≤{limit.at_most:g}"


@register.simple_tag
def verdict_words(judged: Judged) -> SafeString:
    if judged.limit is None:
        return format_html('<span class="t-none">{}</span>', _("不评价"))
    if judged.exceeds is None:
        return format_html('<span class="t-none">? {}</span>', _("不能判断"))
    if judged.exceeds:
        return format_html('<span class="t-urgent">▲ {}</span>', _("劣于目标"))
    return format_html('<span class="t-good">● {}</span>', _("未见超限"))
