"""The inner side goes to the front, never the other way: fetch what agencies handed in, bring what is for them.

Each item is taken under its code, which makes it once: a carrier killed between the two databases meets it again and
finds it done.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import IntegrityError

from chuxiong.audit.record import AuditUnavailable
from chuxiong.kit.problems import Problem
from ingestion.exchange import deliveries, receipts, sealing
from ingestion.exchange.deliveries import Laid
from ingestion.exchange.front import store
from ingestion.intake.receive import ALIAS
from ingestion.models import Delivery
from ingestion.selectors import catalog

logger = logging.getLogger(__name__)

#: what other rooms fetch and bring; registered when their app is ready
Inward = Callable[[store.Cursor, store.Item, dict[str, Any], datetime], dict[str, Any] | None]
Outward = Callable[[store.Cursor, datetime], None]
_inward: dict[str, Inward] = {}
_outward: list[Outward] = []


def inward(kind: str) -> Callable[[Inward], Inward]:
    """Register who takes items of ``kind``: given the opened document, it returns a status to tell, or None."""

    def register(take: Inward) -> Inward:
        _inward[kind] = take
        return take

    return register


def outward(bring: Outward) -> Outward:
    """Register who brings something to the front; called every round after everything was fetched."""
    _outward.append(bring)
    return bring


def address() -> str:
    """Where the front's database is: given, or of a front that ran in this data folder; empty when there is none."""
    given = os.environ.get("CHUXIONG_DATABASE_URL_FRONT", "") or settings.FRONT_DATABASE_URL
    written = Path(settings.VAR_DIR) / "front" / "env.json"
    if not given and written.is_file():
        given = json.loads(written.read_text()).get("CHUXIONG_DATABASE_URL_FRONT", "")
    return str(given)


class Carrier:
    """One round a call; a round that fails (no front, no audit store) is said once and tried again: nothing is lost."""

    def __init__(self) -> None:
        self._away = False

    def __call__(self, at: datetime) -> None:
        where = address()
        if not where:
            return
        try:
            with closing(
                psycopg2.connect(where, connect_timeout=5, application_name="chuxiong-carrier")
            ) as front:
                carry(front, at=at)
        except (psycopg2.Error, AuditUnavailable) as error:
            if not self._away:
                logger.warning("nothing goes between the front and here: %s", type(error).__name__)
            self._away = True
        else:
            self._away = False


def carry(front: Any, *, at: datetime) -> int:
    """Fetch, then bring; returns the number of items fetched. ``front`` is a connection to its database."""
    count = 0
    with front, front.cursor() as cursor:
        store.set_key(cursor, "inner", sealing.public_beside(settings.EXCHANGE_KEY), at=at)
    with front.cursor() as cursor:
        items = store.waiting(cursor)
    for item in items:
        with front, front.cursor() as cursor:
            if item.kind == "file":
                _take_file(cursor, item, at)
            else:
                _take_document(cursor, item, at)
        count += 1
    with front, front.cursor() as cursor:
        _tell(cursor, at)
        _bring_feeds(cursor)
        for bring in _outward:
            bring(cursor, at)
    return count


def _take_file(cursor: store.Cursor, item: store.Item, at: datetime) -> None:
    """Its sealed bytes into our store as they are; they are opened by intake alone."""
    feed = catalog().get(item.head["feed"])
    delivery = Delivery.objects.using(ALIAS).filter(code=item.code).first()
    if delivery is None and (feed is None or feed.agency.code != item.agency):
        problem = Problem(item.head["feed"], "数据源未启用，或不属于该单位", "请核对数据源代码。")
        status = {"state": "refused", "problem": deliveries.as_problem(problem)}
        store.taken(cursor, item.id, at=at, status=status, ended=True)
        return
    if delivery is None:
        laid = _laid(cursor, item)
        try:
            delivery = deliveries.hold(
                way=Delivery.Way.PUSH, agency=item.agency, state=Delivery.State.TAKING, files=[laid], by=item.client,
                at=item.at, code=item.code, outside=item.client, idempotency=str(item.code),
            )  # fmt: skip
        except IntegrityError:
            # Another carrier was faster.
            deliveries.clear([laid])
            delivery = Delivery.objects.using(ALIAS).get(code=item.code)
    store.taken(cursor, item.id, at=at, status={"state": delivery.state}, ended=False)


def _laid(cursor: store.Cursor, item: store.Item) -> Laid:
    name = item.code.hex
    path = deliveries.store_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb", opener=lambda place, flags: os.open(place, flags, 0o600)) as out:
        for chunk in store.chunks(cursor, item.id):
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    head = item.head
    covers = datetime.fromisoformat(head["covers_until"]).date() if head.get("covers_until") else None
    return Laid(
        feed=head["feed"], name=head["name"], store=name, sealed_key=item.box, size=head["size"],
        digest=head["sha256"], covers_until=covers, snapshot=bool(head.get("snapshot")),
    )  # fmt: skip


def _take_document(cursor: store.Cursor, item: store.Item, at: datetime) -> None:
    try:
        private = sealing.load(settings.EXCHANGE_KEY)
        document = json.loads(sealing.open_key(private, item.box, item.code.hex))
    except (sealing.SealBroken, InvalidTag, ValueError):
        logger.error("item %s of the front cannot be opened", item.code)
        store.taken(cursor, item.id, at=at, status={"state": "refused"}, ended=True)
        return
    status = _inward[item.kind](cursor, item, document, at)
    store.taken(cursor, item.id, at=at, status=status, ended=True)


def _tell(cursor: store.Cursor, at: datetime) -> None:
    """What has become of the files that came through the front."""
    for item in store.open_files(cursor):
        delivery = Delivery.objects.using(ALIAS).filter(code=item.code).first()
        if delivery is None:
            continue
        receipt = receipts.document(delivery, at=at, using=ALIAS)
        receipt.pop("issued_at")
        if receipt != item.status:
            store.tell(cursor, item.id, receipt, ended=receipt["final"])


def _bring_feeds(cursor: store.Cursor) -> None:
    feeds = catalog()
    cursor.execute("select code, agency, zh, en from front_feed")
    held = {row[0]: tuple(row[1:]) for row in cursor.fetchall()}
    wanted = {code: (f.agency.code, f.title.zh, f.title.en) for code, f in feeds.items()}
    for code in held.keys() - wanted.keys():
        cursor.execute("delete from front_feed where code = %s", [code])
    for code, values in wanted.items():
        if held.get(code) != values:
            cursor.execute(
                "insert into front_feed (code, agency, zh, en) values (%s, %s, %s, %s) on conflict (code)"
                " do update set agency = excluded.agency, zh = excluded.zh, en = excluded.en",
                [code, *values],
            )
