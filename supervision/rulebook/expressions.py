"""What operators compare, as SQL expressions. Pure; the catalogue that names them is ``operators.py``.

Each yields one condition that is null when it cannot be decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as made

from sqlglot import exp, parse_one


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
    #: further fields by their key in the leaf (end, other_end, lat, other_lat)
    more: dict[str, exp.Expression] = made(default_factory=dict)
    #: further parameters by their key in the leaf (low, high, years, metres)
    bounds: dict[str, exp.Expression] = made(default_factory=dict)
    #: whether the linked feed is covered as far as the leaf asks; never null
    covered: exp.Expression | None = None
    #: how many different values share the field's
    counted: exp.Expression | None = None


Sql = Callable[[Operands], exp.Expression]


def against(o: Operands) -> exp.Expression:
    assert o.against is not None  # noqa: S101  guaranteed by ``needs``
    return o.against


def month(value: exp.Expression) -> exp.Expression:
    # Without the cast a date is looked up in the zone's history, moment by moment.
    here = exp.cast(value, "timestamp")
    truncated = exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string("month"), here])
    return exp.cast(truncated, "date")


def plus_months(value: exp.Expression, months: exp.Expression | None) -> exp.Expression:
    if months is None:
        return value
    interval = exp.Anonymous(this="make_interval", expressions=[exp.Literal.number(0), months])
    return exp.cast(exp.Add(this=value, expression=interval), "date")


def day(value: exp.Expression) -> exp.Expression:
    """The calendar day in the connection's zone (Asia/Shanghai), for moments as for dates."""
    return exp.cast(value, "date")


def plus_days(value: exp.Expression, days: exp.Expression | None) -> exp.Expression:
    return day(value) if days is None else exp.Add(this=day(value), expression=days)


def _plus_years(value: exp.Expression, years: exp.Expression) -> exp.Expression:
    interval = exp.Anonymous(this="make_interval", expressions=[years])
    return exp.cast(exp.Add(this=day(value), expression=interval), "date")


def _open_end(value: exp.Expression | None) -> exp.Expression:
    """An interval without an end goes on."""
    ever = exp.cast(exp.Literal.string("9999-12-31"), "date")
    return ever if value is None else exp.Coalesce(this=day(value), expressions=[ever])


def overlaps(o: Operands) -> exp.Expression:
    """At least so many days (one, when none is named) lie in both intervals, both ends counted.

    Written as four comparisons, because the greatest of several values means other things to other engines when
    one of them is empty.
    """
    more = exp.Sub(this=o.days, expression=exp.Literal.number(1)) if o.days else exp.Literal.number(0)
    starts = [day(o.field), day(against(o))]
    ends = [_open_end(o.more.get("end")), _open_end(o.more.get("other_end"))]
    return exp.paren(
        exp.and_(
            *[
                exp.LTE(
                    this=exp.Add(this=start.copy(), expression=exp.paren(more.copy())), expression=end.copy()
                )
                for start in starts
                for end in ends
            ]
        )
    )


def covers_day(o: Operands) -> exp.Expression:
    return exp.paren(
        exp.and_(
            exp.LTE(this=day(o.field), expression=day(against(o))),
            exp.LTE(this=day(against(o)), expression=_open_end(o.more.get("end"))),
        )
    )


def month_within(o: Operands) -> exp.Expression:
    last = exp.Sub(this=plus_months(month(o.field), exp.Literal.number(1)), expression=exp.Literal.number(1))
    return exp.paren(
        exp.and_(
            exp.GTE(this=month(o.field), expression=day(against(o))),
            exp.LTE(this=last, expression=_open_end(o.more.get("other_end"))),
        )
    )


def within_days(o: Operands) -> exp.Expression:
    """Not farther from the other day than that, before or after."""
    return exp.paren(
        exp.and_(
            exp.LTE(this=day(o.field), expression=plus_days(against(o), o.days)),
            exp.LTE(this=day(against(o)), expression=plus_days(o.field, o.days)),
        )
    )


def gap_at_most(o: Operands) -> exp.Expression:
    """On the other day or after it, but not later than so many days."""
    return exp.paren(
        exp.and_(
            exp.GTE(this=day(o.field), expression=day(against(o))),
            exp.LTE(this=day(o.field), expression=plus_days(against(o), o.days)),
        )
    )


def birthday(o: Operands) -> exp.Expression:
    return _plus_years(o.field, o.bounds["years"])


def between(o: Operands) -> exp.Expression:
    return exp.paren(
        exp.and_(
            exp.GTE(this=o.field, expression=o.bounds["low"]),
            exp.LTE(this=o.field, expression=o.bounds["high"]),
        )
    )


def _begins(text: exp.Expression, word: exp.Expression) -> exp.Expression:
    length = exp.Anonymous(this="length", expressions=[word])
    return exp.EQ(this=exp.Anonymous(this="left", expressions=[text, length]), expression=word.copy())


