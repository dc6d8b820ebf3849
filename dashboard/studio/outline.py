"""The form of a rule as a page shows it: groups, lists and fields in order, with words, choices and problems. No request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from chuxiong.kit.problems import Problem
from supervision.rulebook.form import JOINS, Data, Shape, members, shapes
from supervision.rulebook.form_check import FieldProblem
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.spec import Leaf, RuleSpec

_FIELDS = Path(__file__).with_name("fields.yaml")
_LEAF = Shape("when_leaf", "group", Leaf)


class Words(BaseModel):
    """``of``: what may be typed is listed; ``fixed``: stands, and is not typed; ``usual``: need not be
    filled, and nearly always is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    zh: str
    en: str
    help_zh: str = ""
    help_en: str = ""
    of: str = ""
    long: bool = False
    fixed: bool = False
    usual: bool = False


@dataclass
class Item:
    """One field, group, list or condition. ``more`` are those of its fields that are empty and need not be filled."""

    name: str
    kind: str
    words: Words
    value: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    more: list[Item] = field(default_factory=list)
    #: its number among its likes, from 1; 0 where it stands alone
    number: int = 0

    @property
    def anchor(self) -> str:
        return "f-" + self.name.replace(".", "-")

    @property
    def filled(self) -> bool:
        """Whether anything stands in it, or is wrong with it."""
        return _filled(self)

    @property
    def rows(self) -> int:
        """Lines that a long field needs."""
        return min(14, max(1, self.value.count("\n") + 1 + len(self.value) // 110))


@cache
def _words() -> dict[str, Words]:
    document: dict[str, Any] = yaml.safe_load(_FIELDS.read_text(encoding="utf-8"))
    return {key: Words.model_validate(value) for key, value in document.items()}


def words_of(model: type[BaseModel] | None, name: str) -> Words:
    """What the form calls a field of a model."""
    words = _words()
    return words.get(f"{model.__name__}.{name}" if model else name) or words[name]


def called(items: Iterable[Item], before: tuple[Words, ...] = ()) -> dict[str, tuple[Words, ...]]:
    """Field → what it is called, from its part of the form on."""
    found: dict[str, tuple[Words, ...]] = {}
    for item in items:
        way = before if before and before[-1] == item.words else (*before, item.words)
        found[item.name] = way
        found |= called([*item.items, *item.more], way)
    return found


def outline(data: Data, problems: Iterable[FieldProblem]) -> list[Item]:
    """The whole form, by the keys of the document."""
    told: dict[str, list[Problem]] = {}
    for problem in problems:
        told.setdefault(problem.name, []).append(problem.problem)
    return [_item(data, told, shape, shape.name, RuleSpec) for shape in shapes(RuleSpec)]


def _item(
    data: Data, told: Mapping[str, list[Problem]], shape: Shape, name: str, model: type[BaseModel]
) -> Item:
    words = words_of(model, shape.name)
    item = Item(
        name, shape.kind, words, data.get(name, ""), shape.required, shape.choices, list(told.get(name, ()))
    )
    match shape.kind:
        case "group" if shape.model:
            _group(item, data, told, shape.model, f"{name}.")
        case "list" | "keyed" if shape.model:
            for count, n in enumerate(members(data, name), 1):
                item.items.append(_member(data, told, shape, f"{name}.{n}", words, count))
        case "tree":
            if f"{name}.kind" in data or shape.required:
                _node(item, data, told, name)
    return item


def _member(
    data: Data, told: Mapping[str, list[Problem]], shape: Shape, name: str, words: Words, count: int
) -> Item:
    assert shape.model is not None  # noqa: S101  lists of groups only come here
    member = Item(name, "member", words, problems=list(told.get(name, ())), number=count)
    if shape.kind == "keyed":
        key = Item(f"{name}.key", "line", words_of(None, "key"), data.get(f"{name}.key", ""), True)
        key.problems = list(told.get(key.name, ()))
        member.items.append(key)
    _group(member, data, told, shape.model, f"{name}.")
    return member


def _group(
    item: Item, data: Data, told: Mapping[str, list[Problem]], model: type[BaseModel], prefix: str
) -> None:
    if model is Leaf:
        _leaf(item, data, told, prefix)
        return
    for shape in shapes(model):
        one = _item(data, told, shape, prefix + shape.name, model)
        shown = shape.required or one.words.usual or _filled(one)
        (item.items if shown else item.more).append(one)


def _filled(item: Item) -> bool:
    return bool(
        item.value
        or item.problems
        or item.kind == "join"
        or any(_filled(i) for i in [*item.items, *item.more])
    )


def _leaf(item: Item, data: Data, told: Mapping[str, list[Problem]], prefix: str) -> None:
    """Of the many keys of a condition those that its operator takes, and whatever is filled in."""
    operator = OPERATORS.get(data.get(f"{prefix}op", ""))
    takes = {i["key"] for i in operator.inputs} if operator else {"against"}
    takes |= (
        {"value", "param", "other"}
        if "against" in takes
        else {"value", "param"}
        if "list" in takes
        else set()
    )
    for shape in shapes(Leaf):
        one = _item(data, told, shape, prefix + shape.name, Leaf)
        if shape.required or shape.name in takes or _filled(one):
            item.items.append(one)
        elif shape.name == "missing_as":
            item.more.append(one)


def _node(item: Item, data: Data, told: Mapping[str, list[Problem]], name: str) -> None:
    item.value = data.get(f"{name}.kind", "all")
    if item.value == "leaf":
        item.kind = "leaf"
        _leaf(item, data, told, f"{name}.")
        return
    item.kind, item.choices = "join", JOINS
    for count, n in enumerate(members(data, name), 1):
        child = Item(f"{name}.{n}", "node", words_of(None, "when_leaf"), number=count)
        child.problems = list(told.get(child.name, ()))
        _node(child, data, told, child.name)
        item.items.append(child)


# -- what the buttons of the form do to its fields ------------------------------------------------------------


def changed(data: Mapping[str, str], act: str) -> Data:
    """The fields after a button: ``add:link``, ``leaf:when``, ``join:when.0``, ``remove:when.1``. Others stay as typed."""
    what, _, name = act.partition(":")
    found = dict(data)
    if what == "remove":
        return {k: v for k, v in found.items() if k != name and not k.startswith(f"{name}.")}
    n = max(members(found, name), default=-1) + 1
    if what == "add":
        found[f"{name}.{n}.new"] = ""
    elif what in ("leaf", "join"):
        found.setdefault(f"{name}.kind", "all")
        place = f"{name}.{n}"
        found[f"{place}.kind"] = "leaf" if what == "leaf" else "any"
        if what == "join":
            found[f"{place}.0.kind"] = "leaf"
    return found
