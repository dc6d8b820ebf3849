"""From a hand-over to intake, whichever way it came: lay down sealed, then hand over file by file, once and in order.

Two rules of order. A feed takes one file at a time, in the order of deliveries. An agency's bundles follow their
numbers: the next one starts when every batch of the one before has landed or was refused.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import connections, transaction
from django.db.models import Exists, OuterRef, QuerySet

from chuxiong.audit.record import record
from chuxiong.kit.problems import Problem
from chuxiong.vault import envelope
from chuxiong.work.jobs import enqueue
from ingestion.exchange import sealing
from ingestion.intake.receive import ALIAS, ImportRefused, Kept, enter, keep
from ingestion.models import Batch, Delivery, DeliveryFile
from ingestion.selectors import catalog

_UNDER_WAY = (Batch.State.RECEIVED, Batch.State.READING)
_TAKEN = (Delivery.State.TAKING, Delivery.State.DONE, Delivery.State.SKIPPED)


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Next(Enum):
    """What an agency's deliveries wait for."""

    NOTHING = "nothing"
    #: a batch that is being taken in, soon over
    INTAKE = "intake"
    #: a person: a held batch must be released
    PERSON = "person"
    #: a bundle that has not come
    BUNDLE = "bundle"


@dataclass(frozen=True)
class Laid:
    """One file in the exchange store: sealed bytes, what they are, for which feed."""

    feed: str
    name: str
    store: str
    sealed_key: bytes
    size: int
    digest: str
    covers_until: date | None = None
    #: a whole list, whose absent records end; None: as the feed's load mode says
    snapshot: bool | None = None


def as_problem(problem: Problem) -> dict[str, str]:
    return dict(vars(problem))


def store_path(name: str) -> Path:
    return Path(settings.EXCHANGE_STORE) / f"{name}.enc"


def lay_down(
    source: Readable, *, feed: str, name: str, covers_until: date | None = None, snapshot: bool | None = None
) -> Laid:
    """Seal a stream into the exchange store under the inner side's public key."""
    store, data_key = uuid.uuid4().hex, envelope.new_data_key()
    try:
        digest, size = envelope.store(cast(BinaryIO, source), store_path(store), data_key)
    except BaseException:
        store_path(store).unlink(missing_ok=True)
        raise
    box = sealing.seal_key(sealing.public_beside(settings.EXCHANGE_KEY), data_key, store)
    return Laid(feed, Path(name).name, store, box, size, digest, covers_until, snapshot)


def clear(files: Iterable[Laid]) -> None:
    for laid in files:
        store_path(laid.store).unlink(missing_ok=True)


def hold(
    *,
    way: str,
    agency: str,
    state: str,
    files: Iterable[Laid],
    by: str,
    at: datetime,
    using: str = ALIAS,
    wake: bool = True,
    **more: Any,
) -> Delivery:
    """Write a delivery down with its files and, unless it waits for a person, set it going.

    The caller sees to what makes it unique.
    """
    with transaction.atomic(using=using):
        delivery = Delivery.objects.using(using).create(
            code=more.pop("code", None) or uuid.uuid4(),
            way=way,
            agency=agency,
            state=state,
            registered_by=by,
            received_at=at,
            **more,
        )
        DeliveryFile.objects.using(using).bulk_create(
            DeliveryFile(delivery=delivery, place=place, **vars(laid)) for place, laid in enumerate(files, 1)
        )
        record(
            at=at,
            actor=by,
            action="delivery.receive",
            object_kind="delivery",
            object_ref=str(delivery.pk),
            detail={"way": way, "agency": agency, "sequence": delivery.sequence, "state": state},
            using=using,
        )
        if wake:
            enqueue("exchange", agency, {"agency": agency}, priority=4, using=using)
    return delivery


def refuse(
    *, way: str, agency: str, by: str, at: datetime, problem: Problem, using: str = ALIAS, **more: Any
) -> Delivery:
    """Keep a trace of what was not accepted; nothing of its files is kept."""
    with transaction.atomic(using=using):
        delivery = Delivery.objects.using(using).create(
            code=uuid.uuid4(),
            way=way,
            agency=agency,
            state=Delivery.State.REFUSED,
            registered_by=by,
            received_at=at,
            ended_at=at,
            problem=as_problem(problem),
            **more,
        )
        record(
            at=at,
            actor=by,
            action="delivery.refuse",
            object_kind="delivery",
            object_ref=str(delivery.pk),
            reason=problem.what,
            detail={"way": way, "agency": agency},
            using=using,
        )
    return delivery


