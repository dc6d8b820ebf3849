"""What a careful person would write for the benched rules: on each engine, in pandas, in polars.

Two of each in SQL: ``bare`` finds hits, verdicts and measures; ``whole`` writes every row of a run's result to the last
column (the facts, each condition of the row that decides, the records), as a rule must. Both skip what they do not need:
nothing is explained that is no hit, and registers are grouped without their records.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import pandas as pd
import polars as pl

_DEATHS = """
    select citizen_id as person, death_date, 1 as feed, record_id from pool.ps_population_death
    where household_status = '死亡注销' and to_landing is null and citizen_id is not null
    union all
    select citizen_id, death_date, 2, record_id from pool.ca_funeral
    where to_landing is null and citizen_id is not null
"""
_TERMS = """
    select citizen_id as person, start_date, end_date, record_id from pool.ja_penalty_execution
    where person_category = '监狱服刑' and is_minor = false and to_landing is null and citizen_id is not null
"""
#: conditions on a payment itself
_OWED = (
    "p.amount_cny > 0 and p.pay_status in ('正常', '补发') and coalesce(p.recovered_cny, 0) < p.amount_cny"
)
_PAY = "p.record_id, p.citizen_id, p.person_name, p.county, p.pay_month, p.amount_cny, p.recovered_cny, p.pay_status"

_AFTER_DEATH = f"""
        with death as (
            select person, max(death_date) as death_date, count(distinct feed) as support
            from ({_DEATHS}) d group by person
        ), judged as (
            select {_PAY}, d.death_date, d.support,
                date_trunc('month', p.pay_month) > date_trunc('month', d.death_date) + interval '1 month' and {_OWED} as late
            from pool.hr_pension_payment p join death d on d.person = p.citizen_id where p.to_landing is null
        ), kept as (select * from judged where late is not false)"""
_WHILE_SERVING = f"""
        with term as (
            select person, max(start_date) as began, max(end_date) as ended from ({_TERMS}) t group by person
        ), judged as (
            select {_PAY}, t.began, t.ended,
                date_trunc('month', p.pay_month) > date_trunc('month', t.began)
                    and date_trunc('month', p.pay_month) < date_trunc('month', t.ended) and {_OWED} as inside
            from pool.hr_pension_payment p join term t on t.person = p.citizen_id where p.to_landing is null
        ), kept as (select * from judged where inside is not false)"""
_LARGE = """
        with large as (
            select citizen_id, person_name, county, record_id, amount_cny, count(*) over (partition by citizen_id
                order by survival_check_date range between current row and interval '89 days' following) as within
            from pool.hr_pension_payment where to_landing is null and amount_cny > 200000 and citizen_id is not null
        )"""

_DEATH_MEASURES = """count(*) filter (where late) as months, sum(amount_cny) filter (where late) as total,
            sum(recovered_cny) filter (where late) as recovered, min(pay_month) filter (where late) as first_month,
            max(pay_month) filter (where late) as last_month, max(death_date) filter (where late) as death_date,
            max(support) filter (where late) as support"""
_TERM_MEASURES = """count(*) filter (where inside) as months, sum(amount_cny) filter (where inside) as total,
            min(pay_month) filter (where inside) as first_month, max(pay_month) filter (where inside) as last_month,
            max(began) filter (where inside) as start, max(ended) filter (where inside) as "end\""""
_DEATH_LEVEL = "case when h.support >= 2 and h.total >= 1000000 then 'urgent' when h.total >= 300000 then 'important' else 'ordinary' end"
_TERM_LEVEL = "case when h.total >= 300000 then 'important' else 'ordinary' end"


def _bare(start: str, true: str, measures: str, level: str) -> str:
    return f"""{start}
        select subject, case when hit then 'hit' else 'undecided' end as verdict, {level} as level, label, county, {{names}}
        from (select citizen_id as subject, coalesce(bool_or({true}), false) as hit, {measures},
            min(person_name) as label, min(county) as county from kept group by citizen_id) h"""


