"""The closed catalogue of operators: each knows its types, words and SQL.

Three-valued after Kleene: an operator yields one SQL condition that is null when it cannot be decided;
the compiler turns it into two non-null booleans.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from supervision.rulebook.expressions import (
    Sql,
    against,
    between,
    binary,
    birthday,
    contains_all,
    contains_any,
    covers_day,
    day,
    deviation_above,
    distance_within,
    empty,
    gap_at_most,
    in_division,
    in_list,
    known,
    mentions,
    month,
    month_within,
    months_ago,
    no_row,
    overlaps,
    plus_days,
    plus_months,
    same_county,
    same_spelling,
    share_at_least,
    share_below,
    shared_by,
    similar,
    starts_with,
    within_days,
)
from supervision.rulebook.spec import FIELD_KEYS

_DATES = frozenset({"date", "month", "datetime"})
_NUMBERS = frozenset({"money", "int", "number"})
_TEXTS = frozenset({"text", "code", "person_name", "org_name", "address", "enum", "division", "case_no"})
ANY = _DATES | _NUMBERS | _TEXTS | {"bool", "citizen_id", "credit_code", "phone"}


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
    #: the type of the parameter where it is not that of ``field``
    param_type: str | None = None
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
        Operator("=", ANY, _ONE, "是", "is", binary(exp.EQ)),
        Operator("!=", ANY, _ONE, "不是", "is not", binary(exp.NEQ)),
        Operator(">", _COMPARABLE, _ONE, "大于", "is greater than", binary(exp.GT)),
        Operator(">=", _COMPARABLE, _ONE, "不少于", "is at least", binary(exp.GTE)),
        Operator("<", _COMPARABLE, _ONE, "少于", "is less than", binary(exp.LT)),
        Operator("<=", _COMPARABLE, _ONE, "不多于", "is at most", binary(exp.LTE)),
        Operator("in_list", _TEXTS, _LIST, "属于", "is one of", in_list),
        Operator(
            "not_in_list",
            _TEXTS,
            _LIST,
            "不属于",
            "is none of",
            lambda o: exp.Not(this=exp.paren(in_list(o))),
        ),
        Operator("contains_any", _TEXTS, _LIST, "含有", "contains", contains_any),
        Operator("is_present", ANY, _NOTHING, "已填写", "is filled in", lambda o: exp.Not(this=empty(o))),
        Operator("is_known", ANY, _NOTHING, "须已知", "must be known", known),
        Operator("is_empty", ANY, _NOTHING, "未填写", "is empty", empty),
        Operator(
            "after_month_of",
            _DATES,
            _OTHER,
            "晚于所比月份",
            "is after the month of",
            lambda o: exp.GT(this=month(o.field), expression=plus_months(month(against(o)), o.months)),
        ),
        Operator(
            "before_month_of",
            _DATES,
            _OTHER,
            "早于所比月份",
            "is before the month of",
            lambda o: exp.LT(this=plus_months(month(o.field), o.months), expression=month(against(o))),
        ),
        Operator(
            "after_date",
            _DATES,
            _OTHER,
            "晚于",
            "is after",
            lambda o: exp.GT(this=day(o.field), expression=plus_days(against(o), o.days)),
        ),
        Operator(
            "before_date",
            _DATES,
            _OTHER,
            "早于",
            "is before",
            lambda o: exp.LT(this=plus_days(o.field, o.days), expression=day(against(o))),
        ),
        Operator(
            "share_below",
            _NUMBERS,
            frozenset({"other", "percent"}),
            "占比低于",
            "is a share below",
            share_below,
            takes=_SCALED,
        ),
        Operator(
            "days_ago_at_least",
            _DATES,
            frozenset({"days"}),
            "距今不少于",
            "lies back at least",
            lambda o: exp.LTE(this=plus_days(o.field, o.days), expression=o.as_of),
            clock=True,
        ),
        Operator(
            "between",
            _COMPARABLE,
            frozenset({"low", "high"}),
            "介于（含两端）",
            "lies between (both included)",
            between,
        ),
        Operator("starts_with", _WORDS, _LIST, "开头是", "starts with", starts_with),
        Operator("contains_all", _WORDS, _LIST, "同时含有", "contains all of", contains_all),
        Operator(
            "contains_none",
            _WORDS,
            _LIST,
            "不含",
            "contains none of",
            lambda o: exp.Not(this=contains_any(o)),
        ),
        Operator(
            "same_county",
            frozenset({"division", "code"}),
            _OTHER,
            "同属一县（市）",
            "lies in the same county as",
            same_county,
        ),
        Operator(
            "in_division",
            frozenset({"division", "code"}),
            _LIST,
            "位于辖区",
            "lies in the division",
            in_division,
        ),
        Operator(
            "within_days_of",
            _DATES,
            _OTHER_DAYS,
            "前后相差不超过",
            "is at most so many days from",
            within_days,
        ),
        Operator(
            "gap_days_at_least",
            _DATES,
            _OTHER_DAYS,
            "晚于所比日期且相隔不少于",
            "comes at least so many days after",
            lambda o: exp.GTE(this=day(o.field), expression=plus_days(against(o), o.days)),
        ),
        Operator(
            "gap_days_at_most",
            _DATES,
            _OTHER_DAYS,
            "不早于所比日期且相隔不超过",
            "comes at most so many days after",
            gap_at_most,
        ),
        Operator(
            "in_same_month",
            _DATES,
            _OTHER,
            "同一月份",
            "lies in the same month as",
            lambda o: exp.EQ(this=month(o.field), expression=month(against(o))),
        ),
        # 周岁 begins on the day after the birthday: 法释〔2006〕1号第二条.
        Operator(
            "age_at_least",
            _FULL_DAYS,
            frozenset({"other", "years"}),
            "（出生日期）至所比日期已满周岁",
            "(date of birth) has reached the age by",
            lambda o: exp.LT(this=birthday(o), expression=day(against(o))),
        ),
        Operator(
            "age_below",
            _FULL_DAYS,
            frozenset({"other", "years"}),
            "（出生日期）至所比日期不满周岁",
            "(date of birth) is below the age on",
            lambda o: exp.GTE(this=birthday(o), expression=day(against(o))),
        ),
        Operator(
            "overlaps",
            _FULL_DAYS,
            _OTHER,
            "（起始日）期间与所比期间重叠",
            "(start) the interval overlaps with that from",
            overlaps,
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
            covers_day,
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
            month_within,
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
            share_at_least,
            takes=_SCALED,
        ),
        Operator(
            "deviation_above",
            _NUMBERS,
            frozenset({"other", "percent"}),
            "与应有值相差超过",
            "is off the expected by more than",
            deviation_above,
            takes=_SCALED,
        ),
        Operator(
            "distance_within",
            frozenset({"number"}),
            frozenset({"lat", "other", "other_lat", "metres"}),
            "（经度）两地相距不超过",
            "(longitude) is at most so many metres from",
            distance_within,
        ),
        Operator(
            "same_name",
            frozenset({"person_name", "org_name", "text"}),
            _OTHER,
            "名称写法一致",
            "is the same name, spelling aside, as",
            same_spelling,
        ),
        Operator(
            "same_address",
            frozenset({"address", "text"}),
            _OTHER,
            "地址写法一致",
            "is the same address, spelling aside, as",
            same_spelling,
        ),
        Operator(
            "similar_name",
            frozenset({"person_name", "org_name", "text"}),
            frozenset({"other", "percent"}),
            "名称写法相近，相同字对占比不低于",
            "is a name much like (pairs of characters in common, of at least)",
            similar,
        ),
        Operator(
            "similar_address",
            frozenset({"address", "text"}),
            frozenset({"other", "percent"}),
            "地址写法相近，相同字对占比不低于",
            "is an address much like (pairs of characters in common, of at least)",
            similar,
        ),
        Operator(
            "mentions",
            frozenset({"text"}),
            _OTHER,
            "（名单）载有",
            "(a list) names",
            mentions,
            other_types=frozenset({"citizen_id", "credit_code", "phone"}),
        ),
        Operator(
            "shared_by",
            _TEXTS | {"citizen_id", "credit_code", "phone", "date"},
            frozenset({"other", "low"}),
            "（同一值）涉及的不同对象不少于",
            "(the same value) is shared by at least so many different",
            shared_by,
            takes=frozenset({"at", "days"}),
            other_types=ANY,
            param_type="int",
        ),
        Operator(
            "months_ago_at_least",
            _DATES,
            frozenset({"months"}),
            "距今不少于（月）",
            "lies back at least so many months",
            months_ago,
            clock=True,
        ),
        Operator(
            "no_row",
            ANY,
            _OTHER_DAYS,
            "没有对应记录",
            "has no such record",
            no_row,
            other_types=_DATES,
            empty_zh="数据未覆盖到期间末时未定",
            empty_en="undecided until its feed is covered",
        ),
    )
}
