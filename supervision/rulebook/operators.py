"""The closed catalogue of operators: each knows its types, words and SQL.

Three-valued after Kleene: an operator yields one SQL condition that is null when it cannot be decided;
the compiler turns it into two non-null booleans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as made

from sqlglot import exp

from supervision.rulebook.spec import FIELD_KEYS

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
    #: further fields by their key in the leaf (end, other_end, lat, other_lat)
    more: dict[str, exp.Expression] = made(default_factory=dict)
    #: further parameters by their key in the leaf (low, high, years, metres)
    bounds: dict[str, exp.Expression] = made(default_factory=dict)
    #: whether the linked feed is covered as far as the leaf asks; never null
    covered: exp.Expression | None = None


Sql = Callable[[Operands], exp.Expression]

#: keys of a leaf that name a parameter
PARAM_KEYS = ("param", "months", "days", "percent", "low", "high", "years", "metres", "times")
_WIDGETS = {
    "against": "value",
    "list": "words",
    **dict.fromkeys(FIELD_KEYS, "field"),
    **dict.fromkeys(PARAM_KEYS[1:], "parameter"),
    "unit": "unit",
    "other_unit": "unit",
    "missing_as": "value",
}
_ORDER = tuple(_WIDGETS)


@dataclass(frozen=True)
class Operator:
    """``needs``: what must stand in the leaf: against (value, param, other), list, or a key of the leaf by its name."""

    name: str
    types: frozenset[str]
    needs: frozenset[str]
    zh: str
    en: str
    sql: Sql
    #: moves with the calendar: a run must look again when its day comes
    clock: bool = False
    #: keys that may stand in the leaf beside those it needs
    takes: frozenset[str] = frozenset()
    #: types of ``other`` where they are not those of ``field``
    other_types: frozenset[str] | None = None
    #: what an empty cell means, in words
    empty_zh: str = "为空时未定"
    empty_en: str = "undecided when empty"

    @property
    def inputs(self) -> tuple[dict[str, str], ...]:
        """The form's inputs after the field itself, in order: ``{"key", "widget", "required"}``.

        Widgets: ``value`` (one value, a parameter or another field), ``words`` (a list), ``field`` (a field to
        choose), ``parameter`` (a registered threshold), ``unit`` (of ``units.yaml``).
        """
        keys = [k for k in _ORDER if k in self.needs] + [k for k in _ORDER if k in self.takes]
        return tuple(
            {"key": key, "widget": _WIDGETS[key], "required": "yes" if key in self.needs else "no"}
            for key in keys
        )


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


def _plus_years(value: exp.Expression, years: exp.Expression) -> exp.Expression:
    interval = exp.Anonymous(this="make_interval", expressions=[years])
    return exp.cast(exp.Add(this=_day(value), expression=interval), "date")


def _open_end(value: exp.Expression | None) -> exp.Expression:
    """An interval without an end goes on."""
    ever = exp.cast(exp.Literal.string("9999-12-31"), "date")
    return ever if value is None else exp.Coalesce(this=_day(value), expressions=[ever])


def _overlaps(o: Operands) -> exp.Expression:
    """At least so many days (one, when none is named) lie in both intervals, both ends counted.

    Written as four comparisons, because the greatest of several values means other things to other engines when
    one of them is empty.
    """
    more = exp.Sub(this=o.days, expression=exp.Literal.number(1)) if o.days else exp.Literal.number(0)
    starts = [_day(o.field), _day(_against(o))]
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


def _covers_day(o: Operands) -> exp.Expression:
    return exp.paren(
        exp.and_(
            exp.LTE(this=_day(o.field), expression=_day(_against(o))),
            exp.LTE(this=_day(_against(o)), expression=_open_end(o.more.get("end"))),
        )
    )


def _month_within(o: Operands) -> exp.Expression:
    last = exp.Sub(
        this=_plus_months(_month(o.field), exp.Literal.number(1)), expression=exp.Literal.number(1)
    )
    return exp.paren(
        exp.and_(
            exp.GTE(this=_month(o.field), expression=_day(_against(o))),
            exp.LTE(this=last, expression=_open_end(o.more.get("other_end"))),
        )
    )


def _within_days(o: Operands) -> exp.Expression:
    """Not farther from the other day than that, before or after."""
    return exp.paren(
        exp.and_(
            exp.LTE(this=_day(o.field), expression=_plus_days(_against(o), o.days)),
            exp.LTE(this=_day(_against(o)), expression=_plus_days(o.field, o.days)),
        )
    )


def _gap_at_most(o: Operands) -> exp.Expression:
    """On the other day or after it, but not later than so many days."""
    return exp.paren(
        exp.and_(
            exp.GTE(this=_day(o.field), expression=_day(_against(o))),
            exp.LTE(this=_day(o.field), expression=_plus_days(_against(o), o.days)),
        )
    )


def _birthday(o: Operands) -> exp.Expression:
    return _plus_years(o.field, o.bounds["years"])


def _between(o: Operands) -> exp.Expression:
    return exp.paren(
        exp.and_(
            exp.GTE(this=o.field, expression=o.bounds["low"]),
            exp.LTE(this=o.field, expression=o.bounds["high"]),
        )
    )


def _begins(text: exp.Expression, word: exp.Expression) -> exp.Expression:
    length = exp.Anonymous(this="length", expressions=[word])
    return exp.EQ(this=exp.Anonymous(this="left", expressions=[text, length]), expression=word.copy())


def _starts_with(o: Operands) -> exp.Expression:
    return exp.paren(exp.or_(*[_begins(o.field, word) for word in o.listed]))


def _in_division(o: Operands) -> exp.Expression:
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


def _same_county(o: Operands) -> exp.Expression:
    def six(code: exp.Expression) -> exp.Expression:
        return exp.Anonymous(this="left", expressions=[code, exp.Literal.number(6)])

    return exp.EQ(this=six(o.field), expression=six(_against(o)))


#: full-width digits and letters as plain ones; spaces and marks fall away
_WIDE = "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ"
_PLAIN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARKS = " 　\t,，.。、·•・-－—_()（）#＃"


def _spelled(text: exp.Expression) -> exp.Expression:
    alphabet = [exp.Literal.string(_WIDE + _MARKS), exp.Literal.string(_PLAIN)]
    return exp.Anonymous(
        this="translate", expressions=[exp.Anonymous(this="upper", expressions=[text]), *alphabet]
    )


def _same_spelling(o: Operands) -> exp.Expression:
    return exp.EQ(this=_spelled(o.field), expression=_spelled(_against(o)))


def _contains_all(o: Operands) -> exp.Expression:
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


def _distance_within(o: Operands) -> exp.Expression:
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
        expression=half(o.field, _against(o)),
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


def _no_row(o: Operands) -> exp.Expression:
    """False when the optional link found a row; true when it found none and the feed is covered; else undecided."""
    assert o.covered is not None  # noqa: S101  guaranteed by ``needs``
    return exp.Case(
        ifs=[
            exp.If(this=exp.Not(this=_empty(o)), true=exp.false()),
            exp.If(this=o.covered, true=exp.true()),
        ]
    )


def _share_at_least(o: Operands) -> exp.Expression:
    """field × 100 ≥ other × percent; an ``other`` of zero makes no share and is false."""
    assert o.percent is not None  # noqa: S101  guaranteed by ``needs``
    hundredfold = exp.Mul(this=o.field, expression=exp.Literal.number(100))
    expected = exp.Mul(this=_against(o), expression=o.percent)
    return exp.paren(
        exp.and_(
            exp.GTE(this=hundredfold, expression=expected),
            exp.GT(this=_against(o).copy(), expression=exp.Literal.number(0)),
        )
    )


def _deviation_above(o: Operands) -> exp.Expression:
    """Farther from the expected than that share of it, above or below; nothing expected is no measure: false."""
    assert o.percent is not None  # noqa: S101  guaranteed by ``needs``
    apart = exp.Abs(this=exp.Sub(this=o.field, expression=_against(o)))
    return exp.paren(
        exp.and_(
            exp.GT(
                this=exp.Mul(this=apart, expression=exp.Literal.number(100)),
                expression=exp.Mul(this=_against(o).copy(), expression=o.percent),
            ),
            exp.GT(this=_against(o).copy(), expression=exp.Literal.number(0)),
        )
    )


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
_SCALED = frozenset({"times", "unit", "other_unit"})
_OTHER_DAYS = frozenset({"other", "days"})
_WORDS = frozenset({"text", "code", "person_name", "org_name", "address", "enum", "case_no", "division"})
_FULL_DAYS = frozenset({"date", "datetime"})

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
            takes=_SCALED,
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
        Operator(
            "between",
            _COMPARABLE,
            frozenset({"low", "high"}),
            "介于（含两端）",
            "lies between (both included)",
            _between,
        ),
        Operator("starts_with", _WORDS, _LIST, "开头是", "starts with", _starts_with),
        Operator("contains_all", _WORDS, _LIST, "同时含有", "contains all of", _contains_all),
        Operator(
            "contains_none",
            _WORDS,
            _LIST,
            "不含",
            "contains none of",
            lambda o: exp.Not(this=_contains_any(o)),
        ),
        Operator(
            "same_county",
            frozenset({"division", "code"}),
            _OTHER,
            "同属一县（市）",
            "lies in the same county as",
            _same_county,
        ),
        Operator(
            "in_division",
            frozenset({"division", "code"}),
            _LIST,
            "位于辖区",
            "lies in the division",
            _in_division,
        ),
        Operator(
            "within_days_of",
            _DATES,
            _OTHER_DAYS,
            "前后相差不超过",
            "is at most so many days from",
            _within_days,
        ),
        Operator(
            "gap_days_at_least",
            _DATES,
            _OTHER_DAYS,
            "晚于所比日期且相隔不少于",
            "comes at least so many days after",
            lambda o: exp.GTE(this=_day(o.field), expression=_plus_days(_against(o), o.days)),
        ),
        Operator(
            "gap_days_at_most",
            _DATES,
            _OTHER_DAYS,
            "不早于所比日期且相隔不超过",
            "comes at most so many days after",
            _gap_at_most,
        ),
        Operator(
            "in_same_month",
            _DATES,
            _OTHER,
            "同一月份",
            "lies in the same month as",
            lambda o: exp.EQ(this=_month(o.field), expression=_month(_against(o))),
        ),
        # 周岁 begins on the day after the birthday: 法释〔2006〕1号第二条.
        Operator(
            "age_at_least",
            _FULL_DAYS,
            frozenset({"other", "years"}),
            "（出生日期）至所比日期已满周岁",
            "(date of birth) has reached the age by",
            lambda o: exp.LT(this=_birthday(o), expression=_day(_against(o))),
        ),
        Operator(
            "age_below",
            _FULL_DAYS,
            frozenset({"other", "years"}),
            "（出生日期）至所比日期不满周岁",
            "(date of birth) is below the age on",
            lambda o: exp.GTE(this=_birthday(o), expression=_day(_against(o))),
        ),
        Operator(
            "overlaps",
            _FULL_DAYS,
            _OTHER,
            "（起始日）期间与所比期间重叠",
            "(start) the interval overlaps with that from",
            _overlaps,
            takes=frozenset({"end", "other_end", "days"}),
            empty_zh="起始日为空时未定，结束日为空视为持续",
            empty_en="undecided without a start; without an end it goes on",
        ),
        Operator(
            "covers_day",
            _FULL_DAYS,
            _OTHER,
            "（起始日）期间包含所比日期",
            "(start) the interval covers the day",
            _covers_day,
            takes=frozenset({"end"}),
            empty_zh="起始日为空时未定，结束日为空视为持续",
            empty_en="undecided without a start; without an end it goes on",
        ),
        Operator(
            "month_within",
            _DATES,
            _OTHER,
            "整月都在所比期间内",
            "the whole month lies in the interval from",
            _month_within,
            takes=frozenset({"other_end"}),
            empty_zh="起始日为空时未定，结束日为空视为持续",
            empty_en="undecided without a start; without an end it goes on",
        ),
        Operator(
            "share_at_least",
            _NUMBERS,
            frozenset({"other", "percent"}),
            "占比不低于",
            "is a share of at least",
            _share_at_least,
            takes=_SCALED,
        ),
        Operator(
            "deviation_above",
            _NUMBERS,
            frozenset({"other", "percent"}),
            "与应有值相差超过",
            "is off the expected by more than",
            _deviation_above,
            takes=_SCALED,
        ),
        Operator(
            "distance_within",
            frozenset({"number"}),
            frozenset({"lat", "other", "other_lat", "metres"}),
            "（经度）两地相距不超过",
            "(longitude) is at most so many metres from",
            _distance_within,
        ),
        Operator(
            "same_name",
            frozenset({"person_name", "org_name", "text"}),
            _OTHER,
            "名称写法一致",
            "is the same name, spelling aside, as",
            _same_spelling,
        ),
        Operator(
            "same_address",
            frozenset({"address", "text"}),
            _OTHER,
            "地址写法一致",
            "is the same address, spelling aside, as",
            _same_spelling,
        ),
        Operator(
            "no_row",
            ANY,
            _OTHER_DAYS,
            "没有对应记录",
            "has no such record",
            _no_row,
            other_types=_DATES,
            empty_zh="数据未覆盖到期间末时未定",
            empty_en="undecided until its feed is covered",
        ),
    )
}
