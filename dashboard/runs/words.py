"""Words for the codes of a run."""

from __future__ import annotations

from django.utils.translation import gettext as _

from dashboard.desk.page import pick
from supervision.clues.lifecycle import STATE_WORDS
from supervision.selectors import rulebook

MODES = {
    "subjects": ("增量", "Incremental"),
    "full": ("全量", "Full"),
    "backtest": ("回测", "Back-test"),
    "compare": ("引擎比对", "Engines compared"),
}
STATES = {
    "waiting": ("等待中", "Waiting"),
    "running": ("运行中", "Running"),
    "done": ("完成", "Done"),
    "stopped": ("协议停用", "Stopped: agreement"),
    "cancelled": ("已取消", "Cancelled"),
    "over": ("超出限额", "Over budget"),
    "failed": ("失败", "Failed"),
    "lost": ("中断", "Broken off"),
}
ENGINES = {"postgres": "PostgreSQL", "duckdb": "DuckDB"}
ENGINE_NOTES = {
    "duckdb": (
        "列式镜像上全量计算，快，不占用数据库",
        "Computes everything over the column mirror: fast, and the database is left alone",
    ),
    "postgres": ("直接在数据库上计算", "Computes in the database itself"),
}
LEVELS = {"urgent": ("紧急", "Urgent"), "important": ("重点", "Important"), "ordinary": ("一般", "Ordinary")}
_OUTCOMES = {
    "corrected": ("依法监督纠正", "Corrected by supervision"),
    "improved": ("反馈并帮助改进", "Fed back and improved"),
}
AGAINST = {
    "same": ("仍然命中", "Hit as before"),
    "new": ("新增命中", "Newly hit"),
    "gone": ("不再命中", "No longer hit"),
}


def models() -> list[tuple[str, str]]:
    """(id, code and title) of all models in the order of their codes."""
    return [(r.id, f"{r.code} {title(r.id)}") for r in sorted(rulebook().values(), key=lambda r: r.code)]


def title(rule: str) -> str:
    found = rulebook().get(rule)
    return pick(found.title.zh, found.title.en) if found else rule


def code(rule: str) -> str:
    found = rulebook().get(rule)
    return found.code if found else ""


def verdict(word: str) -> str:
    """What people made of a clue: its outcome, else its state."""
    if not word:
        return _("无线索")
    if word in _OUTCOMES:
        return pick(*_OUTCOMES[word])
    found = next((w for state, w in STATE_WORDS.items() if state.value == word), None)
    return pick(found.zh, found.en) if found else word


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 0.95 else f"{seconds * 1000:.0f} ms"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
