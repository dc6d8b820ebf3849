"""Words and small drawings of the desk; language chosen by the page."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chuxiong.kit.factor import named
from ingestion.catalog.labels import english_labels
from supervision.alarms.states import LEVEL_WORDS
from supervision.alarms.states import STATE_WORDS as ALARM_STATE_WORDS
from supervision.alarms.states import State as AlarmState
from supervision.clues.lifecycle import STATE_WORDS, Outcome, State
from supervision.duties import problem_names
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


def _counted(words: str, n: int) -> str:
    """``words`` with its number; one day is no “1 days”."""
    text = words % {"n": n}
    return re.sub(r"\b1 (day|hour|minute|month|clue)s\b", r"1 \1", text) if _english() else text


@register.filter
def words(item: Any, name: str = "") -> str:
    """``item.<name>_zh`` or ``_en``, by the page's language."""
    prefix = f"{name}_" if name else ""
    return str(getattr(item, prefix + ("en" if _english() else "zh"), ""))


@register.filter
def brief(title: str) -> str:
    """A title without what stands in brackets, for narrow places."""
    return re.sub(r"（[^）]*）| ?\([^)]*\)", "", title)


@register.filter
def sources(row: Any, most: int) -> str:
    """The titles of a row's sources; beyond ``most`` the count of all."""
    titles = [brief(t) for t in (row.sources_en if _english() else row.sources_zh)]
    if _english() and most < len(titles):
        most -= 1  # English names run twice as long
    named = (", " if _english() else "・").join(titles[:most])
    return named + (_(" 等 %(n)s 源") % {"n": len(titles)} if titles[most:] else "")


@register.filter
def state_words(state: str) -> str:
    found = STATE_WORDS[State(state)]
    return found.en if _english() else found.zh


@register.filter
def outcome_words(outcome: str, kind: str = "") -> str:
    """What came of a clue, with its kind where one is known."""
    words_ = {Outcome.CORRECTED: _("依法监督纠正"), Outcome.IMPROVED: _("反馈并帮助改进")}[Outcome(outcome)]
    found = REFERENCE.outcome_kinds[outcome].get(kind)
    if found is None:
        return words_
    return f"{words_}（{found.zh}）" if not _english() else f"{words_} ({found.en})"


@register.filter
def inquiry_way(code: str) -> str:
    found = REFERENCE.inquiry.ways.get(code)
    return code if found is None else (found.en if _english() else found.zh)


@register.filter
def of_ten(chance: float) -> str:
    """A chance as so many of ten, to the half."""
    return f"{round(chance * 20) / 2:g}"


@register.filter
def factor(value: float) -> str:
    return f"{value:g}"


@register.simple_tag
def state_ring(state: str) -> SafeString:
    """A ring that fills; green from confirmed, own signs where the way ends."""
    value = State(state)
    if value in (State.SETTLED,):
        return SafeString(
            '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="7" class="good-fill"/>'
            '<path d="M4.5 8.2l2.4 2.4 4.6-5" fill="none" class="tick"/></svg>'
        )
    if value in (State.DISMISSED, State.UNFOUNDED, State.WITHDRAWN, State.MERGED):
        return SafeString(
            '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" class="ring shut"/>'
            '<path d="M5 8h6" class="ring shut"/></svg>'
        )
    if value in (State.SENT_BACK, State.NEEDS_DATA):
        return SafeString(
            '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" class="ring doubt"/>'
            '<path d="M8 4.5v4.2M8 11v.8" class="ring"/></svg>'
        )
    tone = "good" if value in (State.CONFIRMED, State.ACTED) else ""
    if value is State.RAISED:
        return SafeString(
            '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" class="ring dotted"/></svg>'
        )
    # A stroke as wide as the circle is across makes a pie; its circumference is 13.82.
    return format_html(
        '<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" class="ring {}"/>'
        '<circle cx="8" cy="8" r="2.2" class="pie {}" stroke-dasharray="{} 13.9" transform="rotate(-90 8 8)"/></svg>',
        tone,
        tone,
        f"{_FILL[value] * 0.1382:.1f}",
    )


@register.simple_tag
def yield_ticks(checked: int, confirmed: int) -> SafeString:
    """Ten ticks and “of 10, 6 confirmed”; nothing below ten checked."""
    if checked < 10:
        return format_html(
            '<span class="yield" title="{}"><span class="note">{}</span></span>',
            _("同类线索核查不足 10 条"),
            _("暂不估计"),
        )
    of_ten = round(10 * confirmed / checked)
    bars = "".join(
        f'<rect x="{i * 6.6:.1f}" width="5" height="13" rx="1" class="{"some" if i < of_ten else "rest"}"/>'
        for i in range(10)
    )
    return format_html(
        '<span class="yield"><svg viewBox="0 0 66 13" aria-hidden="true">{}</svg><span class="words">{}</span></span>',
        SafeString(bars),
        _("10 条查实 %(n)s 条") % {"n": of_ten},
    )