#: rule → SQL that Postgres and DuckDB both read
BARE: dict[str, str] = {
    "pension_after_death": _bare(_AFTER_DEATH, "late", _DEATH_MEASURES, _DEATH_LEVEL).format(
        names="months, total, recovered, first_month, last_month, death_date, support"
    ),
    "pension_while_serving": _bare(_WHILE_SERVING, "inside", _TERM_MEASURES, _TERM_LEVEL).format(
        names='months, total, first_month, last_month, start, "end"'
    ),
    "bench_sliding": f"""{_LARGE}
        select citizen_id as subject, 'hit' as verdict, 'ordinary' as level, min(person_name) as label,
            min(county) as county, max(within) as most, sum(amount_cny) as total
        from large group by citizen_id having max(within) >= 3
    """,
}

Engine = Literal["postgres", "duckdb"]
#: how each engine makes JSON: an object, an array, without empty facts, records gathered, records of a list of numbers
_JSON: dict[Engine, dict[str, str]] = {
    "postgres": {
        "object": "jsonb_build_object",
        "array": "jsonb_build_array",
        "facts": "jsonb_strip_nulls(jsonb_build_object({}))",
        "gathered": "jsonb_agg({} order by record_id, feed)",
        "payments": "(select jsonb_agg(jsonb_build_object('alias', 'pay', 'feed', 'hr_pension_payment', 'record_id', r)"
        " order by r) from unnest(h.payments[1:12]) r)",
        "joined": "{} || {}",
    },
    "duckdb": {
        "object": "json_object",
        "array": "json_array",
        "facts": "json_merge_patch('{{}}', json_object({}))",
        "gathered": "list({} order by record_id, feed)",
        "payments": "list_transform(h.payments[1:12], lambda r: json_object('alias', 'pay', 'feed',"
        " 'hr_pension_payment', 'record_id', r))",
        "joined": "to_json(list_concat({}, {}))",
    },
}


def whole(rule: str, engine: Engine) -> str:
    """The rule's result with all columns, in the engine's words."""
    words = _JSON[engine]
    made, array = words["object"], words["array"]

    def facts(*names: str) -> str:
        listed = ["'label', h.label", *(f"'{name}', h.\"{name}\"" for name in names)]
        return words["facts"].format(", ".join(listed))

    def condition(name: str, truth: str, values: str) -> str:
        return f"{made}('id', '{name}', 'truth', {truth}, 'values', {made}({values}))"

    def result(level: str, material: str, conditions: list[str], evidence: str) -> str:
        return (
            "select 'person' as subject_kind, h.citizen_id::text as subject_ref, '' as bucket, h.verdict,"
            f" case when h.verdict = 'hit' then {level} end as level, h.county, {material} as material,"
            f" {array}({', '.join(conditions)}) as conditions, {evidence} as evidence, null::date as next_due,"
            f" null::{'jsonb' if engine == 'postgres' else 'json'} as members"
        )

    if rule == "bench_sliding":
        conditions = [
            condition("large", "true", "'field', l.amount_cny, 'param', 200000"),
            condition("often", "true", "'field', h.most, 'param', 3"),
        ]
        payments = words["payments"] if engine == "postgres" else f"to_json({words['payments']})"
        return f"""{_LARGE}, often as (
            select citizen_id, 'hit' as verdict, min(person_name) as label, min(county) as county, max(within) as most,
                sum(amount_cny) as total, max(record_id) as last
            from large group by citizen_id having max(within) >= 3
        ), records as (
            select citizen_id, array_agg(record_id order by record_id) as payments from large
            where citizen_id in (select citizen_id from often) group by citizen_id
        ), h as (select o.*, r.payments from often o join records r on r.citizen_id = o.citizen_id)
        {result("'ordinary'", facts("most", "total"), conditions, payments)}
        from h join large l on l.record_id = h.last"""
    died = rule == "pension_after_death"
    start, true = (_AFTER_DEATH, "late") if died else (_WHILE_SERVING, "inside")
    month = "date_trunc('month', k.pay_month)"
    owed = [
        condition("paid", "k.amount_cny > 0", "'field', k.amount_cny"),
        condition("in_payment", "k.pay_status in ('正常', '补发')", "'field', k.pay_status"),
        condition(
            "not_recovered",
            "coalesce(k.recovered_cny, 0) < k.amount_cny",
            "'field', k.recovered_cny, 'other', k.amount_cny",
        ),
    ]
    if died:
        measures, level = _DEATH_MEASURES, _DEATH_LEVEL
        material = facts("months", "total", "recovered", "first_month", "last_month", "death_date", "support")
        later = f"{month} > date_trunc('month', k.death_date) + interval '1 month'"
        conditions = [
            condition("late", later, "'field', k.pay_month, 'other', k.death_date, 'months', 1"),
            *owed,
        ]
        alias, feed, rows = (
            "death",
            "case feed when 1 then 'ps_population_death' else 'ca_funeral' end",
            _DEATHS,
        )
        feed_order = "case feed when 1 then 2 else 1 end as feed"
    else:
        measures, level = _TERM_MEASURES, _TERM_LEVEL
        material = facts("months", "total", "first_month", "last_month", "start", "end")
        conditions = [
            condition(
                "after_admission",
                f"{month} > date_trunc('month', k.began)",
                "'field', k.pay_month, 'other', k.began",
            ),
            condition(
                "before_release",
                f"{month} < date_trunc('month', k.ended)",
                "'field', k.pay_month, 'other', k.ended",
            ),
            *owed,
        ]
        alias, feed, rows, feed_order = "term", "'ja_penalty_execution'", _TERMS, "1 as feed"
    record = f"{made}('alias', '{alias}', 'feed', {feed.replace('case feed', 'case named')}, 'record_id', record_id)"
    named = "feed as named, " if died else ""
    return f"""{start}, h as (
            select citizen_id, case when bool_or({true}) then 'hit' else 'undecided' end as verdict, {measures},
                min(person_name) as label, min(county) as county,
                coalesce(max(record_id) filter (where {true}), max(record_id)) as last,
                coalesce(array_agg(record_id order by record_id) filter (where {true}),
                    array_agg(record_id order by record_id)) as payments
            from kept group by citizen_id
        ), proof as (
            select person, {words["gathered"].format(record)} as records
            from (select person, record_id, {named}{feed_order} from ({rows}) d
                where person in (select citizen_id from h)) d group by person
        )
        {result(level, material, conditions, words["joined"].format("r.records", words["payments"]))}
        from h join kept k on k.record_id = h.last join proof r on r.person = h.citizen_id"""