def advance(agency: str, *, at: datetime) -> Next:
    """Hand over everything of an agency that is due; safe to call at any time from anywhere."""
    while True:
        with transaction.atomic(using=ALIAS):
            _lock(agency)
            _finish(agency, at)
            waits_for = _start_next_bundle(agency, at)
            file = _next_file(agency)
        if file is not None:
            # Unsealing takes as long as the file is large: nobody waits for the lock meanwhile.
            _hand_over(agency, file, _unsealed(file), at)
        elif waits_for is not None:
            return Next.INTAKE if _unhanded().filter(delivery__agency=agency).exists() else waits_for


def _hand_over(agency: str, file: DeliveryFile, kept: Kept | Problem, at: datetime) -> None:
    """The unsealed file to intake, unless somebody else was faster or its feed has become busy."""
    store = ""
    try:
        with transaction.atomic(using=ALIAS):
            _lock(agency)
            still = _next_file(agency)
            if still is not None and still.pk == file.pk:
                store = _hand(still, kept, at)
    except BaseException:
        _discard(kept)
        raise
    # Sealed bytes go after the commit: only what intake has for certain.
    if store:
        store_path(store).unlink(missing_ok=True)
    else:
        _discard(kept)


def _discard(kept: Kept | Problem) -> None:
    if isinstance(kept, Kept):
        kept.discard()


def _lock(agency: str) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"exchange:{agency}"])


def _unhanded() -> QuerySet[DeliveryFile]:
    return DeliveryFile.objects.using(ALIAS).filter(
        delivery__state=Delivery.State.TAKING, batch__isnull=True, problem__isnull=True
    )


def _next_file(agency: str) -> DeliveryFile | None:
    """The first file whose feed takes nothing just now and has no earlier file waiting."""
    waiting = _unhanded().filter(delivery__agency=agency).order_by("delivery_id", "place")
    busy = set(Batch.objects.using(ALIAS).filter(state__in=_UNDER_WAY).values_list("feed", flat=True))
    for file in waiting:
        if file.feed not in busy:
            return file
        busy.add(file.feed)
    return None


def _hand(file: DeliveryFile, kept: Kept | Problem, at: datetime) -> str:
    """One file to intake in the caller's transaction; returns the store that may then be removed."""
    delivery = Delivery.objects.using(ALIAS).get(pk=file.delivery_id)
    feed = catalog().get(file.feed)
    problem: Problem | None = None
    if feed is None or feed.agency.code != delivery.agency:
        problem = Problem(
            place=file.name,
            what=f"数据源 {file.feed} 未启用，或不属于该单位",
            cure="请核对数据源代码后重新报送。",
        )
        _discard(kept)
    elif isinstance(kept, Problem):
        problem = kept
    else:
        try:
            file.batch, new = enter(
                kept,
                feed=feed,
                file_name=file.name,
                by=f"{Delivery.Way(delivery.way).label} {delivery.number}",
                at=at,
                covers_until=file.covers_until,
                snapshot=file.snapshot,
            )
            file.repeated = not new
        except ImportRefused as refusal:
            problem = refusal.problem
    file.problem = as_problem(problem) if problem else None
    store, file.store, file.sealed_key = file.store, "", b""
    file.save(using=ALIAS)
    return store


class _Plain:
    """A sealed file as a stream, a frame at a time: it is nowhere whole in the clear."""

    def __init__(self, path: Path, data_key: bytes) -> None:
        self._frames = envelope.frames(path, data_key)

    def read(self, size: int = -1, /) -> bytes:
        return next(self._frames, b"")


def _unsealed(file: DeliveryFile) -> Kept | Problem:
    """From under the exchange's key into the batch store; a problem when it is not what was laid down."""
    try:
        data_key = sealing.open_key(sealing.load(settings.EXCHANGE_KEY), bytes(file.sealed_key), file.store)
        kept = keep(cast(BinaryIO, _Plain(store_path(file.store), data_key)))
        if kept.digest != file.digest:
            kept.discard()
            raise sealing.SealBroken(file.store)
    except (FileNotFoundError, EOFError, InvalidTag, sealing.SealBroken) as error:
        return Problem(
            place=file.name,
            what=f"暂存的文件不完整或已被改动（{type(error).__name__}）",
            cure="请系统管理员检查磁盘，并请报送单位重新报送。",
        )
    return kept


def _finish(agency: str, at: datetime) -> None:
    taking = Delivery.objects.using(ALIAS).filter(agency=agency, state=Delivery.State.TAKING)
    left = _unhanded().filter(delivery=OuterRef("pk"))
    taking.filter(~Exists(left)).update(state=Delivery.State.DONE, ended_at=at)


