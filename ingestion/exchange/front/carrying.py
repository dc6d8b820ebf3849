"""The inner side goes to the front, never the other way: fetch what agencies handed in, bring what is for them.

Each item is taken under its code, which makes it once: a carrier killed between the two databases meets it again and
finds it done.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from chuxiong.audit.record import AuditUnavailable
from chuxiong.kit.problems import Problem
from chuxiong.vault import envelope
from chuxiong.work.jobs import where
from ingestion.api.limits import LIMITS
from ingestion.exchange import deliveries, receipts, sealing
from ingestion.exchange.deliveries import Laid
from ingestion.exchange.front import replies, store
from ingestion.exchange.limits import LIMITS as CAPS
from ingestion.intake.receive import ALIAS
from ingestion.models import Carried, Delivery
from ingestion.selectors import catalog, feed_states

logger = logging.getLogger(__name__)

#: what other rooms fetch and bring; registered when their app is ready
Take = Callable[[store.Item, dict[str, Any], datetime], dict[str, Any]]
Keep = Callable[[store.Item, bytes, datetime], dict[str, Any]]
Restore = Callable[[store.Cursor, str, str], None]
Outward = Callable[[store.Cursor, datetime], None]


@dataclass(frozen=True)
class Inward:
    """Who takes what agencies say to one kind of what they received.

    ``take`` (the answer's document) and ``keep`` (an attachment's bytes) return the status to tell, ``{"state": "done"}``
    or refused; ``restore`` (agency, number) puts our copy back at the front after an answer that was refused.
    """

    take: Take
    restore: Restore
    keep: Keep | None = None


_inward: dict[str, Inward] = {}
_outward: list[Outward] = []


def inward(kind: str, of: Inward) -> None:
    _inward[kind] = of


def outward(bring: Outward) -> Outward:
    """Register who brings something to the front; called every round after everything was fetched."""
    _outward.append(bring)
    return bring


#: nothing goes on without these: the round is over, the next one finds everything as it was
_AWAY = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    OperationalError,
    InterfaceError,
    AuditUnavailable,
)
_FIRST_PAUSE = timedelta(seconds=30)


class Since:
    """From when on changes are looked for, by agency: the last round, now and then (and for a new agency) the beginning."""

    #: what changed within the last round may have been committed after it: looked at again
    _OVERLAP = timedelta(minutes=10)
    _WHOLE = timedelta(minutes=10)

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._whole: datetime | None = None
        self._known: set[str] = set()

    def __call__(self, agencies: list[str], at: datetime) -> dict[str, datetime | None]:
        if self._whole is None or not timedelta(0) <= at - self._whole <= self._WHOLE:
            self._last, self._whole = None, at
        return {agency: self._last if agency in self._known else None for agency in agencies}

    def done(self, agencies: list[str], at: datetime) -> None:
        self._last, self._known = at - self._OVERLAP, set(agencies)


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
        place = address()
        if not place:
            return
        try:
            with closing(
                psycopg2.connect(place, connect_timeout=5, application_name="chuxiong-carrier")
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
        items = store.waiting(cursor, at=at)
    stuck: set[str] = set()
    for item in items:
        # What an agency sent after an item that cannot be taken just now waits for it: order is part of what it says.
        if item.agency in stuck:
            continue
        try:
            with front, front.cursor() as cursor:
                {"file": _take_file, "attachment": _take_attachment, "answer": _take_document}[item.kind](
                    cursor, item, at
                )
        except _AWAY:
            raise
        except Exception as error:
            stuck.add(item.agency)
            _again_or_refused(front, item, error, at)
        else:
            count += 1
    for bring in (_tell, _bring_feeds, *_outward, _forget_replies):
        try:
            with front, front.cursor() as cursor:
                bring(cursor, at)
        except _AWAY:
            raise
        except Exception as error:
            # What one room brings keeps nobody from what the others do; it is brought with the next round.
            logger.error("something for the front was not brought: %s", where(error))
    return count


def _forget_replies(cursor: store.Cursor, at: datetime) -> None:
    replies.forget(cursor, before=at - timedelta(days=LIMITS.reply_days.value))


def _again_or_refused(front: Any, item: store.Item, error: Exception, at: datetime) -> None:
    """An item that cannot be taken is tried again after doubling pauses and stays whole at the front meanwhile; in the
    end it is refused, so that what its agency sent after it gets its turn. The agency reads both in its status."""
    logger.error("item %s of the front cannot be taken: %s", item.code, where(error))
    tries = int((item.status or {}).get("tries", 0)) + 1
    if tries < CAPS.item_tries.value:
        problem = Problem(item.kind, "内侧暂未能取用这一件，将自动重试", "无需重新报送。")
        status: dict[str, Any] = {
            "state": "waiting", "tries": tries, "again_at": (at + _FIRST_PAUSE * 2 ** (tries - 1)).isoformat(),
            "problem": deliveries.as_problem(problem),
        }  # fmt: skip
        with front, front.cursor() as cursor:
            store.tell(cursor, item.id, status, ended=False)
        return
    what = f"内侧 {tries} 次均未能取用这一件"
    problem = Problem(item.kind, what, "请核对文件名和内容后重新报送，或改用其他方式。")
    with front, front.cursor() as cursor:
        status = {"state": "refused", "problem": deliveries.as_problem(problem)}
        store.taken(cursor, item.id, at=at, status=status, ended=True)
    try:
        _note_refusal(front, item, Problem(item.kind, f"{what}（{where(error)}）", problem.cure), at)
    except _AWAY:
        raise
    except Exception as fault:
        logger.error("the refusal of item %s could not be noted: %s", item.code, where(fault))


def _note_refusal(front: Any, item: store.Item, problem: Problem, at: datetime) -> None:
    """A file leaves a trace among the deliveries; after an answer our copy goes back to the front."""
    if item.kind == "file":
        deliveries.refuse(
            way=Delivery.Way.PUSH, agency=item.agency, by=item.client, at=at, problem=problem, outside=item.client
        )  # fmt: skip
    elif item.kind == "answer":
        private = sealing.load(settings.EXCHANGE_KEY)
        document = json.loads(sealing.open_key(private, item.box, item.code.hex))
        with front, front.cursor() as cursor:
            _inward[document.get("kind", "letter")].restore(cursor, item.agency, document["number"])


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
    whole = head.get("snapshot")
    return Laid(
        feed=head["feed"], name=head["name"], store=name, sealed_key=item.box, size=head["size"],
        digest=head["sha256"], covers_until=covers, snapshot=whole if isinstance(whole, bool) else None,
    )  # fmt: skip


def _take_document(cursor: store.Cursor, item: store.Item, at: datetime) -> None:
    """An answer: its effect and the note that it was taken are one transaction, so a carrier killed after it finds it
    done and only tells."""
    private = sealing.load(settings.EXCHANGE_KEY)
    try:
        document = json.loads(sealing.open_key(private, item.box, item.code.hex))
        of = _inward[document.get("kind", "letter")]
        number = document["number"]
    except (sealing.SealBroken, InvalidTag, ValueError, KeyError):
        logger.error("item %s of the front cannot be opened", item.code)
        store.taken(cursor, item.id, at=at, status={"state": "refused"}, ended=True)
        return
    status = _once(item, at, lambda: of.take(item, document, at))
    if status["state"] == "refused":
        of.restore(cursor, item.agency, number)
    store.taken(cursor, item.id, at=at, status=status, ended=True)


def _take_attachment(cursor: store.Cursor, item: store.Item, at: datetime) -> None:
    """A file that belongs to an answer; it comes before the answer does."""
    keep = _inward["letter"].keep
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        sealed = Path(folder) / item.code.hex
        with sealed.open("wb") as out:
            out.writelines(store.chunks(cursor, item.id))
        try:
            data_key = sealing.open_key(sealing.load(settings.EXCHANGE_KEY), item.box, item.code.hex)
            envelope.restore(sealed, content, data_key)
            whole = hashlib.sha256(content.getvalue()).hexdigest() == item.head["sha256"]
        except (sealing.SealBroken, InvalidTag, EOFError, ValueError):
            whole = False
    if not whole or keep is None:
        logger.error("attachment %s of the front cannot be opened", item.code)
        store.taken(cursor, item.id, at=at, status={"state": "refused"}, ended=True)
        return
    status = _once(item, at, lambda: keep(item, content.getvalue(), at))
    store.taken(cursor, item.id, at=at, status=status, ended=True)


def _once(item: store.Item, at: datetime, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    with transaction.atomic():
        known = Carried.objects.filter(pk=item.code).first()
        if known is not None:
            return dict(known.status or {})
        status = act()
        Carried.objects.create(code=item.code, at=at, status=status)
    return status


def _tell(cursor: store.Cursor, at: datetime) -> None:
    """What has become of the files that came through the front; a constant number of queries inside."""
    items = {item.code: item for item in store.open_files(cursor)}
    found = list(Delivery.objects.using(ALIAS).filter(code__in=items))
    for delivery, receipt in zip(found, receipts.documents(found, at=at, using=ALIAS), strict=True):
        item = items[delivery.code]
        receipt.pop("issued_at")
        if receipt != item.status:
            store.tell(cursor, item.id, receipt, ended=receipt["final"])


def _bring_feeds(cursor: store.Cursor, at: datetime) -> None:
    feeds, standing = catalog(), {s.code: s for s in feed_states(on=timezone.localdate(at))}
    cursor.execute("delete from front_feed where code <> all(%s)", [sorted(feeds)])
    for code, feed in feeds.items():
        state = standing[code]
        status = {
            "cadence": state.cadence, "state": state.state, "covers_until": _iso(state.covers_until),
            "expected_by": _iso(state.expected_by), "landed_at": _iso(state.landed_at), "rows_last": state.rows_last,
            "quarantined_last": state.quarantined_last, "issues": state.issues,
        }  # fmt: skip
        store.put_feed(
            cursor, code, agency=feed.agency.code, zh=feed.title.zh, en=feed.title.en, status=status
        )


def _iso(value: date | datetime | None) -> str | None:
    return (
        None
        if value is None
        else (timezone.localtime(value) if isinstance(value, datetime) else value).isoformat()
    )
