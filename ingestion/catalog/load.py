"""Reads the feed files of a folder. Every error names file, key and cure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from chuxiong.kit.problems import Problem
from ingestion.catalog.spec import FeedSpec

Catalog = Mapping[str, FeedSpec]


class CatalogError(Exception):
    """One or more feed files are wrong; ``problems`` lists all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


# The C loader reads the catalogue ten times as fast; a PyYAML built without it still works.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Strict(_Loader):  # type: ignore[misc]
    """Safe YAML in which a key written twice is an error, not a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"键“{key}”写了两次", key_node.start_mark)
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_CURES = {
    "extra_forbidden": "删除这个键，或改成规定的键名",
    "missing": "补上这个键",
    "string_type": '写成带引号的字符串，例如 "0532301"',
    "string_pattern_mismatch": "只用小写字母、数字和下划线，以字母开头",
    "literal_error": "改成列出的取值之一",
}


def load_catalog(folder: Path) -> Catalog:
    """All feeds by code, in order of file name; raises ``CatalogError`` with every problem found."""
    feeds: dict[str, FeedSpec] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*/*.yaml")):
        place = f"{path.parent.name}/{path.name}"
        try:
            document = yaml.load(path.read_text(encoding="utf-8"), _Strict)  # noqa: S506
            feed = FeedSpec.model_validate(_tuples(document), strict=True)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{place} 第 {mark.line + 1} 行" if mark else place
            problems.append(
                Problem(
                    where,
                    "不是有效的 YAML",
                    f"检查缩进、引号和冒号后的空格（{getattr(error, 'problem', '')}）",
                )
            )
        except ValidationError as error:
            problems += [
                Problem(
                    f"{place} → {'.'.join(str(part) for part in item['loc']) or '文件'}",
                    item["msg"].removeprefix("Value error, "),
                    _CURES.get(item["type"], "按 docs/architecture.md 和相邻数据源文件改正"),
                )
                for item in error.errors()
            ]
        else:
            if feed.code != path.stem:
                problems.append(
                    Problem(
                        f"{place} → code", f"“{feed.code}”与文件名不同", f"改成 {path.stem}，或给文件改名"
                    )
                )
            if feed.code in feeds:
                problems.append(
                    Problem(f"{place} → code", f"“{feed.code}”已有另一个文件", "一个数据源只写一个文件")
                )
            feeds[feed.code] = feed
    for path in sorted(folder.rglob("*.yml")):
        problems.append(Problem(str(path.relative_to(folder)), "扩展名是 .yml，不会被读取", "改名为 .yaml"))
    if problems:
        raise CatalogError(problems)
    return feeds


def live(catalog: Catalog) -> Catalog:
    """The feeds that are delivered; those in reserve have no table, no deliveries and no readers."""
    return {code: feed for code, feed in catalog.items() if feed.status == "live"}


def _tuples(value: object) -> object:
    """YAML lists as tuples, as strict validation of frozen models wants them."""
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return value
