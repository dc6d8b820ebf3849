"""Words and small drawings of the desk; language chosen by the page."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from supervision.clues.lifecycle import STATE_WORDS, TRACK, State
from supervision.reference import REFERENCE

register = template.Library()

# How much of the ring is filled: where a clue is on its way.
_FILL = {
    State.RAISED: 0,
    State.TRIAGED: 15,
    State.DISPATCHED: 30,
    State.CHECKING: 50,
    State.CONFIRMED: 70,
    State.ACTED: 85,
}


def _english() -> bool:
    return (get_language() or "zh").startswith("en")


@register.filter
def words(item: Any, name: str = "") -> str:
    """``item.<name>_zh`` or ``_en``, by the page's language."""
    prefix = f"{name}_" if name else ""
    return str(getattr(item, prefix + ("en" if _english() else "zh"), ""))


@register.filter
def state_words(state: str) -> str:
    found = STATE_WORDS[State(state)]
    return found.en if _english() else found.zh


@register.simple_tag
def state_ring(state: str) -> SafeString:
    """A ring that fills; green from confirmed, own signs where the way ends."""
    value = State(state)
    if value in (State.SETTLED,):
        return SafeString(
            '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="7" fill="#12805f"/>'
            '<path d="M4.5 8.2l2.4 2.4 4.6-5" fill="none" stroke="#fff" stroke-width="1.8"/></svg>'
        )
    if value in (State.DISMISSED, State.UNFOUNDED, State.WITHDRAWN, State.MERGED):
        return SafeString(
            '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" fill="none" stroke="#617085" stroke-width="1.5"/>'
            '<path d="M5 8h6" stroke="#617085" stroke-width="1.8"/></svg>'
        )
    if value in (State.SENT_BACK, State.NEEDS_DATA):
        return SafeString(
            '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" fill="none" stroke="#c77700" stroke-width="1.5" stroke-dasharray="2.2 1.6"/>'
            '<path d="M8 4.5v4.2M8 11v.6" stroke="#8a5200" stroke-width="1.8"/></svg>'
        )
    colour = "#12805f" if value in (State.CONFIRMED, State.ACTED) else "#1a4e99"
    filled = _FILL[value] * 0.4084  # circumference of r=6.5 is 40.84
    dash = "1.6 1.6" if value is State.RAISED else f"{filled:.1f} 40.84"
    base = "none" if value is State.RAISED else "#c7d1dd"
    return format_html(
        '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" fill="none" stroke="{}" stroke-width="1.6"/>'
        '<circle cx="8" cy="8" r="6.5" fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}" transform="rotate(-90 8 8)"/></svg>',
        base,
        colour,
        dash,
    )


@register.simple_tag
def yield_ticks(checked: int, confirmed: int) -> SafeString:
    """Ten ticks and “of 10, 6 confirmed”; nothing below ten checked."""
    if checked < 10:
        return format_html('<span class="yield"><span class="note">{}</span></span>', _("暂不估计"))
    of_ten = round(10 * confirmed / checked)
    bars = "".join(
        f'<rect x="{i * 6.6:.1f}" width="5" height="13" rx="1" fill="{"#2f63ad" if i < of_ten else "#dde5ef"}"/>'
        for i in range(10)
    )
    return format_html(
        '<span class="yield"><svg viewBox="0 0 66 13" aria-hidden="true">{}</svg><span class="words">{}</span></span>',
        SafeString(bars),
        _("10 条查实 %(n)s 条") % {"n": of_ten},
    )


@register.inclusion_tag("desk/parts/clock.html")
def clock(due_on: date | None, deferred_until: date | None = None) -> dict[str, Any]:
    """Time left in words, the date, a thin bar over the last thirty days."""
    if due_on is None:
        return {"left": None}
    days = (due_on - timezone.localdate()).days
    left = (
        _("超期 %(n)s 天") % {"n": -days}
        if days < 0
        else (_("今天到期") if days == 0 else _("剩 %(n)s 天") % {"n": days})
    )
    tone = "over" if days <= 1 else ("soon" if days <= 4 else "")
    return {
        "left": left,
        "tone": tone,
        "due_on": due_on,
        "used": max(0, min(30, 30 - days)),
        "deferred": deferred_until,
    }


@register.simple_tag
def track(state: str) -> list[dict[str, Any]]:
    """The clue's way, each step done, now or ahead."""
    current = State(state)
    at = (
        TRACK.index(current)
        if current in TRACK
        else {State.SENT_BACK: 2, State.NEEDS_DATA: 3}.get(current, 0)
    )
    return [
        {
            "state": s.value,
            "mark": "done"
            if i < at or current is State.SETTLED
            else ("now" if i == at and current in TRACK else ""),
        }
        for i, s in enumerate(TRACK)
    ]


@register.filter
def reason_words(code: str) -> str:
    for listing in REFERENCE.reasons_by_list.values():
        if code in listing:
            return listing[code].en if _english() else listing[code].zh
    return code


@register.simple_tag
def cell(source: Any, key: str) -> Any:
    return source.cells.get(key)


@register.filter
def get(mapping: dict[str, Any], key: str) -> Any:
    return mapping.get(key, [])
