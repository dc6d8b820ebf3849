"""The web form of a rule: a document ⇄ named fields of text, and every problem at its field. Pure.

A field's name follows the document, with numbers for the members of lists and of named groups: ``sources.0.key``,
``when.1.op``. What a form cannot read stays as it was typed, so nothing is lost and the check names it.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

import yaml
from pydantic import BaseModel

from supervision.rulebook.spec import Leaf, RuleSpec, Tree

Kind = Literal[
    "line", "whole", "day", "yes", "choice", "scalar",
    "names", "pairs", "days", "given", "group", "list", "keyed", "tree", "node",
]  # fmt: skip
Document = dict[str, Any]
Data = dict[str, str]

#: what joins conditions, as the form calls it
JOINS = ("all", "any", "not")
_BETWEEN = re.compile(r"[、,，\n]")


@dataclass(frozen=True)
class Shape:
    """One key of the document: what kind of field it is, of which model, and whether it must be there."""

    name: str
    kind: Kind
    model: type[BaseModel] | None = None
    required: bool = False
    choices: tuple[str, ...] = ()


@cache
def shapes(model: type[BaseModel]) -> tuple[Shape, ...]:
    """The fields of a model in the order of the form."""
    return tuple(
        _shape(info.alias or name, info.annotation, info.is_required())
        for name, info in model.model_fields.items()
        if name != "digest"
    )


def _shape(name: str, annotation: Any, required: bool) -> Shape:
    parts = _parts(annotation)
    one = parts[0]
    origin, inner = typing.get_origin(one), typing.get_args(one)
    if set(parts) == {Leaf, Tree}:
        return Shape(name, "node", None, required)
    if len(parts) > 1:
        return Shape(name, "scalar", None, required)
    if one is Tree:
        return Shape(name, "tree", None, required)
    if origin is tuple:
        member = inner[0]
        return Shape(name, "list" if _is_model(member) else "names", _model(member), required)
    if origin is dict:
        member = inner[1]
        if _is_model(member):
            return Shape(name, "keyed", member, required)
        return Shape(
            name,
            "given" if typing.get_origin(member) is tuple else "days" if member is date else "pairs",
            None,
            required,
        )
    if origin is Literal:
        return Shape(name, "choice", None, required, tuple(str(x) for x in inner))
    if _is_model(one):
        return Shape(name, "group", one, required)
    simple: dict[Any, Kind] = {bool: "yes", int: "whole", date: "day"}
    return Shape(name, simple.get(one, "line"), None, required)


def _parts(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [p for a in typing.get_args(annotation) for p in _parts(a) if p is not type(None)]
    return [annotation]


def _is_model(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseModel)


def _model(one: Any) -> type[BaseModel] | None:
    return one if _is_model(one) else None


# -- document → fields --------------------------------------------------------------------------------------


def encode(document: Mapping[str, Any]) -> Data:
    """A rule's document as the form's fields."""
    data: Data = {}
    _encode_group(document, RuleSpec, "", data)
    return data


def _encode_group(value: Mapping[str, Any], model: type[BaseModel], prefix: str, data: Data) -> None:
    for shape in shapes(model):
        if shape.name in value:
            _encode(value[shape.name], shape, prefix + shape.name, data)


def _encode(value: Any, shape: Shape, name: str, data: Data) -> None:
    if shape.kind in ("tree", "node"):
        _encode_node(value, name, data)
    elif shape.kind == "group" and shape.model and isinstance(value, Mapping):
        _encode_group(value, shape.model, f"{name}.", data)
    elif shape.kind == "list" and shape.model and isinstance(value, list | tuple):
        for index, member in enumerate(value):
            _encode_group(member, shape.model, f"{name}.{index}.", data)
    elif shape.kind == "keyed" and shape.model and isinstance(value, Mapping):
        for index, (key, member) in enumerate(value.items()):
            data[f"{name}.{index}.key"] = str(key)
            _encode_group(member, shape.model, f"{name}.{index}.", data)
    elif isinstance(value, str):
        data[name] = scalar_text(value) if shape.kind == "scalar" else value
    elif shape.kind in ("pairs", "days") and isinstance(value, Mapping):
        data[name] = "\n".join(f"{left} = {right}" for left, right in value.items())
    elif shape.kind == "given" and isinstance(value, Mapping):
        data[name] = "\n".join(
            f"{feed} | {_row_text(row)}".rstrip() for feed, rows in value.items() for row in rows or [{}]
        )
    elif shape.kind == "names" and isinstance(value, list | tuple):
        data[name] = "、".join(str(v) for v in value)
    else:
        data[name] = scalar_text(value)


def _encode_node(value: Any, name: str, data: Data) -> None:
    if not isinstance(value, Mapping):
        return
    join = next((key for key in JOINS if key in value), None)
    if join is None:
        data[f"{name}.kind"] = "leaf"
        _encode_group(value, Leaf, f"{name}.", data)
        return
    data[f"{name}.kind"] = join
    for index, child in enumerate([value[join]] if join == "not" else value[join] or ()):
        _encode_node(child, f"{name}.{index}", data)


def scalar_text(value: Any) -> str:
    """A value as it is typed: words as they are, numbers, dates, 是/否 as true/false, lists as [甲, 乙]."""
    if value is None:
        return ""
    if isinstance(value, str):
        return (
            value
            if value == value.strip() and _plain(value) == value
            else json.dumps(value, ensure_ascii=False)
        )
    return _dumped(value)


def _dumped(value: Any) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False
    ).strip()
    return text.removesuffix("\n...").strip()


def _row_text(row: Mapping[str, Any]) -> str:
    return _dumped(dict(row))[1:-1]


# -- fields → document --------------------------------------------------------------------------------------


def decode(data: Mapping[str, str]) -> Document:
    """The document that the fields say; what is left empty is not in it."""
    texts = {name: text.replace("\r\n", "\n").strip() for name, text in data.items()}
    return _decode_group(texts, RuleSpec, "")


def _decode_group(data: Data, model: type[BaseModel], prefix: str) -> Document:
    found: Document = {}
    for shape in shapes(model):
        value = _decode(data, shape, prefix + shape.name)
        if value is not None:
            found[shape.name] = value
    return found


def _decode(data: Data, shape: Shape, name: str) -> Any:
    text = data.get(name, "")
    match shape.kind:
        case "tree" | "node":
            return _decode_node(data, name)
        case "group" if shape.model:
            return _decode_group(data, shape.model, f"{name}.") or None
        case "list" if shape.model:
            found = [_decode_group(data, shape.model, f"{name}.{n}.") for n in members(data, name)]
            return [member for member in found if member] or None
        case "keyed" if shape.model:
            named: Document = {}
            for n in members(data, name):
                key = data.get(f"{name}.{n}.key", "")
                member = _decode_group(data, shape.model, f"{name}.{n}.")
                if key or member:
                    named[_free(key, named)] = member
            return named or None
    if not text:
        return None
    match shape.kind:
        case "names":
            parts = (part.strip() for part in _BETWEEN.split(text))
            return [part for part in parts if part] or None
        case "pairs":
            return _pairs(text)
        case "days":
            pairs = _pairs(text)
            return {k: _day(v) for k, v in pairs.items()} if isinstance(pairs, dict) else pairs
        case "given":
            return _given(text)
        case "scalar":
            return _plain(text)
        case "yes":
            return {"true": True, "false": False}.get(text, text)
        case "whole":
            return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else text
        case "day":
            return _day(text)
    return text


def _decode_node(data: Data, name: str) -> Any:
    kind = data.get(f"{name}.kind", "")
    if kind == "leaf" or (not kind and data.get(f"{name}.op")):
        return _decode_group(data, Leaf, f"{name}.") or None
    if kind not in JOINS:
        return None
    children = [
        child for n in members(data, name) if (child := _decode_node(data, f"{name}.{n}")) is not None
    ]
    if not children:
        return None
    return {kind: children[0] if kind == "not" and len(children) == 1 else children}


def members(data: Mapping[str, str], name: str) -> list[int]:
    """The numbers of the members that the fields name, in order."""
    start = f"{name}."
    found = {field[len(start) :].split(".")[0] for field in data if field.startswith(start)}
    return sorted(int(n) for n in found if n.isdecimal() and n.isascii())


def _free(key: str, taken: Mapping[str, Any]) -> str:
    """A key that is there once already is kept beside it, so that the check can name it."""
    while key in taken:
        key += "_again"
    return key


def _plain(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
    if isinstance(value, dict) or value is None:
        return text
    return value


def _pairs(text: str) -> Any:
    pairs: dict[str, str] = {}
    for line in filter(None, (part.strip() for part in text.split("\n"))):
        left, sign, right = line.partition("=")
        if not sign or not left.strip() or not right.strip() or left.strip() in pairs:
            return text
        pairs[left.strip()] = right.strip()
    return pairs


def _given(text: str) -> Any:
    given: dict[str, list[dict[str, Any]]] = {}
    for line in filter(None, (part.strip() for part in text.split("\n"))):
        feed, sign, cells = line.partition("|")
        if not sign or not feed.strip():
            return text
        rows = given.setdefault(feed.strip(), [])
        if not cells.strip():
            continue
        try:
            row = yaml.safe_load("{" + cells.strip() + "}")
        except (yaml.YAMLError, ValueError):
            return text
        if not isinstance(row, dict) or any(value is None and ":" not in cells for value in row.values()):
            return text
        rows.append(row)
    return given


def _day(text: str) -> Any:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


# -- places -------------------------------------------------------------------------------------------------


def field_of(document: Mapping[str, Any], place: str) -> str:
    """The form's field of a place in the document (``sources.pay.feed``, ``when.late.op``): the nearest that there is.

    Conditions are found by their id, members of named groups by their key, others by their number.
    """
    here: Any = document
    shape = Shape("", "group", RuleSpec)
    name: list[str] = []
    rest = [part for part in place.split(".") if part]
    # The check names every condition that is judged by row so, also those of the score and of shares.
    if rest[:1] == ["when"] and len(rest) > 1 and _find(document.get("when"), rest[1]) is None:
        for elsewhere in _elsewhere(document, rest[1]):
            return ".".join([elsewhere, *(r for r in rest[2:3] if r in Leaf.model_fields)])
    while rest:
        if shape.kind in ("tree", "node"):
            way = _step(here, rest)
            if way is None:
                break
            here, more, rest, leaf = way
            name += more
            if leaf:
                shape = Shape("", "group", Leaf)
            continue
        part = rest.pop(0)
        if shape.kind == "group" and shape.model:
            found = next((s for s in shapes(shape.model) if s.name == part), None)
            if found is None:
                break
            name.append(part)
            shape, here = found, here.get(part) if isinstance(here, Mapping) else None
            continue
        index = _index(here, part, shape)
        if index is None:
            break
        name.append(str(index))
        here = list(here.values())[index] if isinstance(here, Mapping) else here[index]
        shape = Shape("", "group", shape.model)
    return ".".join(name)


def _index(here: Any, part: str, shape: Shape) -> int | None:
    if shape.kind == "keyed" and isinstance(here, Mapping):
        return list(here).index(part) if part in here else None
    if shape.kind == "list" and isinstance(here, list | tuple):
        if part.isdecimal():
            return int(part) if int(part) < len(here) else None
        ids = [member.get("id") for member in here if isinstance(member, Mapping)]
        return ids.index(part) if part in ids else None
    return None


def _step(here: Any, rest: list[str]) -> tuple[Any, list[str], list[str], bool] | None:
    """One step into a tree: by the way (``all``, ``0``) or to the condition of that id."""
    if not isinstance(here, Mapping):
        return None
    join = next((key for key in JOINS if key in here), None)
    if join is None:
        return here, [], rest, True
    if rest[0] == join:
        children = [here[join]] if join == "not" else here[join]
        if join == "not":
            return children[0], ["0"], rest[1:], False
        if (
            len(rest) > 1
            and rest[1].isdecimal()
            and isinstance(children, list | tuple)
            and int(rest[1]) < len(children)
        ):
            return children[int(rest[1])], [rest[1]], rest[2:], False
        return None
    found = _find(here, rest[0])
    if found is None:
        return None
    way, leaf = found
    return leaf, way, rest[1:], True


def _find(node: Any, leaf_id: str) -> tuple[list[str], Any] | None:
    if not isinstance(node, Mapping):
        return None
    join = next((key for key in JOINS if key in node), None)
    if join is None:
        return ([], node) if node.get("id") == leaf_id else None
    children = node[join]
    children = children if isinstance(children, list | tuple) else [children]
    for index, child in enumerate(children):
        if (found := _find(child, leaf_id)) is not None:
            return [str(index), *found[0]], found[1]
    return None


def _elsewhere(document: Mapping[str, Any], leaf_id: str) -> list[str]:
    score = document.get("score")
    items = score.get("items") if isinstance(score, Mapping) else ()
    found = [
        f"score.items.{n}.when"
        for n, item in enumerate(items or ())
        if (item.get("when") or {}).get("id") == leaf_id
    ]
    measures = document.get("measures")
    for n, measure in enumerate(measures.values() if isinstance(measures, Mapping) else ()):
        if isinstance(measure, Mapping) and (measure.get("share") or {}).get("id") == leaf_id:
            found.append(f"measures.{n}.share")
    return found
