"""Supervision's jobs: a landing rings every rule that reads its feed; a new day rings all."""

from __future__ import annotations

import contextlib
from datetime import date

from celery import shared_task
from django.utils import timezone

from chuxiong.work.jobs import Claim, enqueue, handler
from ingestion.selectors import landed_feeds, names_river_places
from supervision import clearing, tally
from supervision.alarms.raising import raise_alarms
from supervision.drafts import trying
from supervision.drafts.book import bring_in, register
from supervision.drafts.reading import to_look_at_again, trials_reading
from supervision.matching import backtest, history, release
from supervision.matching.run import reach_of, run_rule
from supervision.mirrored import MENTIONS, RELATIONS
from supervision.naming import filling
from supervision.orders import overdue
from supervision.ranking import calibration
from supervision.ranking.refresh import refresh, waits
from supervision.relations import deriving
from supervision.selectors import (
    alarms,
    alarms_reading,
    live_rules,
    rulebook,
    rules_following_subjects,
    rules_reading,
)
from supervision.spine.run import bring_up_to_date
from supervision.spine.selectors import told_by
from supervision.tracks import daily as clocks
from supervision.webhooks import actions as webhooks

#: A stream lands every second: rules that read it run once for several landings, alarms at each. Rules over readings wait
#: for whole averaging periods anyway, and each run looks at every device that has sent something.
_STREAM_PAUSE_SECONDS = 30


