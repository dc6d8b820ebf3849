"""The clearing of an ended agreement, from supervision's side: what is evidence stays, and rules learn of it.

The one job behind a clearing. Called again at any point it goes on where it stopped: counting and each feed are a
transaction of their own (``ingestion/registers/clearing.py``).
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import connection
from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from chuxiong.audit.record import record
from chuxiong.work.jobs import enqueue
from ingestion import selectors as ingestion
from ingestion.cameras.clearing import FRAMES
from ingestion.models import AgreementClearing
from ingestion.registers import clearing as pool
from supervision.selectors import live_rules, rules_by_feed

logger = logging.getLogger(__name__)
State = AgreementClearing.State
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def work(clearing_id: int, *, at: datetime) -> None:
    """Count what was asked for, or clear what was approved; anything else is left alone."""
    clearing = AgreementClearing.objects.select_related("agreement").get(pk=clearing_id)
    today, feeds = timezone.localdate(at), ingestion.catalog()
    if clearing.state == State.REQUESTED:
        _hold(clearing)
        pool.count(clearing_id, feeds, at=at, today=today)
        return
    if clearing.state not in (State.APPROVED, State.CLEARING):
        return
    _hold(clearing)
    pool.begin(clearing_id, today=today)
    cleared = set()
    for code in sorted(clearing.agreement.fields):
        if code in feeds:
            done = pool.clear_feed(clearing_id, code, feeds, at=at, today=today)
            if done["cleared"]:
                cleared.add(code)
    _tell_rules(cleared, at)
    finished = pool.finish(clearing_id, at=at)
    with scope(offices=()):
        record(
            at=at,
            actor=pool.RECEIVED_BY,
            action="agreement.cleared",
            object_kind="agreement",
            object_ref=clearing.agreement.number[:80],
            detail={"clearing": clearing_id, "receipt": finished.receipt, "feeds": sorted(cleared)},
        )


def _hold(clearing: AgreementClearing) -> None:
    """Write down what must stay: the records that are evidence of a clue, the identifiers that clues, results, alarms
    and letters name. Nothing new can rest on these feeds meanwhile: without an agreement in force no rule reads them.
    """
    feeds = list(clearing.agreement.fields)
    with scope(offices=all_offices(), purpose="agreement"), connection.cursor() as cursor:
        cursor.execute("delete from ingestion_clearinghold where clearing_id = %s", [clearing.pk])
        cursor.execute(
            "insert into ingestion_clearinghold (clearing_id, feed, record_id)"
            " select distinct %s::bigint, e ->> 'feed', (e ->> 'record_id')::bigint"
            " from supervision_clue c, jsonb_array_elements(c.evidence) e where e ->> 'feed' = any(%s)",
            [clearing.pk, feeds],
        )
        cursor.execute(
            "insert into ingestion_clearinghold (clearing_id, feed, ref) select distinct %s::bigint, '', (m.part)[1]::uuid"
            " from (select concat_ws(' ', subject_ref, material, conditions, source_changes, results) as words"
            " from supervision_clue union all select concat_ws(' ', text) from supervision_letter"
            " union all select subject_ref from supervision_alarm"
            " union all select concat_ws(' ', subject_ref, material) from supervision_hit where verdict = 'hit') w,"
            f" regexp_matches(w.words, '({_UUID})', 'g') m(part)",
            [clearing.pk],
        )
        # Kept frames that a clue names by their number.
        cursor.execute(
            "insert into ingestion_clearinghold (clearing_id, feed, record_id)"
            " select %s::bigint, %s, f.id from ingestion_cameraframe f join ingestion_camera c on c.id = f.camera_id"
            " where c.agreement = %s and exists (select 1 from supervision_clue u"
            " where strpos(u.material::text, f.number) > 0)",
            [clearing.pk, FRAMES, clearing.agreement.number],
        )


def _tell_rules(cleared: set[str], at: datetime) -> None:
    """Rules that read a cleared feed forget what they left undecided there and look at everything anew next time."""
    rules = sorted({rule.id for feed in cleared for rule in rules_by_feed().get(feed, [])})
    if not rules:
        return
    with scope(offices=all_offices(), purpose="agreement"), connection.cursor() as cursor:
        cursor.execute("delete from supervision_hit where rule = any(%s) and verdict = 'undecided'", [rules])
        cursor.execute("update supervision_rulestate set read_digest = '' where rule = any(%s)", [rules])
        for rule in sorted(set(rules) & set(live_rules())):
            enqueue("match", f"{rule}@cleared-{at:%Y%m%d%H%M%S}", {"rule": rule, "full": True}, priority=6)
    logger.info("rules look anew after a clearing: %s", ", ".join(rules))
