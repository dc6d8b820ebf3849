"""Reads the rules of a folder and checks each against the feed catalogue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, ValidationError

from chuxiong.kit.problems import Problem
from ingestion.catalog.load import Catalog
from supervision.rulebook.check import problems_of
from supervision.rulebook.problems import RuleError
from supervision.rulebook.sentence import factor_words
from supervision.rulebook.spec import RuleSpec


class LoadedRule(RuleSpec):
    """A valid rule with the digest of everything that decides its results."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    digest: str

    def clue_title(self, material: Mapping[str, Any]) -> tuple[str, str]:
        """The clue's title in both languages, measures filled in."""
        values = {name: material.get(name, "…") for name in self.measures}
        zh = {name: factor_words(name, value, "zh") or value for name, value in values.items()}
        en = {name: factor_words(name, value, "en") or value for name, value in values.items()}
        return self.clue.title.zh.format(**zh), self.clue.title.en.format(**en)


Rulebook = Mapping[str, LoadedRule]

_DECIDES = (
    "sources",
    "driver",
    "link",
    "when",
    "without",
    "score",
    "cluster",
    "having",
    "measures",
    "bands",
    "params",
    "clue",
)


def load_rulebook(folder: Path, catalog: Catalog) -> Rulebook:
    """All rules by id; raises ``RuleError`` naming file, place and cure of every problem."""
    rules: dict[str, LoadedRule] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*/*.yaml")):
        place = f"{path.parent.name}/{path.name}"
        rule, found = read_rule(path.read_text(encoding="utf-8"), place, catalog)
        problems += found
        if rule and rule.id != path.stem:
            problems.append(
                Problem(f"{place} → id", f"“{rule.id}”与文件名不同", f"改成 {path.stem}，或给文件改名")
            )
        if rule:
            rules[rule.id] = rule
    if problems:
        raise RuleError(problems)
    return rules


def read_rule(text: str, place: str, catalog: Catalog) -> tuple[LoadedRule | None, list[Problem]]:
    """One rule document; the problems say where to mend it."""
    try:
        document = yaml.safe_load(text)
        rule = LoadedRule.model_validate({**document, "digest": digest_of(document)})
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return None, [
            Problem(
                f"{place} 第 {mark.line + 1} 行" if mark else place,
                "不是有效的 YAML",
                "检查缩进、引号和冒号后的空格",
            )
        ]
    except ValidationError as error:
        return None, [
            Problem(
                f"{place} → {'.'.join(str(part) for part in item['loc'] if part not in ('Leaf', 'Tree'))}",
                item["msg"].removeprefix("Value error, "),
                "删除或改正这个键；写法见 supervision/rules/README.md",
            )
            for item in error.errors()
        ]
    found = problems_of(rule, catalog, place)
    return (None if found else rule), found


def digest_of(document: Any) -> str:
    """Over what decides results: a change of words needs no new run, a change of a threshold does."""
    deciding = {key: document.get(key) for key in _DECIDES}
    return hashlib.sha256(
        json.dumps(deciding, ensure_ascii=False, sort_keys=True, default=str).encode()
    ).hexdigest()
