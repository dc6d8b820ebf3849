"""What is wrong with a rule's form: every problem at its field, with the cure. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from chuxiong.kit.problems import Problem
from ingestion.catalog.load import Catalog
from supervision.rulebook.check import problems_of
from supervision.rulebook.form import JOINS, Data, Document, decode, encode, field_of
from supervision.rulebook.load import LoadedRule, digest_of

#: kind of error → what, cure, in Chinese and English
_TOLD = {
    "missing": ("必须填写", "补上这一项", "must be filled in", "Fill it in"),
    "extra_forbidden": ("这里没有这一项", "删除", "does not belong here", "Delete it"),
    "string_pattern_mismatch": (
        "写法不对", "小写字母开头，只用小写字母、数字和下划线",
        "is not written as it must be", "Begin with a small letter; only small letters, digits and underscores",
    ),
    "literal_error": ("不是可选的值", "从列表中选一个", "is none of the choices", "Choose one of the list"),
    "int_parsing": ("不是整数", "写整数，例如 30", "is no whole number", "Write a whole number, such as 30"),
    "int_type": ("不是整数", "写整数，例如 30", "is no whole number", "Write a whole number, such as 30"),
    "date_from_datetime_parsing": (
        "不是日期", "按 2026-01-31 的写法填写", "is no date", "Write it as 2026-01-31"
    ),
    "date_parsing": ("不是日期", "按 2026-01-31 的写法填写", "is no date", "Write it as 2026-01-31"),
    "date_type": ("不是日期", "按 2026-01-31 的写法填写", "is no date", "Write it as 2026-01-31"),
    "string_type": ("不是文字", "数值作文字用时加引号，例如 \"01\"", "is no text", "Put a number that is text in quotes"),
    "too_short": ("数量不足", "至少补一项", "are too few", "Add at least one"),
    "dict_type": (
        "写法不对", "每行写一对，例如 pay.citizen_id = citizen_id",
        "is not written as it must be", "One pair a line, such as pay.citizen_id = citizen_id",
    ),
    "tuple_type": ("写法不对", "逐项填写", "is not written as it must be", "Write item by item"),
}  # fmt: skip
_GIVEN = (
    "写法不对", "每行写一条记录：数据源 | 列: 值, 列: 值",
    "is not written as it must be", "One record a line: feed | column: value, column: value",
)  # fmt: skip
_NO_TESTS = (
    "没有足够的样例", "至少写一个命中、一个不命中、一个未定的样例",
    "lacks stored tests", "Write at least one that is hit, one that is missed and one left undecided",
)  # fmt: skip


@dataclass(frozen=True)
class FieldProblem:
    """A problem at the form's field ``name`` ("" = the form as a whole)."""

    name: str
    problem: Problem


@dataclass(frozen=True)
class Checked:
    """``rule`` is None while there are problems; ``data`` are the fields as the document says them."""

    document: Document
    data: Data
    rule: LoadedRule | None
    problems: tuple[FieldProblem, ...]


def check_form(data: Mapping[str, str], catalog: Catalog) -> Checked:
    """Read the form and check it against the catalogue, as the loader checks a rule's file."""
    document = decode(data)
    found = [*_twice(data)]
    rule, problems = check_document(document, catalog)
    found += problems
    return Checked(document, encode(document), None if found else rule, tuple(found))


