"""Words of the model library: domains, statuses, how clues ended."""

from __future__ import annotations

from django.utils.translation import gettext as _

from dashboard.desk.page import pick
from supervision.clues.lifecycle import OUTCOME_WORDS, STATE_WORDS, State
from supervision.packs.card import LEVELS
from supervision.packs.word import DOMAINS, EXPECTED
from supervision.reference import REFERENCE
from supervision.selectors import Effect

STATUSES: dict[str, tuple[str, str]] = {
    "draft": ("草稿", "Draft"),
    "checked": ("已校验", "Checked"),
    "trial": ("试运行", "Trial"),
    "live": ("启用", "Live"),
    "paused": ("暂停", "Paused"),
    "retired": ("下架", "Retired"),
}


def domain(code: str) -> str:
    return pick(*DOMAINS[code])


def status(code: str) -> str:
    return pick(*STATUSES[code])


def expected(code: str) -> str:
    return pick(*EXPECTED[code])


def level(code: str) -> str:
    return pick(*LEVELS[code]) if code else ""


def endings(effect: Effect) -> list[tuple[str, int]]:
    """How clues ended, in the order of their life; settled ones by outcome and kind. The counts add up to all clues."""
    found: list[tuple[str, int]] = []
    for state in State:
        own = {key[1:]: n for key, n in effect.endings.items() if key[0] == state.value}
        for outcome, word in OUTCOME_WORDS.items():
            kinds = REFERENCE.outcome_kinds.get(outcome, {})
            for (_outcome, kind), n in sorted(o for o in own.items() if o[0][0] == outcome):
                said = kinds.get(kind)
                detail = pick(f"：{said.zh}", f": {said.en}") if said else ""
                found.append((pick(word.zh, word.en) + detail, n))
        if plain := sum(n for (outcome, _kind), n in own.items() if not outcome):
            words = STATE_WORDS[state]
            found.append((pick(words.zh, words.en), plain))
    return found


def standing(code: str) -> str:
    """What an imported model is beside ours."""
    return {
        "new": _("本院没有"),
        "same": _("与本院的相同"),
        "other": _("与本院的同名，内容不同"),
        "code": _("编码已被本院另一模型使用"),
    }[code]


def met(code: str) -> str:
    """How one of our feeds answers a need."""
    return {
        "same": _("有"),
        "like": _("有，名称不同"),
        "type": _("类型不同"),
        "column": _("缺字段"),
        "feed": _("缺数据源"),
    }[code]