#: a rule of the bench alone, for the window that no shipped rule has
SLIDING = """
id: bench_sliding
code: X-01
version: 1
status: draft
domain: administrative
title: {zh: 九十天内多次大额发放, en: Large payments within ninety days}
summary: {zh: 测算用, en: For the bench}
purpose: legal_supervision
basis: [{law: 测算, article: 第一条, valid_from: 2020-01-01}]
false_positives: []
checking_points: []
sources: {pay: {feed: hr_pension_payment, zh: 养老金发放, en: Payments}}
driver: pay
link: []
when: {all: [{id: large, zh: 大额, en: large, field: pay.amount_cny, op: ">", param: large}]}
measures:
  most: {most_within: pay.survival_check_date, days: window, zh: 最多, en: most}
  total: {sum: pay.amount_cny, zh: 金额, en: amount}
having: {all: [{id: often, zh: 多次, en: often, field: most, op: ">=", param: often}]}
bands: [{level: ordinary, zh: 一般, en: ordinary}]
params:
  large: {value: 200000, zh: 大额, en: large, source: 测算, since: 2026-01-01}
  window: {value: 90, zh: 天数, en: days, source: 测算, since: 2026-01-01}
  often: {value: 3, zh: 次数, en: times, source: 测算, since: 2026-01-01}
clue: {subject: pay.citizen_id, kind: person, label: pay.person_name, title: {zh: 测算, en: bench}, evidence: [pay]}
department: public_interest
tests:
  - {name: a, as_of: 2026-01-01, given: {}, expect: miss}
  - {name: b, as_of: 2026-01-01, given: {}, expect: miss}
  - {name: c, as_of: 2026-01-01, given: {}, expect: miss}
"""

_PAID = ["正常", "补发"]
#: columns that the frames need of each feed
COLUMNS = {
    "hr_pension_payment": ["citizen_id", "pay_month", "survival_check_date", "amount_cny", "recovered_cny", "pay_status", "to_landing"],
    "ps_population_death": ["citizen_id", "death_date", "household_status", "to_landing"],
    "ca_funeral": ["citizen_id", "death_date", "to_landing"],
    "ja_penalty_execution": ["citizen_id", "start_date", "end_date", "person_category", "is_minor", "to_landing"],
}  # fmt: skip