@handler("landed")
def after_landing(claim: Claim) -> None:
    bring_in()
    landing, stream = claim.payload["landing"], claim.payload.get("stream", False)
    if not stream:
        enqueue("measure", str(landing), {"landing": landing}, priority=7)
        for what in ("relations", "names"):
            enqueue(what, f"@{landing}", priority=4)
    for feed in landed_feeds(since=landing - 1, until=landing) - {""}:
        # One that waits takes in all that lands until it runs: a stream is written once a pause, not once a second.
        enqueue(
            "mirror", feed, {"name": feed}, priority=8, delay_seconds=_STREAM_PAUSE_SECONDS if stream else 0
        )
    if names_river_places(landing):
        enqueue("river_places", f"@{landing}", priority=7)
    if told_by(landing):
        enqueue("identity", f"@{landing}", priority=4)
    for alarm_id in alarms_reading(landing):
        enqueue("alarm", f"{alarm_id}@{landing}", {"alarm": alarm_id, "landing": landing}, priority=1)
    # Landings within one pause share a run, which starts when the pause is over: each landing is seen by its run. (A
    # key without its time would be taken by a run that is under way and has read already.)
    pause = int(timezone.now().timestamp() // _STREAM_PAUSE_SECONDS)
    if not stream:
        for draft in trials_reading(landing):
            enqueue("trial", str(draft), {"draft": draft}, priority=7)
    for rule_id in rules_reading(landing):
        enqueue(
            "match",
            f"{rule_id}~{pause}" if stream else f"{rule_id}@{landing}",
            {"rule": rule_id},
            priority=3,
            delay_seconds=_STREAM_PAUSE_SECONDS + 1 if stream else 0,
        )


@handler("relations")
def relations(claim: Claim) -> None:
    """Bring the relations up to date; what changed rings the rules through a landing of its own."""
    bring_in()
    made = deriving.bring_up_to_date(at=timezone.now()).landing
    # A clearing deletes relations without a landing of theirs.
    enqueue("mirror", RELATIONS, {"name": RELATIONS}, priority=8)
    if made is not None:
        for rule_id in rules_following_subjects():
            enqueue("match", f"{rule_id}@{made}", {"rule": rule_id}, priority=5)


@handler("names")
def names(claim: Claim) -> None:
    """Bring the names that can be searched up to date."""
    filling.bring_up_to_date(at=timezone.now())


@handler("alarm")
def alarm(claim: Claim) -> None:
    spec = alarms()[claim.payload["alarm"]]
    raise_alarms(spec, landing=claim.payload["landing"], at=timezone.now())


@handler("day")
def after_midnight(claim: Claim) -> None:
    bring_in()
    history.prune(at=timezone.now())
    # Exclusions end with their day.
    for rule_id in to_look_at_again(timezone.localdate()):
        enqueue("release", f"{rule_id}@{claim.payload['day']}", {"rule": rule_id}, priority=6)
    enqueue("registers_day", claim.payload["day"], {"day": claim.payload["day"]}, priority=6)
    enqueue("clocks_day", claim.payload["day"], priority=5)
    enqueue("rank", "whole", {"whole": True}, priority=5)
    enqueue("calibrate", claim.payload["day"], priority=7)
    # Agreements begin and end with the day: the spine reads what it may.
    enqueue("identity", claim.payload["day"], priority=6)
    for rule_id in live_rules():
        enqueue("match", f"{rule_id}@{claim.payload['day']}", {"rule": rule_id}, priority=6)


@handler("clocks_day")
def look_at_clocks(claim: Claim) -> None:
    clocks.look(at=timezone.now(), today=timezone.localdate())


@handler("match")
def match(claim: Claim) -> None:
    now, said = timezone.now(), claim.payload
    # A run that somebody stopped, or that went over its budget, would do so again: its entry tells, nothing is retried.
    with contextlib.suppress(history.RunStopped):
        run_rule(
            said["rule"],
            at=now,
            as_of=date.fromisoformat(said["as_of"]) if "as_of" in said else timezone.localdate(),
            full=said.get("full", False),
            engine=said.get("engine", "postgres"),
            asked=history.Asked(said.get("asked_by", ""), said.get("priority", 5)),
        )


@handler("published")
def take_up(claim: Claim) -> None:
    """A version was published, withdrawn or put back: the rule runs as it stands now, or no more."""
    bring_in()
    rule = rulebook().get(claim.payload["rule"])
    if rule is not None:
        register(rule)
        if rule.status == "live":
            enqueue("match", f"{rule.id}@published.{claim.id}", {"rule": rule.id}, priority=3)


@handler("trial")
def try_draft(claim: Claim) -> None:
    trying.work(claim.payload["draft"], at=timezone.now(), as_of=timezone.localdate())


@handler("release")
def release_held(claim: Claim) -> None:
    bring_in()
    rule = rulebook().get(claim.payload["rule"])
    if rule is not None and rule.status == "live":
        release.raise_held(rule, reach_of(rule), at=timezone.localtime(), as_of=timezone.localdate())


@handler("backtest")
def run_backtest(claim: Claim) -> None:
    bring_in()
    with contextlib.suppress(history.RunStopped):
        backtest.work(claim.payload["run"], rulebook(), at=timezone.now())


@handler("identity")
def identity(claim: Claim) -> None:
    bring_up_to_date(at=timezone.now())
    enqueue("mirror", MENTIONS, {"name": MENTIONS}, priority=8)


@handler("rank")
def rank(claim: Claim) -> None:
    """One piece of the queue's order; the next piece is a job of its own."""
    bring_in()
    today = timezone.localdate()
    if refresh(today=today, whole=claim.payload.get("whole", False)).more:
        enqueue("rank", "next", priority=4)


@handler("calibrate")
def calibrate(claim: Claim) -> None:
    calibration.calibrate(at=timezone.now())


@handler("clearing", leased=True)
def clear(claim: Claim) -> None:
    clearing.work(claim.payload["clearing"], at=timezone.now())


@shared_task(name="supervision.tally", ignore_result=True)
def sum_up() -> None:
    """Every minute; counts are right without it, only longer to add up."""
    tally.compact()


@shared_task(name="supervision.orders", ignore_result=True)
def watch_orders() -> None:
    """Every minute: orders that wait too long for their receipt."""
    overdue.look(at=timezone.now())


@handler("webhook", leased=True)
def call(claim: Claim) -> None:
    """One call to an agency's receiver; waits for it outside any transaction."""
    webhooks.work(claim.payload["code"])


@shared_task(name="supervision.webhooks", ignore_result=True)
def look_for_calls() -> None:
    """Every few seconds: what changed for agencies that want to be called."""
    webhooks.look(at=timezone.now())


@shared_task(name="supervision.rank", ignore_result=True)
def keep_order() -> None:
    """Every few seconds: whatever changed a clue, its place follows."""
    if waits(today=timezone.localdate()):
        enqueue("rank", "next", priority=4)
