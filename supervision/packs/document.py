"""A rule as the text of its file, and back; text from elsewhere is bounded before it is built. Pure."""

from __future__ import annotations

from typing import Any

import yaml

from chuxiong.kit.problems import Problem
from ingestion.catalog.load import Catalog
from supervision.packs.limits import LIMITS
from supervision.rulebook.load import LoadedRule, read_rule

_README = "请对方按写法导出；写法见模型编写说明。"


class _Dumper(yaml.SafeDumper):
    """Without aliases: what stands twice is written twice, so that whoever reads a file may refuse them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text_of(rule: LoadedRule) -> str:
    """The rule as YAML, with its tests; reading it gives the same rule and the same digest."""
    document = rule.model_dump(mode="python", by_alias=True, exclude_unset=True, exclude={"digest"})
    return yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)


def read_foreign(content: bytes, place: str, catalog: Catalog) -> tuple[LoadedRule | None, list[Problem]]:
    """A rule from another house: the same checks as for our own, after size, depth and aliases have been bounded."""
    if len(content) > LIMITS.spec_bytes.value:
        return None, [
            Problem(
                place, f"超过 {LIMITS.spec_bytes.value} 字节", _README, f"more than {LIMITS.spec_bytes.value} bytes", "Ask for a smaller one."
            )
        ]  # fmt: skip
    try:
        text = content.decode("utf-8")
        wrong = _bounded(text)
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError):
        return None, [
            Problem(
                place, "不是 UTF-8 编码的 YAML", _README, "not YAML in UTF-8", "Ask for the exported file."
            )
        ]
    if wrong:
        return None, [
            Problem(f"{place} 第 {wrong[2]} 行", wrong[0], _README, wrong[1], "Ask for a plain export.")
        ]
    try:
        return read_rule(text, place, catalog)
    except (TypeError, AttributeError, ValueError, LookupError, RecursionError):
        # A document that is no mapping at all, or keys that are no words.
        return None, [
            Problem(place, "不是一个模型文件", _README, "no model file", "Ask for the exported file.")
        ]


def _bounded(text: str) -> tuple[str, str, int] | None:
    """What is wrong before anything is built: an alias (a small text can stand for millions), too deep, two documents."""
    depth, documents = 0, 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return "用了 YAML 的锚点或别名（& 和 *）", "an anchor or alias of YAML (& and *)", line
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                return "一个文件里有两个模型", "two documents in one file", line
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > LIMITS.spec_depth.value:
                return (
                    f"嵌套超过 {LIMITS.spec_depth.value} 层",
                    f"nested deeper than {LIMITS.spec_depth.value}",
                    line,
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None
