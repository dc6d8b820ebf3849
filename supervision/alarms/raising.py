"""Readings that landed become alarms at once. Set-based; what people decided about an alarm stays.

An alarm stands for one series (outfall and factor) on one day. It is recomputed from all visible readings of
that day whenever one of them lands or is corrected, so that deliveries in any order give the same alarms.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from ingestion import agreements
from ingestion import selectors as ingestion
from supervision.alarms.spec import AlarmSpec
from supervision.alarms.states import OPEN, State
from supervision.clues.events import AlarmsChanged, announce

#: readings kept as evidence of one alarm; all of them are counted
EVIDENCE_ROWS = 12


@dataclass(frozen=True)
class AlarmRun:
    """What one landing did to the alarms of one definition."""

    raised: int
    changed: int
    withdrawn: int


def raise_alarms(alarm: AlarmSpec, *, landing: int, at: datetime) -> AlarmRun:
    """Bring the alarms of the series touched by ``landing`` up to date with all that has landed. One transaction.

    ``landing`` only says which series to look at; they are judged by what is visible now, one run after the
    other, so that jobs done in another order give the same alarms.
    """
    columns = {alarm.feed: alarm.columns}
    with transaction.atomic():
        if not agreements.check(columns, on=timezone.localdate(at)).allowed:
            return AlarmRun(0, 0, 0)
        with (
            scope(offices=all_offices(), feeds=columns, purpose=agreements.PURPOSE),
            connection.cursor() as cursor,
        ):
            cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"alarm {alarm.id}"])
            params = _parameters(alarm, landing, at) | {"now": max(landing, ingestion.last_landing())}
            cursor.execute(_over(alarm), params)
            withdrawn = _withdraw(cursor, params)
            raised, changed = _upsert(cursor, params)
            cursor.execute("drop table alarm_key; drop table alarm_now")
        if raised or changed or withdrawn:
            event = AlarmsChanged(raised)
            transaction.on_commit(lambda: announce(event))
    return AlarmRun(raised, changed, withdrawn)


def _parameters(alarm: AlarmSpec, landing: int, at: datetime) -> dict[str, Any]:
    params: dict[str, Any] = {
        "landing": landing,
        "at": at,
        "since": at - timedelta(hours=alarm.max_age_hours.value),
        "until": at + timedelta(hours=alarm.max_ahead_hours.value),
        "definition": alarm.id,
        "title_zh": alarm.title.zh,
        "title_en": alarm.title.en,
        "subject_kind": alarm.subject_kind,
        "feed": alarm.feed,
        "open": [state.value for state in OPEN],
        "unreviewed": State.UNREVIEWED.value,
        "withdrawn": State.WITHDRAWN.value,
        "least": alarm.levels[-1].times,
    }
    for index, level in enumerate(alarm.levels):
        params |= {f"level_{index}": level.level, f"times_{index}": level.times}
    for index, (kind, _) in enumerate(alarm.values.items()):
        params[f"kind_{index}"] = kind
    for kept in (alarm.where, alarm.excepted):
        params |= {f"in_{column}": list(values) for column, values in kept.items()}
    return params


def _over(alarm: AlarmSpec) -> str:
    """The touched series (``alarm_key``) and what their readings of the day now amount to (``alarm_now``).

    A series is looked at when a reading above its limit came or went, or when it has an alarm already: of the
    thousands that land every second nearly none.
    """
    value = "case " + " ".join(
        f'when r."{alarm.kind}" = %(kind_{index})s then r."{column}"'
        for index, column in enumerate(alarm.values.values())
    )
    counted = [f'r."{column}" = any(%(in_{column})s)' for column in alarm.where]
    counted += [f'r."{column}" <> all(%(in_{column})s)' for column in alarm.excepted]
    level = " ".join(f"when multiple >= %(times_{i})s then %(level_{i})s" for i in range(len(alarm.levels)))
    label = ", ".join(f'r."{column}"' for column in alarm.label)
    visible = "r.from_landing <= %(now)s and (r.to_landing is null or r.to_landing > %(now)s)"
    day = f'r."{alarm.time}"::date'
    above = f'r."{alarm.limit}" > 0 and {value} end > r."{alarm.limit}" * %(least)s and {" and ".join(counted) or "true"}'
    return (
        "create temp table alarm_key on commit drop as"
        f' select distinct r."{alarm.subject}" as subject, r."{alarm.series}" as series, {day} as day'
        f' from pool."{alarm.feed}" r where (r.from_landing = %(landing)s or r.to_landing = %(landing)s)'
        f' and ((r."{alarm.time}" > %(since)s and r."{alarm.time}" <= %(until)s and {above}) or exists (select 1 from supervision_alarm a'
        f' where a.definition = %(definition)s and a.subject_ref = r."{alarm.subject}" and a.series = r."{alarm.series}"'
        f" and a.day = {day}));"
        "create temp table alarm_now on commit drop as"
        f" select o.*, case {level} end as level from (select k.subject, k.series, k.day, count(*) as readings,"
        " max(r.value / r.ceiling) as multiple, (array_agg(r.value order by r.value / r.ceiling desc))[1] as peak,"
        " (array_agg(r.ceiling order by r.value / r.ceiling desc))[1] as limit_value, min(r.time) as first_at,"
        " max(r.time) as last_at, max(r.label) as label, min(r.county) as county,"
        " jsonb_agg(jsonb_build_object('feed', %(feed)s::text, 'record_id', r.record_id) order by r.record_id) as evidence"
        f' from alarm_key k join lateral (select r.record_id, r.county, r."{alarm.time}" as time, {value} end as value,'
        f' r."{alarm.limit}" as ceiling, concat_ws(\' \', {label}) as label from pool."{alarm.feed}" r'
        f' where r."{alarm.subject}" = k.subject and r."{alarm.series}" = k.series'
        f' and r."{alarm.time}" >= k.day and r."{alarm.time}" < k.day + 1'
        f" and {visible} and {' and '.join(counted) or 'true'}) r"
        " on r.ceiling > 0 and r.value > r.ceiling * %(least)s group by k.subject, k.series, k.day) o"
    )


def _withdraw(cursor: Any, params: dict[str, Any]) -> int:
    """No reading is above any more: an unreviewed alarm goes, a reviewed one stays and says so."""
    cursor.execute(
        "update supervision_alarm a set supported = false, landing = %(now)s, version = a.version + 1,"
        " state = case when a.state = %(unreviewed)s then %(withdrawn)s else a.state end"
        " from alarm_key k where a.definition = %(definition)s and a.subject_ref = k.subject and a.series = k.series"
        " and a.day = k.day and a.supported and not exists (select 1 from alarm_now n where n.subject = k.subject"
        " and n.series = k.series and n.day = k.day)",
        params,
    )
    return int(cursor.rowcount)


def _upsert(cursor: Any, params: dict[str, Any]) -> tuple[int, int]:
    """(new or risen again, otherwise changed). A louder alarm asks for a person again."""
    cursor.execute(
        "with done as (insert into supervision_alarm as a (definition, title_zh, title_en, subject_kind, subject_ref,"
        " series, day, label, office, level, readings, multiple, peak, limit_value, first_at, last_at, evidence, state,"
        " supported, raised_at, reviewed_by, note, landing, version)"
        " select %(definition)s, %(title_zh)s, %(title_en)s, %(subject_kind)s, n.subject, n.series, n.day, n.label,"
        " coalesce(o.code, (select code from accounts_office where parent_id is null order by code limit 1)), n.level,"
        " n.readings, n.multiple, n.peak, n.limit_value, n.first_at, n.last_at,"
        f" jsonb_path_query_array(n.evidence, '$[0 to {EVIDENCE_ROWS - 1}]'), %(unreviewed)s, true, %(at)s, '', '',"
        " %(now)s, 1 from alarm_now n left join accounts_office o on o.code = n.county"
        " on conflict (definition, subject_ref, series, day) do update set level = excluded.level,"
        " readings = excluded.readings, multiple = excluded.multiple, peak = excluded.peak,"
        " limit_value = excluded.limit_value, first_at = excluded.first_at, last_at = excluded.last_at,"
        " evidence = excluded.evidence, supported = true, landing = excluded.landing, version = a.version + 1,"
        " state = case when a.state = %(withdrawn)s or (a.state = any(%(open)s) and"
        " array_position(array['urgent', 'warning', 'notice'], excluded.level::text)"
        " < array_position(array['urgent', 'warning', 'notice'], a.level::text)) then %(unreviewed)s else a.state end"
        " where (a.readings, a.multiple, a.evidence, a.supported) is distinct from"
        " (excluded.readings, excluded.multiple, excluded.evidence, true)"
        " returning a.version) select count(*) filter (where version = 1), count(*) filter (where version > 1) from done",
        params,
    )
    raised, changed = cursor.fetchone()
    return int(raised), int(changed)
