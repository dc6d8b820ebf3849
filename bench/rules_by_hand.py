"""What a careful person would write for the benched rules: on each engine, in pandas, in polars. Same hits, same measures."""

from __future__ import annotations

from datetime import date

import pandas as pd
import polars as pl

#: rule → SQL that Postgres and DuckDB both read; evidence is the records that the hit rests on
SQL: dict[str, str] = {
    "pension_after_death": """
        with death as (
            select person, max(death_date) as death_date, count(distinct feed) as support, array_agg(record_id) as records
            from (
                select citizen_id as person, death_date, 1 as feed, record_id from pool.ps_population_death
                where household_status = '死亡注销' and to_landing is null and citizen_id is not null
                union all
                select citizen_id, death_date, 2, record_id from pool.ca_funeral
                where to_landing is null and citizen_id is not null
            ) d group by person
        ), judged as (
            select p.record_id, p.citizen_id, p.person_name, p.county, p.pay_month, p.amount_cny, p.recovered_cny,
                d.death_date, d.support, d.records,
                date_trunc('month', p.pay_month) > date_trunc('month', d.death_date) + interval '1 month'
                    and p.amount_cny > 0 and p.pay_status in ('正常', '补发')
                    and coalesce(p.recovered_cny, 0) < p.amount_cny as late
            from pool.hr_pension_payment p join death d on d.person = p.citizen_id where p.to_landing is null
        )
        select citizen_id as subject, case when bool_or(late) then 'hit' else 'undecided' end as verdict,
            count(*) filter (where late) as months, sum(amount_cny) filter (where late) as total,
            sum(recovered_cny) filter (where late) as recovered, min(pay_month) filter (where late) as first_month,
            max(pay_month) filter (where late) as last_month, max(death_date) filter (where late) as death_date,
            max(support) filter (where late) as support,
            case when max(support) filter (where late) >= 2 and sum(amount_cny) filter (where late) >= 1000000 then 'urgent'
                when sum(amount_cny) filter (where late) >= 300000 then 'important' else 'ordinary' end as level,
            min(person_name) as label, min(county) as county, array_agg(record_id order by record_id) as payments,
            min(records) as deaths
        from judged where late is not false group by citizen_id
    """,
    "pension_while_serving": """
        with term as (
            select citizen_id as person, max(start_date) as began, max(end_date) as ended, array_agg(record_id) as records
            from pool.ja_penalty_execution where person_category = '监狱服刑' and is_minor = false
                and to_landing is null and citizen_id is not null group by citizen_id
        ), judged as (
            select p.record_id, p.citizen_id, p.person_name, p.county, p.pay_month, p.amount_cny, t.began, t.ended, t.records,
                date_trunc('month', p.pay_month) > date_trunc('month', t.began)
                    and date_trunc('month', p.pay_month) < date_trunc('month', t.ended)
                    and p.amount_cny > 0 and p.pay_status in ('正常', '补发')
                    and coalesce(p.recovered_cny, 0) < p.amount_cny as inside
            from pool.hr_pension_payment p join term t on t.person = p.citizen_id where p.to_landing is null
        )
        select citizen_id as subject, case when bool_or(inside) then 'hit' else 'undecided' end as verdict,
            count(*) filter (where inside) as months, sum(amount_cny) filter (where inside) as total,
            min(pay_month) filter (where inside) as first_month, max(pay_month) filter (where inside) as last_month,
            max(began) filter (where inside) as began, max(ended) filter (where inside) as ended,
            case when sum(amount_cny) filter (where inside) >= 300000 then 'important' else 'ordinary' end as level,
            min(person_name) as label, min(county) as county, array_agg(record_id order by record_id) as payments,
            min(records) as terms
        from judged where inside is not false group by citizen_id
    """,
    "bench_sliding": """
        select citizen_id as subject, 'hit' as verdict, max(within) as most, sum(amount_cny) as total,
            min(person_name) as label, min(county) as county, (array_agg(record_id order by record_id))[1:12] as payments
        from (
            select citizen_id, person_name, county, record_id, amount_cny, count(*) over (partition by citizen_id
                order by survival_check_date range between current row and interval '89 days' following) as within
            from pool.hr_pension_payment where to_landing is null and amount_cny > 200000 and citizen_id is not null
        ) w group by citizen_id having max(within) >= 3
    """,
}

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
