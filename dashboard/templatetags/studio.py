"""Words of the studio in templates."""

from __future__ import annotations

from typing import Any

from django import template

from chuxiong.kit.problems import Problem
from dashboard.desk.page import pick
from dashboard.studio import words

register = template.Library()


@register.filter
def draft_state(code: str) -> str:
    return pick(*words.STATES[code])


@register.filter
def choice(code: str) -> str:
    return words.choice(code)


@register.filter
def field_words(said: Any) -> str:
    return pick(said.zh, said.en)


@register.filter
def field_help(said: Any) -> str:
    return pick(said.help_zh, said.help_en)


@register.filter
def told(problem: Problem) -> str:
    zh = f"{problem.what}。{problem.cure}".replace("。。", "。")
    return pick(
        zh, f"{problem.what_en or problem.what}. {problem.cure_en or problem.cure}".replace("..", ".")
    )
