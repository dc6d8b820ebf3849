"""Words of runs in templates."""

from __future__ import annotations

from django import template

from dashboard.desk.page import pick
from dashboard.runs import words

register = template.Library()


@register.filter
def run_mode(code: str) -> str:
    return pick(*words.MODES[code])


@register.filter
def run_state(code: str) -> str:
    return pick(*words.STATES[code])


@register.filter
def run_engine(code: str) -> str:
    return words.ENGINES[code]


@register.filter
def run_pick(said: tuple[str, str]) -> str:
    return pick(*said)


@register.filter
def run_level(code: str) -> str:
    return pick(*words.LEVELS[code])


@register.filter
def run_against(code: str) -> str:
    return pick(*words.AGAINST[code])


@register.filter
def rule_title(rule: str) -> str:
    return words.title(rule)


@register.filter
def rule_code(rule: str) -> str:
    return words.code(rule)


@register.filter
def people_said(verdict: str) -> str:
    return words.verdict(verdict)


@register.filter
def run_duration(seconds: float | None) -> str:
    return words.duration(seconds)


@register.filter
def run_told(told: dict[str, str]) -> str:
    return pick(told.get("zh", ""), told.get("en", "")) if told else ""
