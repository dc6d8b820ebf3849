"""What pulls and views share: when a source is due, its mark, and handing over what was fetched together with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BufferedRandom
from typing import Any

from django.db import transaction

from chuxiong.kit.problems import Problem
from ingestion.exchange import deliveries
from ingestion.exchange.sources import Pull, View
from ingestion.intake.receive import ALIAS
from ingestion.models import Delivery, SourceMark
from ingestion.selectors import catalog

_FIRST_PAUSE = timedelta(seconds=30)


class FetchFailed(Exception):
    """``problem`` says what the source did."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def due(source: Pull | View, *, at: datetime) -> bool:
    """By its schedule; after a failure sooner, with doubling pauses up to the schedule."""
    mark = SourceMark.objects.using(ALIAS).filter(pk=source.code).first()
    if mark is None or mark.tried_at is None:
        return True
    every = timedelta(minutes=source.every_minutes)
    pause = min(every, _FIRST_PAUSE * 2 ** min(mark.failures - 1, 20)) if mark.failures else every
    return at >= mark.tried_at + pause


#: (mark, whether the whole list is wanted) → what is new since the mark, or the whole; None when nothing is
Fetch = Callable[[dict[str, Any], bool], "Fetched | None"]


def run(source: Pull | View, fetch: Fetch, *, way: str, at: datetime) -> Delivery | None:
    """One round: fetch from the mark on, lay down, and move the mark in the same transaction.

    Of a feed that is delivered as a whole list (or where the source says so) everything is fetched, not what is new
    since the mark: else what is not new would end. What was fetched and not handed over is fetched again; what was handed over is behind the mark.
    """
    mark, _new = SourceMark.objects.using(ALIAS).get_or_create(pk=source.code)
    try:
        whole = source.snapshot
        if whole is None:
            whole = catalog()[source.feed].load_mode == "snapshot"
        found = fetch(dict(mark.mark), whole)
    except FetchFailed as failure:
        failed(source, failure.problem, at=at)
        return None
    mark.tried_at, mark.failures, mark.problem = at, 0, None
    if found is None:
        mark.save(using=ALIAS)
        return None
    with found.source:
        digest = hashlib.file_digest(found.source, "sha256").hexdigest()
        if digest == mark.mark.get("digest"):
            mark.mark = found.mark | {"digest": digest}
            mark.save(using=ALIAS)
            return None
        found.source.seek(0)
        laid = deliveries.lay_down(found.source, feed=source.feed, name=found.name, snapshot=whole)
    try:
        with transaction.atomic(using=ALIAS):
            mark.mark, mark.fetched_at = found.mark | {"digest": digest}, at
            mark.save(using=ALIAS)
            return deliveries.hold(
                way=way, agency=catalog()[source.feed].agency.code, state=Delivery.State.TAKING, files=[laid],
                by=f"source:{source.code}"[:60], at=at, outside=source.code,
            )  # fmt: skip
    except BaseException:
        deliveries.clear([laid])
        raise


def failed(source: Pull | View, problem: Problem, *, at: datetime) -> None:
    """Keep what went wrong where the status shows it; the next try comes after a longer pause."""
    mark, _new = SourceMark.objects.using(ALIAS).get_or_create(pk=source.code)
    mark.tried_at, mark.failures = at, mark.failures + 1
    mark.problem = deliveries.as_problem(problem)
    mark.save(using=ALIAS, update_fields=["tried_at", "failures", "problem"])


class Fetched:
    """Bytes in anonymous memory, the file's name for intake, and the mark after them."""

    def __init__(self, source: BufferedRandom, name: str, mark: dict[str, Any]) -> None:
        self.source, self.name, self.mark = source, name, mark