def by_polars(rule: str, frames: dict[str, pl.LazyFrame]) -> int:
    """How many hits; lazily, over the mirror's files."""
    now = {name: frame.filter(pl.col("to_landing").is_null()) for name, frame in frames.items()}
    pay = now["hr_pension_payment"]
    good = (
        (pl.col("amount_cny") > 0)
        & pl.col("pay_status").is_in(_PAID)
        & (pl.col("recovered_cny").fill_null(0) < pl.col("amount_cny"))
    )
    month = pl.col("pay_month").dt.month_start()
    if rule == "pension_after_death":
        register = now["ps_population_death"].filter(pl.col("household_status") == "死亡注销")
        both = pl.concat(
            [
                register.select("citizen_id", "death_date", feed=1),
                now["ca_funeral"].select("citizen_id", "death_date", feed=2),
            ]
        )
        dead = both.group_by("citizen_id").agg(pl.col("death_date").max(), pl.col("feed").n_unique())
        late = pay.join(dead, on="citizen_id").filter(
            good & (month > pl.col("death_date").dt.month_start().dt.offset_by("1mo"))
        )
        found = late.group_by("citizen_id").agg(pl.len(), pl.col("amount_cny").sum(), pl.col("feed").max())
    elif rule == "pension_while_serving":
        prison = now["ja_penalty_execution"].filter(
            (pl.col("person_category") == "监狱服刑") & ~pl.col("is_minor")
        )
        term = prison.group_by("citizen_id").agg(pl.col("start_date").max(), pl.col("end_date").max())
        inside = pay.join(term, on="citizen_id").filter(
            good
            & (month > pl.col("start_date").dt.month_start())
            & (month < pl.col("end_date").dt.month_start())
        )
        found = inside.group_by("citizen_id").agg(pl.len(), pl.col("amount_cny").sum())
    else:
        large = pay.filter((pl.col("amount_cny") > 200000) & pl.col("citizen_id").is_not_null())
        within = (
            large.select("citizen_id", "survival_check_date")
            .sort("citizen_id", "survival_check_date")
            .rolling("survival_check_date", period="90d", group_by="citizen_id")
            .agg(pl.len())
        )
        found = within.group_by("citizen_id").agg(pl.col("len").max()).filter(pl.col("len") >= 3)
    return int(found.select(pl.len()).collect().item())


def by_pandas(rule: str, frames: dict[str, pd.DataFrame]) -> int:
    """The same over frames that are in memory already."""
    pay = frames["hr_pension_payment"]
    good = (
        (pay["amount_cny"] > 0)
        & pay["pay_status"].isin(_PAID)
        & (pay["recovered_cny"].fillna(0) < pay["amount_cny"])
    )

    def month(days: pd.Series) -> pd.Series:
        return pd.to_datetime(days).dt.to_period("M")

    if rule == "pension_after_death":
        register = frames["ps_population_death"]
        register = register[register["household_status"] == "死亡注销"]
        both = pd.concat(
            [register[["citizen_id", "death_date"]], frames["ca_funeral"][["citizen_id", "death_date"]]]
        )
        dead = both.groupby("citizen_id", as_index=False)["death_date"].max().dropna()
        joined = pay[good].merge(dead, on="citizen_id")
        late = joined[month(joined["pay_month"]) > month(joined["death_date"]) + 1]
        return len(late.groupby("citizen_id")["amount_cny"].agg(["size", "sum"]))
    if rule == "pension_while_serving":
        prison = frames["ja_penalty_execution"]
        prison = prison[(prison["person_category"] == "监狱服刑") & (prison["is_minor"] == False)]  # noqa: E712
        term = prison.groupby("citizen_id", as_index=False)[["start_date", "end_date"]].max().dropna()
        joined = pay[good].merge(term, on="citizen_id")
        paid = month(joined["pay_month"])
        inside = joined[(paid > month(joined["start_date"])) & (paid < month(joined["end_date"]))]
        return len(inside.groupby("citizen_id")["amount_cny"].agg(["size", "sum"]))
    day = "survival_check_date"
    large = pay[pay["amount_cny"] > 200000][["citizen_id", day]].dropna()
    large = large.assign(**{day: pd.to_datetime(large[day])}, one=1).sort_values(["citizen_id", day])
    counts = large.set_index(day).groupby("citizen_id")["one"].rolling("90D").sum()
    return int((counts.groupby(level=0).max() >= 3).sum())


TODAY = date(2026, 6, 1)
