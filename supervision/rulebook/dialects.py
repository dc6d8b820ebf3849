"""The one place where a compiled query is put into another engine's words. Pure.

The compiler speaks Postgres. Its text is read back as a tree, the few things that other engines say otherwise are
replaced, and sqlglot writes the rest. What counts is that the same rows come out; ``PRELUDE`` holds the macros that
an engine's connection needs first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import sqlglot
from sqlglot import exp

Dialect = Literal["postgres", "duckdb", "spark"]

# It tells of every array index that it counts from nought, and back.
logging.getLogger("sqlglot").setLevel(logging.WARNING)

#: Statements that make a DuckDB connection answer like Postgres does (day boundaries, JSON of moments, rounding).
PRELUDE: dict[str, tuple[str, ...]] = {
    "duckdb": (
        "set timezone = 'Asia/Shanghai'",
        # jsonb writes a moment as 2026-01-01T08:00:00+08:00.
        "create or replace temp macro pg_json(x) as case when typeof(x) = 'TIMESTAMP WITH TIME ZONE'"
        " then to_json(replace(x::varchar, ' ', 'T') || ':00') else to_json(x) end",
        "create or replace temp macro pg_json_cat(a, b) as to_json(list_concat(a::json[], b::json[]))",
        # A float becomes a numeric by its fifteen leading digits, and then halves go away from nought.
        "create or replace temp macro pg_millionths(x) as (x * 1000000)::bigint",
        "create or replace temp macro pg_round(x, places) as round(printf('%.15g', x::double)::decimal(38, 12), places)",
    ),
    "spark": (),
}


@lru_cache(maxsize=512)
def translate(sql: str, dialect: Dialect) -> str:
    """A query of the compiler in the dialect's words; parameters keep their names (``$name``, ``:name``)."""
    if dialect == "postgres":
        return sql
    tree = sqlglot.parse_one(sql, read="postgres")
    if dialect == "duckdb":
        _drop_hints(tree)
        _list_records(tree)
        _lift_aggregates(tree)
        _name_unnested(tree)
    words = {"duckdb": _DUCKDB, "spark": _SPARK}[dialect]
    # Innermost first: what a function is replaced by may hold its arguments in another place.
    for node in reversed(list(tree.walk())):
        for kind, replace in words:
            if isinstance(node, kind):
                new = replace(node)
                if new is not node:
                    if node is tree:
                        tree = new
                    else:
                        node.replace(new)
                    node = new
    return tree.sql(dialect=dialect)


# -- shape: what has no word of its own -----------------------------------------------------------------


def _lift_aggregates(tree: exp.Expr) -> None:
    """Aggregates of a query that stand inside its subqueries (Postgres allows that) get a column one level further in.

    ``select (select max(y) from unnest(array_agg(x)) u(y)) from t group by g`` becomes
    ``select (… unnest(h.h0) …) from (select array_agg(x) as h0 from t group by g) h``.
    """
    for select in list(tree.find_all(exp.Select)):
        if not select.args.get("group"):
            continue
        lifted: list[tuple[exp.Expr, str]] = []
        plain: list[exp.Expr] = []
        outer: list[exp.Expr] = []
        for projection in select.expressions:
            inside = [
                aggregate
                for unnest in projection.find_all(exp.Unnest)
                for aggregate in unnest.find_all(exp.ArrayAgg)
                if aggregate.find_ancestor(exp.Unnest) is unnest
            ]
            if not inside:
                plain.append(projection)
                outer.append(exp.column(projection.alias_or_name, table="h", quoted=True))
                continue
            for aggregate in inside:
                whole = aggregate.parent if isinstance(aggregate.parent, exp.Filter) else aggregate
                name = f"h{len(lifted)}"
                column = exp.column(name, table="h", quoted=True)
                lifted.append((whole.copy(), name))
                whole.replace(column)
            outer.append(projection)
        if not lifted:
            continue
        inner = select.copy()
        inner.set("with_", None)
        inner.set(
            "expressions",
            [p.copy() for p in plain]
            + [exp.alias_(aggregate, name, quoted=True) for aggregate, name in lifted],
        )
        above = exp.select(*[item.copy() for item in outer]).from_(inner.subquery("h"))
        if select.args.get("with_"):
            above.set("with_", select.args["with_"])
        if select is not tree:
            select.replace(above)


def _drop_hints(tree: exp.Expr) -> None:
    """``cross join jsonb_array_elements('[0]')`` adds nothing; it tells Postgres's planner to expect many rows."""
    for join in list(tree.find_all(exp.Join)):
        call = join.this.this if isinstance(join.this, exp.Table) else join.this
        if isinstance(call, exp.Anonymous) and call.name.lower() == "jsonb_array_elements":
            join.pop()


