"""The closed catalogue of operators: each knows its types, words and SQL.

Three-valued after Kleene: an operator yields one SQL condition that is null when it cannot be decided;
the compiler turns it into two non-null booleans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

_DATES = frozenset({"date", "month", "datetime"})
_NUMBERS = frozenset({"money", "int", "number"})
_TEXTS = frozenset({"text", "code", "person_name", "org_name", "address", "enum", "division", "case_no"})
ANY = _DATES | _NUMBERS | _TEXTS | {"bool", "citizen_id", "credit_code", "phone"}


@dataclass(frozen=True)
class Operands:
    """What a leaf compares: its field, what stands against it, and calendar offsets, all as SQL."""

    field: exp.Expression
    against: exp.Expression | None
    listed: list[exp.Expression]
    months: exp.Expression | None
    days: exp.Expression | None
    percent: exp.Expression | None
    as_of: exp.Expression


Sql = Callable[[Operands], exp.Expression]


@dataclass(frozen=True)
class Operator:
    """``needs``: which of against (value, param, other), list, other, months, days, percent must stand in the leaf."""

    name: str
    types: frozenset[str]
    needs: frozenset[str]
    zh: str
    en: str
    sql: Sql
    #: moves with the calendar: a run must look again when its day comes
    clock: bool = False


def _against(o: Operands) -> exp.Expression:
    assert o.against is not None  # noqa: S101  guaranteed by ``needs``
    return o.against


def _month(value: exp.Expression) -> exp.Expression:
    truncated = exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string("month"), value])
    return exp.cast(truncated, "date")


def _plus_months(value: exp.Expression, months: exp.Expression | None) -> exp.Expression:
    if months is None:
        return value
    interval = exp.Anonymous(this="make_interval", expressions=[exp.Literal.number(0), months])
    return exp.cast(exp.Add(this=value, expression=interval), "date")


def _day(value: exp.Expression) -> exp.Expression:
    """The calendar day in the connection's zone (Asia/Shanghai), for moments as for dates."""
    return exp.cast(value, "date")


def _plus_days(value: exp.Expression, days: exp.Expression | None) -> exp.Expression:
    return _day(value) if days is None else exp.Add(this=_day(value), expression=days)


def _contains_any(o: Operands) -> exp.Expression:
    found = [
        exp.GT(
            this=exp.Anonymous(this="strpos", expressions=[o.field, word]), expression=exp.Literal.number(0)
        )
        for word in o.listed
    ]
    return exp.paren(exp.or_(*found), copy=False)


def _binary(kind: type[exp.Binary]) -> Sql:
    def compare(o: Operands) -> exp.Expression:
        return exp.paren(kind(this=o.field, expression=_against(o)), copy=False)

    return compare


def _in(o: Operands) -> exp.Expression:
    return exp.In(this=o.field, expressions=o.listed)


def _empty(o: Operands) -> exp.Expression:
    return exp.Is(this=o.field, expression=exp.Null())


def _share_below(o: Operands) -> exp.Expression:
    """field × 100 < other × percent; an ``other`` of zero makes no share and is false."""
    assert o.percent is not None  # noqa: S101  guaranteed by ``needs``
    hundredfold = exp.Mul(this=o.field, expression=exp.Literal.number(100))
    return exp.LT(this=hundredfold, expression=exp.Mul(this=_against(o), expression=o.percent))


def _known(o: Operands) -> exp.Expression:
    """True or undecided, never false: an empty cell does not speak for anybody."""
    return exp.Case(ifs=[exp.If(this=exp.Not(this=_empty(o)), true=exp.true())])


_ONE, _LIST, _OTHER, _NOTHING = (
    frozenset({"against"}),
    frozenset({"list"}),
    frozenset({"other"}),
    frozenset[str](),
)
_COMPARABLE = _DATES | _NUMBERS

OPERATORS: dict[str, Operator] = {
    operator.name: operator
    for operator in (
        Operator("=", ANY, _ONE, "是", "is", _binary(exp.EQ)),
        Operator("!=", ANY, _ONE, "不是", "is not", _binary(exp.NEQ)),
        Operator(">", _COMPARABLE, _ONE, "大于", "is greater than", _binary(exp.GT)),
        Operator(">=", _COMPARABLE, _ONE, "不少于", "is at least", _binary(exp.GTE)),
        Operator("<", _COMPARABLE, _ONE, "少于", "is less than", _binary(exp.LT)),
        Operator("<=", _COMPARABLE, _ONE, "不多于", "is at most", _binary(exp.LTE)),
        Operator("in_list", _TEXTS, _LIST, "属于", "is one of", _in),
        Operator(
            "not_in_list", _TEXTS, _LIST, "不属于", "is none of", lambda o: exp.Not(this=exp.paren(_in(o)))
        ),
        Operator("contains_any", _TEXTS, _LIST, "含有", "contains", _contains_any),
        Operator("is_present", ANY, _NOTHING, "已填写", "is filled in", lambda o: exp.Not(this=_empty(o))),
        Operator("is_known", ANY, _NOTHING, "须已知", "must be known", _known),
        Operator("is_empty", ANY, _NOTHING, "未填写", "is empty", _empty),
        Operator(
            "after_month_of",
            _DATES,
            _OTHER,
            "晚于所比月份",
            "is after the month of",
            lambda o: exp.GT(this=_month(o.field), expression=_plus_months(_month(_against(o)), o.months)),
        ),
        Operator(
            "before_month_of",
            _DATES,
            _OTHER,
            "早于所比月份",
            "is before the month of",
            lambda o: exp.LT(this=_plus_months(_month(o.field), o.months), expression=_month(_against(o))),
        ),
        Operator(
            "after_date",
            _DATES,
            _OTHER,
            "晚于",
            "is after",
            lambda o: exp.GT(this=_day(o.field), expression=_plus_days(_against(o), o.days)),
        ),
        Operator(
            "before_date",
            _DATES,
            _OTHER,
            "早于",
            "is before",
            lambda o: exp.LT(this=_plus_days(o.field, o.days), expression=_day(_against(o))),
        ),
        Operator(
            "share_below",
            _NUMBERS,
            frozenset({"other", "percent"}),
            "占比低于",
            "is a share below",
            _share_below,
        ),
        Operator(
            "days_ago_at_least",
            _DATES,
            frozenset({"days"}),
            "距今不少于",
            "lies back at least",
            lambda o: exp.LTE(this=_plus_days(o.field, o.days), expression=o.as_of),
            clock=True,
        ),
    )
}