def starts_with(o: Operands) -> exp.Expression:
    return exp.paren(exp.or_(*[_begins(o.field, word) for word in o.listed]))


def in_division(o: Operands) -> exp.Expression:
    """A province ends in four noughts, a prefecture in two: what begins like it lies in it."""

    def tail(code: exp.Expression, length: int) -> exp.Expression:
        return exp.Anonymous(this="right", expressions=[code.copy(), exp.Literal.number(length)])

    def head(code: exp.Expression, length: int) -> exp.Expression:
        return exp.Anonymous(this="left", expressions=[code.copy(), exp.Literal.number(length)])

    def prefix(code: exp.Expression) -> exp.Expression:
        return exp.Case(
            ifs=[
                exp.If(
                    this=exp.EQ(this=tail(code, size), expression=exp.Literal.string("0" * size)),
                    true=head(code, 6 - size),
                )
                for size in (4, 2)
            ],
            default=code.copy(),
        )

    return exp.paren(exp.or_(*[_begins(o.field, prefix(code)) for code in o.listed]))


def same_county(o: Operands) -> exp.Expression:
    def six(code: exp.Expression) -> exp.Expression:
        return exp.Anonymous(this="left", expressions=[code, exp.Literal.number(6)])

    return exp.EQ(this=six(o.field), expression=six(against(o)))


#: full-width digits and letters as plain ones; spaces and marks fall away
_WIDE = "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ"
_PLAIN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARKS = " 　\t,，.。、·•・-－—_()（）#＃"


def _spelled(text: exp.Expression) -> exp.Expression:
    alphabet = [exp.Literal.string(_WIDE + _MARKS), exp.Literal.string(_PLAIN)]
    return exp.Anonymous(
        this="translate", expressions=[exp.Anonymous(this="upper", expressions=[text]), *alphabet]
    )


def same_spelling(o: Operands) -> exp.Expression:
    return exp.EQ(this=_spelled(o.field), expression=_spelled(against(o)))


#: so many characters of a name or an address are compared (64 pairs); what follows is passed over
_COMPARED = 65
#: how many pairs of neighbouring characters of ``a`` stand in ``b`` as well. A count over a fixed series, because
#: that is a plain subquery to every engine.
_PAIRS = parse_one(
    "(select count(*) from generate_series(1, 64) as g(i)"
    " where g.i < length(a) and strpos(b, substr(a, g.i::int, 2)) > 0)",
    read="postgres",
)


def _pairs_of(one: exp.Expression, two: exp.Expression) -> exp.Expression:
    sides = {"a": one, "b": two}
    return _PAIRS.copy().transform(
        lambda node: (
            sides[node.name].copy()
            if isinstance(node, exp.Column) and not node.table and node.name in sides
            else node
        )
    )


def alike(one: exp.Expression, two: exp.Expression, percent: exp.Expression) -> exp.Expression:
    """Written much the same: of the pairs of neighbouring characters on both sides, so many percent on both.

    (common pairs of one in two + of two in one) × 100 ≥ percent × all pairs; spaces, marks, width and capitals aside.
    """

    def compared(text: exp.Expression) -> exp.Expression:
        return exp.Anonymous(this="left", expressions=[_spelled(text.copy()), exp.Literal.number(_COMPARED)])

    def pairs(text: exp.Expression) -> exp.Expression:
        length = exp.Anonymous(this="length", expressions=[compared(text)])
        return exp.Sub(this=length, expression=exp.Literal.number(1))

    a, b = compared(one), compared(two)
    common = exp.paren(exp.Add(this=_pairs_of(a, b), expression=_pairs_of(b, a)))
    every = exp.paren(exp.Add(this=exp.paren(pairs(one)), expression=exp.paren(pairs(two))))
    enough = exp.GTE(
        this=exp.Mul(this=common, expression=exp.Literal.number(100)),
        expression=exp.Mul(this=every, expression=percent.copy()),
    )
    some = exp.GT(this=every.copy(), expression=exp.Literal.number(0))
    same = exp.EQ(this=a.copy(), expression=b.copy())
    return exp.paren(exp.or_(same, exp.and_(some, enough)))


def similar(o: Operands) -> exp.Expression:
    assert o.percent is not None  # noqa: S101  guaranteed by ``needs``
    return alike(o.field, against(o), o.percent)


def mentions(o: Operands) -> exp.Expression:
    """The text holds the number as a mention 〔kind:ref〕."""
    ref = exp.DPipe(
        this=exp.DPipe(this=exp.Literal.string(":"), expression=exp.cast(against(o), "text")),
        expression=exp.Literal.string("〕"),
    )
    found = exp.Anonymous(this="strpos", expressions=[o.field, exp.paren(ref)])
    return exp.paren(exp.GT(this=found, expression=exp.Literal.number(0)))


def shared_by(o: Operands) -> exp.Expression:
    assert o.counted is not None  # noqa: S101  guaranteed by ``needs``
    return exp.paren(exp.GTE(this=o.counted, expression=o.bounds["low"]))