def _list_records(tree: exp.Expr) -> None:
    """``(select jsonb_agg(f(x.r)) from (select distinct u.r from unnest(list) as u(r) order by u.r limit n) x)``.

    A subquery of its own for each row there; here the list is sorted, cut and mapped where it is.
    """
    for unnest in list(tree.find_all(exp.Unnest)):
        inner = unnest.find_ancestor(exp.Select)
        outer = inner.find_ancestor(exp.Select) if inner else None
        if inner is None or outer is None or not inner.args.get("limit"):
            continue
        aggregate = outer.expressions[0]
        if not (isinstance(aggregate, exp.Anonymous) and aggregate.name.lower() == "jsonb_agg"):
            continue
        ordered = aggregate.expressions[0]
        assert isinstance(ordered, exp.Order)  # noqa: S101  the compiler writes it so
        one = ordered.this.copy()
        for column in list(one.find_all(exp.Column)):
            if column.table == "x":
                column.replace(exp.column("r"))
        listed: exp.Expr = unnest.expressions[0].copy()
        if inner.args.get("distinct"):
            listed = _call("list_distinct", listed)
        first = _call(
            "list_slice",
            _call("list_sort", listed),
            exp.Literal.number(1),
            inner.args["limit"].expression.copy(),
        )
        mapped = _call("list_transform", first, exp.Lambda(this=one, expressions=[exp.to_identifier("r")]))
        whole = outer.parent
        assert isinstance(whole, exp.Subquery)  # noqa: S101  a value within a select
        whole.replace(_call("to_json", mapped))


def _name_unnested(tree: exp.Expr) -> None:
    """``unnest(x) r`` names its only column ``r``, too."""
    for unnest in tree.find_all(exp.Unnest):
        alias = unnest.args.get("alias")
        if alias is not None and alias.this is not None and not alias.columns:
            alias.set("columns", [alias.this.copy()])


# -- words ----------------------------------------------------------------------------------------------