def check_document(document: Document, catalog: Catalog) -> tuple[LoadedRule | None, list[FieldProblem]]:
    """A rule's document; the problems name the form's fields."""
    try:
        rule = LoadedRule.model_validate({**document, "digest": digest_of(document)})
    except ValidationError as error:
        invalid = list(_invalid(document, error))
        # That a group lacks a member is no news where the member is named.
        return None, [p for p in invalid if not any(o.name.startswith(f"{p.name}.") for o in invalid)]
    found = [
        FieldProblem(field_of(document, at), Problem(at, p.what, p.cure, p.what_en, p.cure_en))
        for p in problems_of(rule, catalog, "")
        for at in [p.place.rpartition(" → ")[2]]
    ]
    expected = {test.expect for test in rule.tests}
    if expected != {"hit", "miss", "undecided"}:
        found.append(FieldProblem("tests", _problem("tests", _NO_TESTS)))
    known = {*catalog}
    for n, test in enumerate(rule.tests):
        for feed in test.given:
            if feed not in known:
                found.append(
                    FieldProblem(
                        f"tests.{n}.given",
                        Problem(
                            f"tests.{n}.given", f"没有“{feed}”", "改成数据目录里有的数据源",
                            f"there is no feed {feed}", "Name a feed of the catalogue",
                        ),
                    )
                )  # fmt: skip
                continue
            columns = {c.name for c in catalog[feed].columns} | {"county"}
            for wrong in sorted({c for row in test.given[feed] for c in row} - columns):
                found.append(
                    FieldProblem(
                        f"tests.{n}.given",
                        Problem(
                            f"tests.{n}.given", f"{feed} 没有列 {wrong}", "改成数据目录里有的列",
                            f"{feed} has no column {wrong}", "Name a column of the catalogue",
                        ),
                    )
                )  # fmt: skip
    return (None if found else rule), found


def document_of(text: str) -> Document:
    """A rule's YAML, which is known to be valid, as its document."""
    found = yaml.safe_load(text)
    return found if isinstance(found, dict) else {}


def text_of(document: Document) -> str:
    """A document as YAML; reading it back gives the same."""
    return str(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120))


def _invalid(document: Document, error: ValidationError) -> Iterable[FieldProblem]:
    seen = set()
    for item in error.errors():
        place = _place(document, item["loc"])
        if place is None:
            continue
        told = _TOLD.get(item["type"])
        name = field_of(document, place)
        if item["type"] == "value_error":
            problem = Problem(
                place,
                item["msg"].removeprefix("Value error, "),
                "改正后再保存",
                cure_en="Mend it and save again",
            )
        elif item["type"] in ("too_short", "missing") and place == "tests":
            problem = _problem(place, _NO_TESTS)
        elif "given" in place.split("."):
            problem = _problem(place, _GIVEN)
        elif told:
            problem = _problem(place, told)
        else:
            problem = Problem(
                place, f"写法不对（{item['msg']}）", "改正后再保存", item["msg"], "Mend it and save again"
            )
        if (name, problem.what) not in seen:
            seen.add((name, problem.what))
            yield FieldProblem(name, problem)


def _place(document: Document, loc: tuple[int | str, ...]) -> str | None:
    """The place in the document; None for the errors of the reading that a node's keys rule out."""
    here: Any = document
    parts = []
    for part in loc:
        if part in ("Leaf", "Tree"):
            joins = isinstance(here, Mapping) and any(key in here for key in JOINS)
            if joins != (part == "Tree"):
                return None
            continue
        if isinstance(part, str) and (
            part.startswith("list[") or part in ("str", "int", "float", "bool", "date")
        ):
            continue
        parts.append(str(part))
        if isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, list | tuple) and isinstance(part, int) and part < len(here):
            here = here[part]
    return ".".join(parts)


def _problem(place: str, told: tuple[str, str, str, str]) -> Problem:
    return Problem(place, *told)


def _twice(data: Mapping[str, str]) -> Iterable[FieldProblem]:
    """Keys of named groups that stand twice."""
    seen: dict[tuple[str, str], str] = {}
    for name, text in data.items():
        group, _, last = name.rpartition(".")
        if last != "key" or not text.strip():
            continue
        known = (group.rpartition(".")[0], text.strip())
        if known in seen:
            yield FieldProblem(
                name,
                Problem(name, f"“{text}”已用过", "换一个名称", f"“{text}” is taken", "Choose another name"),
            )
        seen[known] = name
