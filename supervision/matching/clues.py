"""Brings the clues in line with the hits that a run changed. Set-based; people's decisions stay.

Reads the temporary table ``run_changed`` (verdict null = the hit is gone; old_* = before). Of rules that gather
records into occurrences, a clue follows its occurrence first: ``occurrences.py``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from chuxiong.accounts import selectors as accounts
from supervision.clues.lifecycle import CLOSED, WITHDRAWABLE
from supervision.clues.numbers import format_number, take_numbers
from supervision.duties import responsible
from supervision.matching import occurrences
from supervision.reference import REFERENCE
from supervision.rulebook.load import LoadedRule

_WITHDRAWABLE = [s.value for s in WITHDRAWABLE]
_CLOSED = [s.value for s in CLOSED]
_ENGINE = "研判引擎"


@dataclass(frozen=True)
class InLine:
    raised: int
    withdrawn: int
    source_changed: int


def bring_in_line(cursor: Any, rule: LoadedRule, *, landing: int, at: datetime) -> InLine:
    """Raise, refresh, withdraw or mark the clues behind the changed hits."""
    params = {
        "rule": rule.id,
        "landing": landing,
        "at": at,
        "withdrawable": _WITHDRAWABLE,
        "closed": _CLOSED,
        "version": rule.version,
        "digest": rule.digest,
        "engine": _ENGINE,
        "due": REFERENCE.limit("triage").after(at.date()),
        "closed_to": REFERENCE.closed_to(rule.domain),
    }
    gathers = rule.cluster is not None
    if gathers:
        occurrences.share(cursor, rule)
    # Locked first, read after: the state that a person has just committed is the one that counts.
    shared = " union select clue from run_shared" if gathers else ""
    cursor.execute(
        "select c.id from supervision_clue c where c.id in (select k.id from supervision_clue k"
        " join run_changed r using (subject_kind, subject_ref, bucket) where k.rule = %(rule)s"
        f"{shared}) order by c.id for update of c",
        params,
    )
    if gathers:
        occurrences.follow(cursor, params)
    moved = "m.was, m.now" if gathers else "null::text as was, null::text as now"
    cursor.execute(
        # The newest episode of each changed fingerprint.
        "create temp table run_clue on commit drop as"
        " select distinct on (c.subject_kind, c.subject_ref, c.bucket) c.id, c.subject_kind, c.subject_ref, c.bucket,"
        f" c.state, c.episode, c.material, {moved}, {occurrences.JOINED} as joined"
        " from supervision_clue c join run_changed r using (subject_kind, subject_ref, bucket)"
        + (" left join run_moved m on m.clue = c.id" if gathers else "")
        + " where c.rule = %(rule)s order by c.subject_kind, c.subject_ref, c.bucket, c.episode desc",
        params,
    )
    if gathers:
        occurrences.find_joined(cursor, params)
    marked = _mark_source_changed(cursor, params, gathers)
    _refresh(cursor, params)
    withdrawn = (occurrences.join(cursor, params) if gathers else 0) + _withdraw(cursor, params)
    again, born = _reopen_withdrawn(cursor, params), _raise(cursor, rule, params, at)
    if gathers:
        if again or born:
            occurrences.tell_parted(cursor, params, again + born)
        cursor.execute("drop table run_shared; drop table run_moved; drop table run_joined")
    cursor.execute("drop table run_clue")
    return InLine(len(again) + len(born), withdrawn, marked)


_JOIN = " from run_clue k join run_changed r using (subject_kind, subject_ref, bucket) where c.id = k.id"


def _mark_source_changed(cursor: Any, params: dict[str, Any], gathers: bool) -> int:
    """Beyond triage a correction never takes a clue away: its handler is told what was, what is, and when.

    Also when the occurrence only bears another name, or is now part of another clue's.
    """
    joined = "(select j.told from run_joined j where j.clue = k.id)" if gathers else "null"
    is_joined = "exists (select 1 from run_joined j where j.clue = k.id)" if gathers else "false"
    cursor.execute(
        "with marked as (update supervision_clue c set source_changes = c.source_changes || jsonb_build_array("
        "jsonb_build_object('at', %(at)s::timestamptz, 'landing', %(landing)s::bigint, 'before', c.material,"
        " 'after', case when r.verdict = 'hit' then r.material end,"
        f" 'verdict', case when {is_joined} then 'joined' else coalesce(r.verdict, 'gone') end)"
        " || jsonb_strip_nulls(jsonb_build_object('name_before', k.was, 'name_after', k.now,"
        f" 'into', {joined}))),"
        " supported = coalesce(r.verdict = 'hit', false), version = c.version + 1"
        + _JOIN
        + " and k.state <> all(%(withdrawable)s) and k.state <> all(%(closed)s)"
        " and (r.verdict is distinct from 'hit' or r.material <> c.material or k.was is not null)"
        " returning c.id, c.state)"
        " insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select id, %(at)s, %(engine)s, 'source_changed', state, state, '', jsonb_build_object('landing', %(landing)s::bigint)"
        " from marked",
        params,
    )
    return int(cursor.rowcount)


def _refresh(cursor: Any, params: dict[str, Any]) -> None:
    """Open clues follow their hit: the facts, the evidence rows, the level."""
    cursor.execute(
        "update supervision_clue c set material = r.material, conditions = r.conditions, evidence = r.evidence,"
        " level = r.level, label = coalesce(r.material ->> 'label', c.label), supported = true, landing = %(landing)s,"
        " rule_version = %(version)s, rule_digest = %(digest)s, version = c.version + 1"
        + _JOIN
        + " and r.verdict = 'hit' and k.state <> all(%(closed)s)",
        params,
    )
    # Closed ones keep the facts that people decided on, but stay known by the records of today.
    cursor.execute(
        "update supervision_clue c set members = r.members"
        + _JOIN
        + " and r.verdict = 'hit' and c.members is distinct from r.members",
        params,
    )


def _withdraw(cursor: Any, params: dict[str, Any]) -> int:
    cursor.execute(
        "with gone as (update supervision_clue c set state = 'withdrawn', supported = false, version = c.version + 1,"
        " landing = %(landing)s"
        + _JOIN
        + " and r.verdict is distinct from 'hit' and c.state = any(%(withdrawable)s)"
        " and not exists (select 1 from supervision_letter l where l.clue_id = c.id)"
        " returning c.id, k.state as before)"
        " insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select id, %(at)s, %(engine)s, 'withdrawn', before, 'withdrawn', '',"
        " jsonb_build_object('landing', %(landing)s::bigint) from gone",
        params,
    )
    return int(cursor.rowcount)


def _reopen_withdrawn(cursor: Any, params: dict[str, Any]) -> list[int]:
    """What a run took back comes back with its hit: withdrawn clues, and those merged into another by a run."""
    cursor.execute(
        "with again as (update supervision_clue c set state = 'raised', supported = true, material = r.material,"
        " conditions = r.conditions, evidence = r.evidence, level = r.level, landing = %(landing)s,"
        " rule_version = %(version)s, rule_digest = %(digest)s, version = c.version + 1, due_on = %(due)s,"
        " merged_into_id = null"
        + _JOIN
        + " and r.verdict = 'hit' and (k.state = 'withdrawn' or k.joined) returning c.id, k.state as before)"
        " insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select id, %(at)s, %(engine)s, 'raised', before, 'raised', '',"
        " jsonb_build_object('landing', %(landing)s::bigint) from again order by id returning clue_id",
        params,
    )
    return [row[0] for row in cursor.fetchall()]


def _raise(cursor: Any, rule: LoadedRule, params: dict[str, Any], at: datetime) -> list[int]:
    """New fingerprints, and closed ones whose material facts differ from those people decided on."""
    year = at.year
    born: list[int] = []
    cursor.execute(
        "create temp table run_new on commit drop as"
        ' select row_number() over (order by r.subject_ref collate "C", r.bucket collate "C") as n, r.*,'
        " k.id as previous, coalesce(k.episode, 0) + 1 as next_episode, k.state as previous_state"
        " from run_changed r left join run_clue k using (subject_kind, subject_ref, bucket)"
        " where r.verdict = 'hit' and (k.id is null or (k.state in ('settled', 'unfounded', 'dismissed')"
        " and k.material <> r.material))"
    )
    cursor.execute("select count(*) from run_new")
    count = int(cursor.fetchone()[0])
    if count:
        _route(cursor, rule, at)
        last = take_numbers("XS", year, count)
        numbers = [format_number("XS", year, last - count + n) for n in range(1, count + 1)]
        cursor.execute(
            "insert into supervision_clue (number, origin, rule, rule_version, rule_digest, subject_kind,"
            " subject_ref, bucket, episode, previous_id, label, title, level, office, department, township, state, kind,"
            " supported, material, conditions, evidence, members, source_changes, results, landing, raised_at, due_on, handler,"
            " responsible, responsible_zh, responsible_en, competent, closed_to, sealed, admitted, recused, exercise, version)"
            " select (%(numbers)s::text[])[n], 'model', %(rule)s, %(version)s, %(digest)s, subject_kind, subject_ref,"
            " bucket, next_episode, previous, coalesce(material ->> 'label', ''), '', level,"
            " coalesce(w.office, o.code, %(top)s), coalesce(w.department, ''),"
            " coalesce(material ->> 'township', ''), 'raised', '', true, material, conditions, evidence, members, '[]',"
            " jsonb_strip_nulls(jsonb_build_object('previous_state', previous_state)), %(landing)s, %(at)s, %(due)s,"
            # What came back after it was settled goes to whoever settled it, who may take it up without an order.
            " coalesce((select p.username from supervision_clue b join accounts_person p on p.username = b.handler"
            " where b.id = previous and previous_state = 'settled' and p.is_active and p.roles && %(triagers)s::varchar[]"
            " and p.office_id = coalesce(w.office, o.code, %(top)s)), ''),"
            " coalesce(w.agency, ''), coalesce(w.agency_zh, ''), coalesce(w.agency_en, ''),"
            " case when w.agency <> '' then w.office else '' end, %(closed_to)s, false,"
            " '{}', '{}', false, 1"
            " from run_new left join run_way w using (n) left join accounts_office o on o.code = county"
            " order by n returning id",
            {
                **params,
                "numbers": numbers,
                "top": _prefecture(cursor),
                "triagers": accounts.roles_that_may("clue.triage"),
            },
        )
        born = [row[0] for row in cursor.fetchall()]
        # A statement of its own: the events' policy looks for the clue, which must be visible by then.
        cursor.execute(
            "insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
            " select id, %(at)s, %(engine)s, 'raised', '', 'raised', '',"
            " jsonb_build_object('landing', %(landing)s::bigint) from unnest(%(born)s::bigint[]) id",
            {**params, "born": born},
        )
        if rule.route and rule.route.direct:
            _deliver_directly(cursor, params, born, at)
        cursor.execute("drop table run_way")
    cursor.execute("drop table run_new")
    return born


def _route(cursor: Any, rule: LoadedRule, at: datetime) -> None:
    """``run_way``: office, department and responsible agency of the new clues whose problem the duty list knows."""
    ways: list[dict[str, str]] = []
    problem, params, top = "''", {}, _prefecture(cursor)
    if rule.route is not None:
        params = {"problem": rule.route.problem}
        problem = "%(problem)s::text"
        if rule.route.problem in rule.measures:
            problem = "coalesce(n.material ->> %(problem)s, '')"
        cursor.execute(
            f"select distinct {problem}, coalesce(n.county, ''), coalesce(o.short_zh, ''), coalesce(o.short_en, '')"
            " from run_new n left join accounts_office o on o.code = n.county",
            params,
        )
        for what, county, zh, en in cursor.fetchall():
            found = responsible(what, county, on=at.date(), zh=zh, en=en, prefecture=top)
            if found:
                office = top if found.organ_level == "prefecture" else county
                ways.append({"problem": what, "county": county, "office": office, **asdict(found)})
    cursor.execute(
        "create temp table run_way on commit drop as select n.n, w.office, w.department, w.agency, w.agency_zh, w.agency_en"
        " from run_new n join jsonb_to_recordset(%(ways)s::jsonb) as w(problem text, county text, office text,"
        " department text, agency text, agency_zh text, agency_en text)"
        f" on w.problem = {problem} and w.county = coalesce(n.county, '')",
        {**params, "ways": json.dumps(ways)},
    )


def _deliver_directly(cursor: Any, params: dict[str, Any], born: list[int], at: datetime) -> None:
    """Place, level and department are certain: the order goes to the office at once; the prefecture looks on."""
    cursor.execute(
        "select id from supervision_clue where id = any(%s) and department <> '' order by id", [born]
    )
    sure = [row[0] for row in cursor.fetchall()]
    if not sure:
        return
    last = take_numbers("JB", at.year, len(sure))
    orders = [format_number("JB", at.year, last - len(sure) + n) for n in range(1, len(sure) + 1)]
    asked = {
        **params,
        "sure": sure,
        "orders": orders,
        "due": REFERENCE.limit("checking").after(at.date()),
        "hours": json.dumps({level: hours.value for level, hours in REFERENCE.orders.receipt_hours.items()}),
    }
    cursor.execute(
        "with sent as (update supervision_clue c set state = 'dispatched', due_on = %(due)s, version = c.version + 1"
        " from unnest(%(sure)s::bigint[], %(orders)s::text[]) o(id, number) where c.id = o.id"
        " returning c.id, c.office, c.department, c.responsible, o.number)"
        " insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select id, %(at)s, %(engine)s, 'direct', 'raised', 'dispatched', '', jsonb_build_object('order', number,"
        " 'office', office, 'department', department, 'agency', responsible, 'due_on', %(due)s::date) from sent",
        asked,
    )
    # A statement of its own, like the events of new clues.
    cursor.execute(
        "insert into supervision_order (number, clue_id, office, department, issued_by, issued_by_name, issued_at, direct,"
        " competent, designated, demand, due_on, receipt_due, received_by, urged, escalated_by, escalated_reason, ended)"
        " select o.number, c.id, c.office, c.department, '', %(engine)s, %(at)s, true, c.competent, '', '', %(due)s,"
        " %(at)s + make_interval(hours => (%(hours)s::jsonb ->> c.level)::int), '', 0, '', '', ''"
        " from unnest(%(sure)s::bigint[], %(orders)s::text[]) o(id, number) join supervision_clue c on c.id = o.id",
        asked,
    )


def _prefecture(cursor: Any) -> str:
    cursor.execute("select code from accounts_office where parent_id is null order by code limit 1")
    return str(cursor.fetchone()[0])
