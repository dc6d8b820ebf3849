"""Words of the pages of accounts."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import get_language
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def entry(row: dict[str, Any], name: str) -> Any:
    """``row[name]`` in Chinese, ``row[name + "_en"]`` in English."""
    return row[f"{name}_en"] if (get_language() or "").startswith("en") else row[name]


@register.filter
def end_words(why: str) -> str:
    """Why a stay ended, in a few words."""
    return {
        "signed_out": _("已退出"),
        "superseded": _("在别处登录"),
        "idle": _("长时间未操作"),
        "expired": _("超过最长时限"),
        "left": _("账号停用"),
        "roles": _("职责有变动"),
        "password": _("密码已更改"),
        "security": _("安全管理员结束"),
        "agreement": _("保密协议终止"),
    }.get(why, why)


@register.simple_tag
def numbers(count: int) -> range:
    """1 to ``count``, for a pager."""
    return range(1, count + 1)