@register.inclusion_tag("desk/parts/clock.html")
def clock(
    due_on: date | None, kind: str = "triage", deferred_until: date | None = None, large: bool = False
) -> dict[str, Any]:
    """Time left in words, the date, a thin bar over the limit; amber from the pre-alarm, red in the last step."""
    if due_on is None:
        return {"left": None}
    limit = REFERENCE.limit(kind)
    days = (due_on - timezone.localdate()).days
    if days < 0:
        left, tone = _counted(_("逾期 %(n)s 天"), -days), "over"
    elif days == 0:
        left, tone = _("今天到期"), "last"
    else:
        left = _counted(_("剩 %(n)s 天"), days)
        tone = "last" if days == 1 else ("soon" if days <= max(3, limit.days // 6) else "")
    return {
        "left": left,
        "tone": "paused" if deferred_until else tone,
        "due_on": due_on,
        "limit": limit,
        "source": _("内部时限") if limit.source == "内部时限" else limit.source,
        "used": max(0, min(limit.days, limit.days - days)),
        "deferred": deferred_until,
        "large": large,
    }


@register.simple_tag
def level(value: str) -> SafeString:
    """Shape, word and colour of a level; the shape is drawn by the style sheet."""
    words_ = {"urgent": _("紧急"), "important": _("重点"), "ordinary": _("一般")}
    return format_html('<span class="level {}">{}</span>', value, words_[value])


_FIGURE = re.compile(r"\d[\d,.\-]*\d(?: (?:元|yuan))?|\d")


@register.filter
def facts(sentence: str) -> SafeString:
    """The generated sentence with this case's figures set off; a date or amount never breaks over lines."""
    rule, mark, found = str(escape(sentence)).partition("Here: " if _english() else "本案：")
    return mark_safe(rule + mark + _FIGURE.sub(r'<span class="fact">\g<0></span>', found))  # noqa: S308  escaped above


@register.filter
def circled(number: int) -> str:
    """①…⑳, as conditions and the cells that decide them are numbered."""
    return chr(0x245F + number) if 0 < number <= 20 else f"({number})"


_UNITS = [
    (re.compile(r"^覆盖至 "), "covered until "),
    (re.compile(r" 元$"), " yuan"),
    (re.compile(r" 个月"), " months"),
    (re.compile(r" 天"), " days"),
    (re.compile(r"、"), ", "),
    (re.compile(r"^无$"), "none"),
    (re.compile(r"^有$"), "present"),
]


@register.filter
def measured(value: str) -> str:
    """A condition's value or standard with its units in the page's language; agencies' own codes stay."""
    if value in ("True", "False"):
        return _("是") if value == "True" else _("否")
    if not _english():
        return value
    glossed = [english_labels().get(part) for part in value.split("、" if "、" in value else ", ")]
    if all(glossed):
        return f"{', '.join(word for word in glossed if word)} ({value})"
    for pattern, english in _UNITS:
        value = pattern.sub(english, value)
    return value


@register.filter
def label_words(value: str) -> str:
    """A label of a code list; English where the page is English."""
    return english_labels().get(value, value) if _english() else value


@register.filter
def actor_words(actor: str) -> str:
    """Who acted: a person by name, the machine by what it is."""
    return {"研判引擎": _("研判引擎"), "系统": _("系统"), "期限提醒": _("期限提醒")}.get(actor, actor)


@register.filter
def date_words(step: Any) -> str:
    """What the date of a step is called."""
    return str(step.date_en if _english() else step.date_zh)


@register.filter
def absent(days: int) -> int:
    """Days by which something is over."""
    return abs(days)


@register.filter
def coming_day(day: date | None) -> str:
    """A day to come: month and day, the year when it is another one."""
    if day is None:
        return ""
    return f"{day:%m-%d}" if day.year == timezone.localdate().year else f"{day:%Y-%m-%d}"


@register.filter
def either(text: str) -> str:
    """One language of words that come as “中文 / English”."""
    zh, _sep, en = text.partition(" / ")
    return (en or zh) if _english() else zh


@register.filter
def answer_words(answer: str) -> str:
    return {
        "corrected": _("已整改"),
        "partly": _("部分整改"),
        "extension": _("申请延期"),
        "objection": _("提出异议"),
        "not_ours": _("非我单位职责"),
        "data_error": _("数据有误"),
    }.get(answer, answer)


@register.filter
def batch_words(state: str) -> str:
    return {
        "received": _("已接收"),
        "reading": _("处理中"),
        "landed": _("已入库"),
        "held": _("已暂扣"),
        "refused": _("已拒收"),
    }.get(state, state)


@register.filter
def problem_words(problem: dict[str, str] | None, part: str) -> str:
    """A stored problem's ``what`` or ``cure`` in the reader's language, where English is held."""
    known = problem or {}
    return (_english() and known.get(f"{part}_en")) or known.get(part, "")


@register.filter
def cadence_words(cadence: str) -> str:
    return {
        "realtime": _("实时"),
        "daily": _("每日"),
        "weekly": _("每周"),
        "monthly": _("每月"),
        "quarterly": _("每季"),
        "four_hourly": _("每四小时"),
        "each_semester": _("每学期"),
        "half_yearly": _("每半年"),
        "yearly": _("每年"),
    }.get(cadence, cadence)


@register.filter
def feed_words(state: str) -> str:
    return {"ok": _("按时"), "late": _("迟报"), "silent": _("中断"), "never": _("未报送")}[state]


@register.filter
def ago(moment: datetime | date | None) -> str:
    """How long ago, in the largest fitting unit; a day counts from its start."""
    if moment is None:
        return "—"
    if not isinstance(moment, datetime):
        days = (timezone.localdate() - moment).days
        return _counted(_("%(n)s 天"), days) if days > 0 else _("今天")
    minutes = int((timezone.now() - moment).total_seconds() // 60)
    if minutes < 60:
        return _counted(_("%(n)s 分钟"), max(0, minutes))
    if minutes < 48 * 60:
        return _counted(_("%(n)s 小时"), minutes // 60)
    return _counted(_("%(n)s 天"), minutes // 1440)


@register.filter
def thousands(value: int) -> str:
    return f"{value:,}"


@register.simple_tag
def bars(counts: list[int]) -> SafeString:
    """Rows of the last twelve deliveries as bars, oldest left; an empty delivery is a red base line."""
    top = max([*counts, 1])
    drawn = []
    for i, n in enumerate(counts, 12 - len(counts)):
        height = max(2, round(18 * n / top)) if n else 2
        drawn.append(
            f'<rect class="{"some" if n else "none"}" x="{i * 8}" y="{20 - height}" width="6" height="{height}"/>'
        )
    return format_html(
        '<svg class="bars" viewBox="0 0 94 20" role="img" aria-label="{}">{}</svg>',
        _("近 %(n)s 批行数，最近 %(last)s") % {"n": len(counts), "last": counts[-1] if counts else 0},
        SafeString("".join(drawn)),
    )


@register.filter
def reason_words(code: str) -> str:
    for listing in REFERENCE.reasons_by_list.values():
        if code in listing:
            return listing[code].en if _english() else listing[code].zh
    return code


@register.filter
def yuan(fen: int | None) -> str:
    """Money in yuan, with its unit; what is large in 万元."""
    if fen is None:
        return "—"
    if abs(fen) >= 100_000_00 and not _english():
        return f"{fen / 1_000_000:,.2f} 万元"
    return f"{fen / 100:,.2f} {'yuan' if _english() else '元'}"


@register.filter
def result_amount(value: int, unit: str) -> str:
    """What a settled clue has brought, as it is stored → as it is read."""
    if unit == "money":
        return yuan(value)
    return f"{value / 100:,.2f}" if unit in ("tonnes", "square_metres") else f"{value:,}"


@register.filter
def agency_pattern(agency: Any) -> str:
    """The agency of a row of the duty list, for whatever county."""
    words_ = {"code": "", "zh": "所在县市", "en": "County"}
    return str(agency.en if _english() else agency.zh).format(**words_)


@register.filter
def duty_problem(problem: str) -> str:
    return problem_names().get(problem, problem) if _english() else problem


@register.simple_tag
def cell(source: Any, key: str) -> Any:
    return source.cells.get(key)


@register.filter
def get(mapping: dict[str, Any], key: str) -> Any:
    return mapping.get(key, [])


_KEYS = {
    "accept": "A",
    "dismiss": "E",
    "merge": "M",
    "defer": "S",
    "conclude": "C",
    "dispatch": "D",
    "inquire": "T",
}


@register.filter
def move_key(move: str) -> str:
    """The key that starts a move, empty when it has none."""
    return _KEYS.get(move, "")


@register.simple_tag
def alarm_level(value: str) -> SafeString:
    """Shape, word and colour of an alarm's level."""
    words_ = LEVEL_WORDS[value]
    shown = words_.en if _english() else words_.zh
    style = {"urgent": "urgent", "warning": "important", "notice": "ordinary"}[value]
    return format_html('<span class="level {}">{}</span>', style, shown)


@register.filter
def alarm_state_words(state: str) -> str:
    found = ALARM_STATE_WORDS[AlarmState(state)]
    return found.en if _english() else found.zh


@register.filter
def factor_words(code: str) -> str:
    """A monitored factor's name with its unit."""
    found = named(code)
    name = found.en if _english() else found.zh
    return f"{name} {found.unit}".strip()