_Replace = Callable[[exp.Expr], exp.Expr]
_JSON_CALLS = {"jsonb_build_array", "jsonb_build_object", "jsonb_agg", "jsonb_strip_nulls"}


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _is_json(node: exp.Expr) -> bool:
    """Whether a value is jsonb, as far as the compiler writes such values."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _JSON_CALLS | {"json_array", "pg_json_cat", "json_group_array"}
    if isinstance(node, exp.Cast):
        return bool(node.to.is_type("jsonb", "json"))
    if isinstance(node, exp.Coalesce):
        return any(_is_json(part) for part in (node.this, *node.expressions))
    if isinstance(node, exp.DPipe):
        return _is_json(node.left) or _is_json(node.right)
    return isinstance(node, exp.Paren) and _is_json(node.this)


def _in_json(node: exp.Expr) -> exp.Expr:
    """A value within JSON. Most kinds stand there as they are; every macro costs time at each planning."""
    if _is_json(node) or isinstance(node, exp.Literal | exp.Boolean | exp.Null):
        return node
    if isinstance(node, exp.Anonymous) and node.name.lower() == "json_object":
        return node
    if isinstance(node, exp.Cast) and node.to.is_type("text", "bigint", "date", "boolean"):
        return node
    return _call("pg_json", node)


def _duck_call(node: exp.Expr) -> exp.Expr:
    name, given = node.name.lower(), node.expressions
    if name == "jsonb_build_object":
        pairs = [item if i % 2 == 0 else _in_json(item) for i, item in enumerate(given)]
        return _call("json_object", *pairs)
    if name == "jsonb_build_array":
        return _call("json_array", *[_in_json(item) for item in given])
    if name == "jsonb_agg":
        listed = _duck_distinct(exp.ArrayAgg(this=given[0]))
        return _call("to_json", listed)
    if name == "jsonb_strip_nulls":
        return _call("json_merge_patch", exp.cast(exp.Literal.string("{}"), "json"), *given)
    if name == "jsonb_array_elements":
        return _call("unnest", exp.Array(expressions=[exp.Literal.number(0)]))
    return node


def _duck_div(node: exp.Expr) -> exp.Expr:
    """``div(moment, span)`` in whole microseconds, because a quotient of floats may round up to the next number."""
    number = _call("pg_millionths", node.args["this"])
    return exp.IntDiv(this=number, expression=_call("pg_millionths", node.args["expression"]))


def _duck_distinct(node: exp.Expr) -> exp.Expr:
    """Postgres sorts to find what is distinct, and leaves it sorted."""
    if not isinstance(node.this, exp.Distinct):
        return node
    inner = node.parent if isinstance(node.parent, exp.Filter) else node
    if inner is node:
        return _call("list_sort", node)
    return node


def _duck_filter(node: exp.Expr) -> exp.Expr:
    """The sorting goes round the filter, not into it."""
    if isinstance(node.this, exp.ArrayAgg) and isinstance(node.this.this, exp.Distinct):
        return _call("list_sort", node.copy())
    if isinstance(node.this, exp.Anonymous) and node.this.name.lower() in ("to_json", "list_sort"):
        call = node.this
        inner = call.expressions[0]
        node.set("this", inner.copy())
        rewrapped = _duck_filter(node) if isinstance(inner, exp.ArrayAgg | exp.Anonymous) else node
        return _call(call.name, rewrapped.copy())
    return node


def _duck_pipe(node: exp.Expr) -> exp.Expr:
    assert isinstance(node, exp.DPipe)  # noqa: S101  registered for these alone
    if _is_json(node):
        return _call("pg_json_cat", node.left, node.right)
    if isinstance(node.right.unnest(), exp.Add):
        # A sum is a number: an array is lengthened by it.
        return _call("list_append", node.left, node.right)
    return node


def _duck_element(node: exp.Expr) -> exp.Expr:
    """The first of gathered values: no list is made for it."""
    gathered = node.this.unnest()
    aggregate = gathered.this if isinstance(gathered, exp.Filter) else gathered
    if not isinstance(aggregate, exp.ArrayAgg):
        return node
    first: exp.Expr = _call("first", aggregate.this.copy())
    if isinstance(gathered, exp.Filter):
        first = exp.Filter(this=first, expression=gathered.expression.copy())
    return first


def _duck_coalesce(node: exp.Expr) -> exp.Expr:
    """An empty array is written ``[]``."""
    if node.this.find(exp.ArrayAgg):
        for other in node.expressions:
            if isinstance(other, exp.Literal) and other.name == "{}":
                other.replace(exp.Array(expressions=[]))
    return node


def _duck_interval(node: exp.Expr) -> exp.Expr:
    """``make_interval(years, months, weeks, days)`` by place, or ``hours`` by name."""
    makers = {
        "year": "to_years",
        "month": "to_months",
        "week": "to_weeks",
        "day": "to_days",
        "hour": "to_hours",
    }
    parts = []
    for key, maker in makers.items():
        value = node.args.get(key)
        if isinstance(value, exp.Kwarg):
            value = value.expression
        if value is not None and not (isinstance(value, exp.Literal) and value.name == "0"):
            parts.append(_call(maker, exp.cast(exp.paren(value.copy()), "int")))
    if not parts:
        return _call("to_days", exp.Literal.number(0))
    whole: exp.Expr = parts[0]
    for part in parts[1:]:
        whole = exp.Add(this=whole, expression=part)
    return exp.paren(whole) if len(parts) > 1 else whole


def _duck_cast(node: exp.Expr) -> exp.Expr:
    """Refs are text in the mirror; a bare numeric has room for every amount and quotient."""
    assert isinstance(node, exp.Cast)  # noqa: S101  registered for casts alone
    if node.to.is_type("uuid"):
        return exp.cast(node.this, "text")
    if node.to.is_type("jsonb"):
        return exp.cast(node.this, "json")
    if node.to.is_type("decimal") and not node.to.expressions:
        node.set("to", exp.DataType.build("decimal(38, 12)"))
    return node


def _duck_round(node: exp.Expr) -> exp.Expr:
    value = node.this
    if isinstance(value, exp.Cast) and value.to.is_type("decimal"):
        return _call("pg_round", value.this, node.args["decimals"])
    return node


def _duck_encode(node: exp.Expr) -> exp.Expr:
    return exp.Lower(this=_call("hex", node.this))


_DUCKDB: tuple[tuple[type[exp.Expr], _Replace], ...] = (
    (exp.Anonymous, _duck_call),
    (exp.Bracket, _duck_element),
    (exp.ArrayAgg, _duck_distinct),
    (exp.Filter, _duck_filter),
    (exp.DPipe, _duck_pipe),
    (exp.Coalesce, _duck_coalesce),
    (exp.IntDiv, _duck_div),
    (exp.MakeInterval, _duck_interval),
    (exp.Cast, _duck_cast),
    (exp.Round, _duck_round),
    (exp.Encode, _duck_encode),
)

_SPARK_NAMES = {
    "jsonb_build_array": "array",
    "jsonb_agg": "collect_list",
    "jsonb_build_object": "map",
    "jsonb_array_elements": "explode",
    "strpos": "instr",
    "div": "div",
}


def _spark_call(node: exp.Expr) -> exp.Expr:
    name = _SPARK_NAMES.get(node.name.lower())
    return _call(name, *node.expressions) if name else node


_SPARK: tuple[tuple[type[exp.Expr], _Replace], ...] = ((exp.Anonymous, _spark_call),)