def months_ago(o: Operands) -> exp.Expression:
    """So many calendar months after the day have gone by; the last day of a shorter month stands for the missing one."""
    return exp.LTE(this=plus_months(day(o.field), o.months), expression=o.as_of)


def contains_all(o: Operands) -> exp.Expression:
    return exp.paren(
        exp.and_(
            *[
                exp.GT(
                    this=exp.Anonymous(this="strpos", expressions=[o.field, word]),
                    expression=exp.Literal.number(0),
                )
                for word in o.listed
            ]
        )
    )


_EARTH = 6371000


def distance_within(o: Operands) -> exp.Expression:
    """Great-circle metres between two places in degrees of one datum."""

    def call(name: str, *of: exp.Expression) -> exp.Expression:
        return exp.Anonymous(this=name, expressions=list(of))

    def half(one: exp.Expression, two: exp.Expression) -> exp.Expression:
        apart = call("radians", exp.Sub(this=two.copy(), expression=one.copy()))
        sine = call("sin", exp.Div(this=apart, expression=exp.Literal.number(2)))
        return exp.Mul(this=sine, expression=sine.copy())

    lat, other_lat = o.more["lat"], o.more["other_lat"]
    across = exp.Mul(
        this=exp.Mul(
            this=call("cos", call("radians", lat.copy())),
            expression=call("cos", call("radians", other_lat.copy())),
        ),
        expression=half(o.field, against(o)),
    )
    chord = exp.paren(exp.Add(this=half(lat, other_lat), expression=across))
    # No ``least``: it passes over what is empty. Rounding may carry the root a hair above one.
    root = call("sqrt", chord)
    one = exp.Literal.number(1)
    angle = call(
        "asin",
        exp.Case(ifs=[exp.If(this=exp.GT(this=root, expression=one), true=one.copy())], default=root.copy()),
    )
    metres = exp.Mul(this=exp.Literal.number(2 * _EARTH), expression=angle)
    return exp.paren(exp.LTE(this=metres, expression=o.bounds["metres"]))


def no_row(o: Operands) -> exp.Expression:
    """False when the optional link found a row; true when it found none and the feed is covered; else undecided."""
    assert o.covered is not None  # noqa: S101  guaranteed by ``needs``
    return exp.Case(
        ifs=[
            exp.If(this=exp.Not(this=empty(o)), true=exp.false()),
            exp.If(this=o.covered, true=exp.true()),
        ]
    )


def share_at_least(o: Operands) -> exp.Expression:
    """field × 100 ≥ other × percent; an ``other`` of zero makes no share and is false."""
    assert o.percent is not None  # noqa: S101  guaranteed by ``needs``
    hundredfold = exp.Mul(this=o.field, expression=exp.Literal.number(100))
    expected = exp.Mul(this=against(o), expression=o.percent)
    return exp.paren(
        exp.and_(
            exp.GTE(this=hundredfold, expression=expected),
            exp.GT(this=against(o).copy(), expression=exp.Literal.number(0)),
        )
    )


def deviation_above(o: Operands) -> exp.Expression:
    """Farther from the expected than that share of it, above or below; nothing expected is no measure: false."""
    assert o.percent is not None  # noqa: S101  guaranteed by ``needs``
    apart = exp.Abs(this=exp.Sub(this=o.field, expression=against(o)))
    return exp.paren(
        exp.and_(
            exp.GT(
                this=exp.Mul(this=apart, expression=exp.Literal.number(100)),
                expression=exp.Mul(this=against(o).copy(), expression=o.percent),
            ),
            exp.GT(this=against(o).copy(), expression=exp.Literal.number(0)),
        )
    )


def contains_any(o: Operands) -> exp.Expression:
    found = [
        exp.GT(
            this=exp.Anonymous(this="strpos", expressions=[o.field, word]), expression=exp.Literal.number(0)
        )
        for word in o.listed
    ]
    return exp.paren(exp.or_(*found), copy=False)


def binary(kind: type[exp.Binary]) -> Sql:
    def compare(o: Operands) -> exp.Expression:
        return exp.paren(kind(this=o.field, expression=against(o)), copy=False)

    return compare


def in_list(o: Operands) -> exp.Expression:
    return exp.In(this=o.field, expressions=o.listed)


def empty(o: Operands) -> exp.Expression:
    return exp.Is(this=o.field, expression=exp.Null())


def share_below(o: Operands) -> exp.Expression:
    """field × 100 < other × percent; an ``other`` of zero makes no share and is false."""
    assert o.percent is not None  # noqa: S101  guaranteed by ``needs``
    hundredfold = exp.Mul(this=o.field, expression=exp.Literal.number(100))
    return exp.LT(this=hundredfold, expression=exp.Mul(this=against(o), expression=o.percent))


def known(o: Operands) -> exp.Expression:
    """True or undecided, never false: an empty cell does not speak for anybody."""
    return exp.Case(ifs=[exp.If(this=exp.Not(this=empty(o)), true=exp.true())])
