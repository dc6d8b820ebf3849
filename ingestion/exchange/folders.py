"""Drop folders. A finished file is claimed by a rename, laid down once under that claim, and put away when its batch
has ended: ``archive/`` with its receipt, or ``refused/`` with the reason beside it. A kill anywhere loses nothing and
repeats nothing: the claim's name is what makes a delivery unique.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from ingestion.exchange import deliveries, receipts
from ingestion.exchange.limits import LIMITS
from ingestion.exchange.sources import Folder
from ingestion.intake.receive import ALIAS
from ingestion.models import Delivery
from ingestion.selectors import catalog

logger = logging.getLogger(__name__)

TAKEN, ARCHIVE, REFUSED = ".taken", "archive", "refused"
_DONE = ".done"
#: how transfer programs call what they are still writing
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", ".writing", ".swp", "~")


#: bytes of a name that leave room for what is written before and after it
_LONGEST_NAME = 180


class FilesFailed(Exception):
    """Claimed files that could not be handed over or put away; the others of the folder were. They are tried again."""

    def __init__(self, names: list[str], error: Exception) -> None:
        super().__init__(f"{len(names)}: {type(error).__name__}")
        self.names, self.error = names, error


class Watcher:
    """One folder; remembers what it saw in the round before."""

    def __init__(self, folder: Folder, *, quiet_seconds: float | None = None) -> None:
        self.folder = folder
        self.quiet = LIMITS.folder_quiet_seconds.value if quiet_seconds is None else quiet_seconds
        self._seen: dict[str, tuple[int, int, float]] = {}

    def round(self, *, at: datetime) -> int:
        """Claim what is finished, hand over what is claimed, put away what has ended. Returns files handed over.

        Raises ``OSError`` when the folder cannot be used, ``FilesFailed`` after the round when some files could not.
        """
        for name in (TAKEN, ARCHIVE, REFUSED):
            (self.folder.path / name).mkdir(exist_ok=True)
        for path in self._finished():
            self._claim(path)
        count = 0
        failed: list[str] = []
        last: Exception | None = None
        for path in sorted(self._taken(), key=lambda p: (p.stat().st_mtime_ns, p.name)):
            claim, _sep, name = path.name.partition("__")
            name = _readable(name)
            try:
                delivery = _delivery_of(self.folder.code, claim)
                if delivery is None:
                    delivery = self._hand_over(path, claim, name, at)
                    count += 1
                self._put_away(path, name, delivery, at)
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:
                failed.append(name)
                last = error
        if last is not None:
            raise FilesFailed(failed, last)
        return count

    def _finished(self) -> list[Path]:
        now, seen, found = time.monotonic(), {}, []
        for path in sorted(self.folder.path.iterdir()):
            name = path.name
            if name.startswith(".") or name.lower().endswith((*_UNFINISHED, _DONE)):
                continue
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            if self.folder.ready == "marker":
                if path.with_name(name + _DONE).exists():
                    found.append(path)
                continue
            size, changed, since = self._seen.get(name, (-1, -1, now))
            if (size, changed) != (status.st_size, status.st_mtime_ns):
                since = now
            if now - since >= self.quiet and (size, changed) == (status.st_size, status.st_mtime_ns):
                found.append(path)
            else:
                seen[name] = status.st_size, status.st_mtime_ns, since
        self._seen = seen
        return found

    def _claim(self, path: Path) -> None:
        target = self.folder.path / TAKEN / f"{uuid.uuid4().hex}__{_readable(path.name)}"
        try:
            path.rename(target)
        except FileNotFoundError:
            return
        path.with_name(path.name + _DONE).unlink(missing_ok=True)
        _settle(target.parent)

    def _taken(self) -> list[Path]:
        return [p for p in (self.folder.path / TAKEN).iterdir() if "__" in p.name]

    def _hand_over(self, path: Path, claim: str, name: str, at: datetime) -> Delivery:
        feed = catalog()[self.folder.feed]
        with path.open("rb") as source:
            laid = deliveries.lay_down(
                source, feed=self.folder.feed, name=name, snapshot=self.folder.snapshot
            )
        try:
            return deliveries.hold(
                way=Delivery.Way.FOLDER, agency=feed.agency.code, state=Delivery.State.TAKING, files=[laid],
                by=f"folder:{self.folder.code}"[:60], at=at, outside=self.folder.code, idempotency=claim,
            )  # fmt: skip
        except BaseException:
            deliveries.clear([laid])
            raise

    def _put_away(self, path: Path, name: str, delivery: Delivery, at: datetime) -> None:
        receipt = receipts.document(delivery, at=at, using=ALIAS)
        if not receipt["final"]:
            return
        bad = any(f["outcome"] == "refused" for f in receipt["files"])
        place = self.folder.path / (REFUSED if bad else ARCHIVE)
        if not bad:
            place = place / f"{timezone.localdate(delivery.received_at):%Y-%m-%d}"
            place.mkdir(exist_ok=True)
        target = place / f"{delivery.pk:06d}__{name}"
        # The word beside it first: a file without one is never found there.
        if bad:
            _write(target.with_name(target.name + ".原因.txt"), "\n".join(receipts.lines(receipt)) + "\n")
        else:
            _write(
                target.with_name(target.name + ".回执.json"),
                json.dumps(receipt, ensure_ascii=False, indent=1),
            )
        path.rename(target)
        _settle(place)


def _readable(name: str) -> str:
    """A file's name as text. One that is no UTF-8 comes from a system that writes GB 18030; far too long ones are cut
    before their ending."""
    raw = os.fsencode(name)
    for encoding in ("utf-8", "gb18030"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = raw.decode("utf-8", "replace")
    if len(text.encode()) <= _LONGEST_NAME:
        return text
    ending = Path(text).suffix if len(Path(text).suffix) <= 8 else ""
    return text.encode()[: _LONGEST_NAME - len(ending.encode())].decode(errors="ignore") + ending


def _delivery_of(code: str, claim: str) -> Delivery | None:
    return (
        Delivery.objects.using(ALIAS).filter(way=Delivery.Way.FOLDER, outside=code, idempotency=claim).first()
    )


def _write(path: Path, text: str) -> None:
    fresh = path.with_name("." + path.name)
    with open(fresh, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.rename(path)


def _settle(folder: Path) -> None:
    """A rename counts after a power cut only when its folder was written."""
    descriptor: Any = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
