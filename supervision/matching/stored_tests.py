"""A rule's stored tests through its compiled SQL, on temporary tables: the pool is neither read nor written.

The tables are made from the catalogue, so that a rule over a feed that has no table yet is tested too.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any, TypeVar, cast

from django.db import connection, transaction

from ingestion.catalog.load import Catalog
from ingestion.pool import SYSTEM_COLUMNS, pool_columns
from supervision.rulebook.compiler import Plan, compile_rule
from supervision.rulebook.spec import (
    Absence,
    Leaf,
    Member,
    Node,
    RuleSpec,
    Source,
    Test,
    Tree,
    leaves,
)

_SPACE = uuid.UUID(int=7)
_COUNTY = "532301"


def failures(rule: RuleSpec, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """(test, expected, found) of every stored test that does not hold."""
    plan = compile_rule(rule, catalog)
    for test in rule.tests:
        verdict, level = _outcome(plan, catalog, test)
        expected = test.expect + (f" {test.level}" if test.level else "")
        found = verdict + (f" {level}" if test.level and level else "")
        if found != expected:
            yield test.name, expected, found


def unproved_leaves(rule: RuleSpec, catalog: Catalog) -> list[str]:
    """Conditions of ``when`` and ``having`` that could be turned round without any stored test noticing, by id, in
    reading order.

    Conditions on a whole occurrence (``cluster``) and of a score cannot be turned round in SQL and are not looked at.
    """
    return [place for place, mutant in _trees_turned(rule) if not any(failures(mutant, catalog))]


def unproved_parts(rule: RuleSpec, catalog: Catalog) -> list[str]:
    """The same of the conditions that say which records of sources and absences count, by place and id
    (``sources.pay.where.paid``). Asked of shipped rules."""
    return [place for place, mutant in _parts_turned(rule) if not any(failures(mutant, catalog))]


def _trees_turned(rule: RuleSpec) -> Iterator[tuple[str, RuleSpec]]:
    for key in ("when", "having"):
        tree: Tree | None = getattr(rule, key)
        if tree is None or (key == "having" and rule.cluster):
            continue
        for leaf in leaves(tree):
            yield leaf.id, rule.model_copy(update={key: negated(tree, leaf.id)})


def _parts_turned(rule: RuleSpec) -> Iterator[tuple[str, RuleSpec]]:
    for alias, source in rule.sources.items():
        for name, turned in _turned(source):
            yield (
                f"sources.{alias}.{name}",
                rule.model_copy(update={"sources": {**rule.sources, alias: turned}}),
            )
        for name, members in _each(source.any_of or ()):
            whole = source.model_copy(update={"any_of": members})
            yield (
                f"sources.{alias}.any_of.{name}",
                rule.model_copy(update={"sources": {**rule.sources, alias: whole}}),
            )
    for index, absence in enumerate(rule.without):
        for name, changed in (
            *_turned(absence),
            *((f"nor.{at}", absence.model_copy(update={"nor": nor})) for at, nor in _each(absence.nor)),
        ):
            rest = (*rule.without[:index], changed, *rule.without[index + 1 :])
            yield f"without.{absence.id}.{name}", rule.model_copy(update={"without": rest})


_Part = TypeVar("_Part", bound=Source | Member | Absence)


def _turned(part: _Part) -> Iterator[tuple[str, _Part]]:
    tree = part.where
    if tree is None:
        return
    for leaf in leaves(tree):
        turned = part.model_copy(update={"where": negated(tree, leaf.id)})
        yield f"where.{leaf.id}", cast("_Part", turned)


def _each(parts: tuple[_Part, ...]) -> Iterator[tuple[str, tuple[_Part, ...]]]:
    """The parts with one condition of one of them turned round."""
    for index, part in enumerate(parts):
        for name, turned in _turned(part):
            yield f"{part.feed}.{name}", (*parts[:index], turned, *parts[index + 1 :])


def negated(node: Node, leaf_id: str) -> Node:
    """The tree with one condition turned round."""
    if isinstance(node, Leaf):
        return Tree.model_validate({"not": node}) if node.id == leaf_id else node
    if node.negated is not None:
        return Tree.model_validate({"not": negated(node.negated, leaf_id)})
    key = "all" if node.all else "any"
    return Tree.model_validate({key: tuple(negated(child, leaf_id) for child in node.all or node.any or ())})


def _outcome(plan: Plan, catalog: Catalog, test: Test) -> tuple[str, str | None]:
    """Verdict and level; of several occurrences a hit stands before what is undecided."""
    query = plan.query()
    covers = {f"covers_{feed}": test.covers.get(feed) for feed in plan.feeds_absent}
    with transaction.atomic(), connection.cursor() as cursor:
        for code in plan.fields_read.keys() | test.given.keys():
            _fill(cursor, catalog, code, test.given.get(code, ()))
        cursor.execute(
            query.sql.replace('pool."', 'pg_temp."'),
            {**query.params, "landing": 1, "as_of": test.as_of, **covers},
        )
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        transaction.set_rollback(True)
    if not rows:
        return "miss", None
    row = min(rows, key=lambda r: r["verdict"] != "hit")
    return row["verdict"], row["level"]


def _fill(cursor: Any, catalog: Catalog, code: str, rows: tuple[dict[str, Any], ...]) -> None:
    kinds = pool_columns(catalog[code])
    body = ", ".join(f'"{name}" {kind}' for name, kind in (*SYSTEM_COLUMNS, *kinds.items()))
    cursor.execute(f'create temporary table "{code}" ({body}) on commit drop')
    for number, row in enumerate(rows, start=1):
        values = {name: _stored(value, kinds[name]) for name, value in row.items() if name != "county"}
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join(["%s"] * len(values))
        cursor.execute(
            f'insert into pg_temp."{code}" (natural_hash, row_hash, batch_id, row_no, from_landing, county, {names})'
            f" values (%s, %s, 1, %s, 1, %s, {marks})",
            [number.to_bytes(16, "big"), b"x", number, row.get("county", _COUNTY), *values.values()],
        )


def _stored(value: Any, kind: str) -> Any:
    """Identifiers of the tests (``P1``) as refs, in columns and inside text."""
    if kind == "uuid" and value is not None:
        return str(uuid.uuid5(_SPACE, value))
    if isinstance(value, str):
        return re.sub(
            r"〔(citizen_id|credit_code):(\w+)〕", lambda m: f"〔{m[1]}:{uuid.uuid5(_SPACE, m[2])}〕", value
        )
    return value
