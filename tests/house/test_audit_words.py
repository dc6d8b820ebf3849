"""What an audit row names has a word in both languages, said once."""

from __future__ import annotations

import ast
from pathlib import Path

import yaml

_ROOT = Path(__file__).resolve().parents[2]
_WORDS = _ROOT / "dashboard" / "audit" / "actions.yaml"


def _said(name: str) -> set[str]:
    """Every literal given as ``name=`` to ``record(…)``."""
    found = set()
    for room in ("chuxiong", "ingestion", "supervision", "dashboard"):
        for path in (_ROOT / room).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "record":
                    values = [k.value for k in call.keywords if k.arg == name]
                    found |= {v.value for v in values if isinstance(v, ast.Constant)}
    return found


def test_actions_and_objects_of_audit_rows_have_words():
    words = yaml.safe_load(_WORDS.read_text(encoding="utf-8"))
    assert "delivery" in _said("object_kind")
    assert _said("object_kind") - words["objects"].keys() == set()
    assert _said("action") - words["actions"].keys() == set()
    for listing in words.values():
        assert all(word["zh"] and word["en"] for word in listing.values())


def test_no_word_is_said_twice():
    for _, listing in yaml.compose(_WORDS.read_text(encoding="utf-8")).value:
        keys = [key.value for key, _ in listing.value]
        assert len(keys) == len(set(keys))