def _start_next_bundle(agency: str, at: datetime) -> Next | None:
    """Set the bundle going whose turn it is; returns what the ones behind wait for, None when one was started."""
    bundles = Delivery.objects.using(ALIAS).filter(agency=agency, way=Delivery.Way.BUNDLE)
    last = bundles.filter(state__in=_TAKEN).order_by("-sequence").first()
    waiting = bundles.filter(state=Delivery.State.WAITING).order_by("sequence").first()
    if waiting is None:
        return Next.NOTHING
    if waiting.sequence != (last.sequence or 0 if last else 0) + 1:
        return Next.BUNDLE
    if last is not None:
        if last.state == Delivery.State.TAKING:
            return Next.INTAKE
        states = set(last.files.using(ALIAS).values_list("batch__state", flat=True))
        if states & {*_UNDER_WAY}:
            return Next.INTAKE
        if Batch.State.HELD in states:
            return Next.PERSON
    expected = last.digest if last else ""
    if waiting.previous != expected and not (last and last.state == Delivery.State.SKIPPED):
        _refuse_waiting(waiting, expected, at)
        return None
    waiting.state = Delivery.State.TAKING
    waiting.save(using=ALIAS)
    return None


def _refuse_waiting(bundle: Delivery, expected: str, at: datetime) -> None:
    bundle.state, bundle.ended_at = Delivery.State.REFUSED, at
    bundle.problem = {
        "place": "manifest.json previous",
        "what": f"所列前一包摘要 {bundle.previous[:16] or '（空）'} 与实际接收的第 {(bundle.sequence or 1) - 1} 号"
        f"（{expected[:16] or '无'}）不符",
        "cure": "请报送单位核对发出的包，按正确的前一包重新打包本号。",
    }
    # Read before the refusal: with it the database forgets them.
    stores = [s for s in bundle.files.using(ALIAS).values_list("store", flat=True) if s]
    bundle.save(using=ALIAS)

    def gone() -> None:
        for store in stores:
            store_path(store).unlink(missing_ok=True)

    transaction.on_commit(gone, using=ALIAS)
    bundle.files.using(ALIAS).update(store="", sealed_key=b"", problem=bundle.problem)


def skip(agency: str, *, through: int, by: str, reason: str, at: datetime) -> list[int]:
    """Declare numbers that will not come: the bundles behind them may go on. Returns the numbers declared."""
    with transaction.atomic(using=ALIAS):
        bundles = Delivery.objects.using(ALIAS).filter(agency=agency, way=Delivery.Way.BUNDLE)
        known = set(bundles.exclude(state=Delivery.State.REFUSED).values_list("sequence", flat=True))
        declared = [n for n in range(1, through + 1) if n not in known]
        Delivery.objects.using(ALIAS).bulk_create(
            Delivery(
                code=uuid.uuid4(), way=Delivery.Way.BUNDLE, agency=agency, state=Delivery.State.SKIPPED, sequence=n,
                registered_by=by, received_at=at, ended_at=at, sheet={"reason": reason},
            )
            for n in declared
        )  # fmt: skip
        record(
            at=at, actor=by, action="delivery.skip", object_kind="agency", object_ref=agency, reason=reason,
            detail={"numbers": declared[:50], "count": len(declared)}, using=ALIAS,
        )  # fmt: skip
        enqueue("exchange", agency, {"agency": agency}, priority=4, using=ALIAS)
    return declared


def missing(agency: str, *, using: str = "default") -> list[int]:
    """Numbers of bundles that have not come although later ones have."""
    known = set(
        Delivery.objects.using(using)
        .filter(agency=agency, way=Delivery.Way.BUNDLE)
        .exclude(state=Delivery.State.REFUSED)
        .values_list("sequence", flat=True)
    )
    last = max((n for n in known if n is not None), default=0)
    return [n for n in range(1, last) if n not in known][:1000]


def sweep(*, older_than_seconds: float = 6 * 3600) -> int:
    """Remove sealed bytes that no delivery names (a hand-over that was cut off); returns how many."""
    folder = Path(settings.EXCHANGE_STORE)
    if not folder.is_dir():
        return 0
    named = set(DeliveryFile.objects.using(ALIAS).exclude(store="").values_list("store", flat=True))
    count = 0
    for path in folder.glob("*.enc"):
        with suppress(FileNotFoundError):
            if path.stem not in named and time.time() - path.stat().st_mtime > older_than_seconds:
                path.unlink()
                count += 1
    return count
