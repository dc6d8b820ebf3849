"""A disc with its paper: one person registers it, another confirms by a sign-in of their own, then intake takes it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.kit.problems import Problem
from chuxiong.work.jobs import enqueue
from ingestion.exchange import deliveries, sheet
from ingestion.exchange.deliveries import Laid, Readable
from ingestion.exchange.limits import LIMITS
from ingestion.models import Delivery, DeliveryFile
from ingestion.selectors import catalog

_DEEP = 3


class DiscRefused(Exception):
    """Nothing was kept; ``problems`` are places of the form, ``mismatches`` files that differ from the sheet."""

    def __init__(self, problems: Sequence[Problem] = (), mismatches: Sequence[sheet.Mismatch] = ()) -> None:
        super().__init__("; ".join(str(p) for p in problems) or f"{len(mismatches)} mismatches")
        self.problems, self.mismatches = problems, mismatches


@dataclass(frozen=True)
class OnDisc:
    """A file of the mounted drive; ``path`` is relative to it."""

    path: str
    size: int


@dataclass(frozen=True)
class Source:
    """A file to be read: its name and its bytes."""

    name: str
    stream: Readable


def drive() -> list[OnDisc]:
    """Regular files of the mounted drive, in order of path; empty when none is mounted."""
    root = Path(settings.DISC_DIR) if settings.DISC_DIR else None
    if root is None or not root.is_dir():
        return []
    found = []
    for folder, folders, names in os.walk(root):
        deep = len(Path(folder).relative_to(root).parts)
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if deep < _DEEP else []
        for name in sorted(names):
            path = Path(folder) / name
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and not name.startswith("."):
                found.append(OnDisc(str(path.relative_to(root)), status.st_size))
            if len(found) > LIMITS.bundle_files.value:
                return found[: LIMITS.bundle_files.value]
    return found


def register(
    *,
    by: Person,
    at: datetime,
    agency: str,
    feed: str,
    lines: Sequence[sheet.Line],
    hand_over: dict[str, str],
    uploads: Iterable[Source] = (),
    chosen: Iterable[str] = (),
) -> Delivery:
    """Read the files, compare them with the sheet and write the disc down for a second person.

    ``feed`` is that of files for which the sheet names none. Raises ``DiscRefused``; nothing is kept then.
    """
    feeds = catalog()
    of_line = {line.name: line for line in lines}
    laid: list[Laid] = []
    try:
        with ExitStack() as stack:
            for source in [*uploads, *(_from_drive(path, stack) for path in chosen)]:
                line = of_line.get(source.name, sheet.Line(source.name, ""))
                laid.append(
                    deliveries.lay_down(
                        source.stream, feed=line.feed or feed, name=source.name, covers_until=line.covers_until,
                        snapshot=line.snapshot,
                    )
                )  # fmt: skip
        agencies = {code: f.agency.code for code, f in feeds.items()}
        problems = _faults(agency, laid, lines, agencies, timezone.localdate(at))
        mismatches = sheet.compare(lines, laid) if lines else []
        if problems or mismatches:
            raise DiscRefused(problems, mismatches)
        with person_scope(by, purpose="exchange"):
            return deliveries.hold(
                way=Delivery.Way.DISC, agency=agency, state=Delivery.State.CONFIRMING, files=laid, by=by.username,
                at=at, using="default", sheet=hand_over, outside=hand_over.get("medium", "")[:200], wake=False,
            )  # fmt: skip
    except BaseException:
        deliveries.clear(laid)
        raise


def _from_drive(path: str, stack: ExitStack) -> Source:
    """A file of the drive by one of the names it was offered under: no other path is ever opened."""
    if path not in {f.path for f in drive()}:
        raise DiscRefused(
            [
                Problem(
                    path,
                    "光驱目录里没有这个文件",
                    "请刷新后重新选择。",
                    "The drive’s folder has no such file",
                    "Reload and choose again.",
                )
            ]
        )
    descriptor = os.open(Path(settings.DISC_DIR) / path, os.O_RDONLY | os.O_NOFOLLOW)
    return Source(Path(path).name, stack.enter_context(os.fdopen(descriptor, "rb")))


def _faults(
    agency: str,
    laid: Sequence[Laid],
    lines: Sequence[sheet.Line],
    agency_of: dict[str, str],
    today: date,
) -> list[Problem]:
    found = []
    if not laid:
        found.append(
            Problem(
                "files",
                "没有选择文件",
                "上传文件，或从光驱目录里勾选。",
                "No file was chosen",
                "Upload files, or tick them in the drive’s folder.",
            )
        )
    if laid and not lines:
        found.append(
            Problem(
                "lines",
                "没有录入交接单上的摘要",
                "逐行录入文件名和摘要，或上传交接单文件。",
                "The digests of the sheet are missing",
                "Type name and digest line by line, or choose the sheet’s file.",
            )
        )
    if len(laid) > LIMITS.bundle_files.value:
        found.append(
            Problem(
                "files",
                f"超过 {LIMITS.bundle_files.value} 个文件",
                "请分次登记。",
                f"More than {LIMITS.bundle_files.value} files",
                "Register them in several goes.",
            )
        )
    names = [f.name for f in laid]
    for name in sorted({n for n in names if names.count(n) > 1}):
        found.append(
            Problem(
                "files",
                f"{name} 选了两次",
                "同名文件只留一个。",
                f"{name} was chosen twice",
                "Keep one of the two.",
            )
        )
    for file in laid:
        if agency_of.get(file.feed) != agency:
            found.append(
                Problem(
                    "feed",
                    f"{file.name}：数据源 {file.feed or '未选'} 不由该单位报送",
                    "请选择该单位的数据源。",
                    f"{file.name}: feed {file.feed or 'none'} is not this provider’s",
                    "Choose one of its feeds.",
                )
            )
        if file.covers_until and file.covers_until > today:
            found.append(
                Problem(
                    "lines",
                    f"{file.name}：数据截至 {file.covers_until} 晚于今天",
                    "数据只能完整到已经过去的日期；请报送单位更正交接单。",
                    f"{file.name}: complete up to {file.covers_until}, which lies ahead",
                    "Data are complete up to a day that has passed; ask the provider for a corrected sheet.",
                )
            )
    return found


def confirm(code: str, *, by: Person, at: datetime) -> Delivery:
    """The second person's word: the disc goes to intake. Raises ``DiscRefused``."""
    with person_scope(by, purpose="exchange"):
        disc = _waiting(code)
        if disc.registered_by == by.username:
            raise DiscRefused(
                [
                    Problem(
                        disc.number,
                        "登记人不能复核自己登记的光盘",
                        "请另一位专管员登录后复核。",
                        "Whoever registered a disc does not confirm it",
                        "Let another custodian sign in and confirm it.",
                    )
                ]
            )
        disc.state, disc.confirmed_by, disc.confirmed_at = Delivery.State.TAKING, by.username, at
        disc.save(update_fields=["state", "confirmed_by", "confirmed_at"])
        _trace(disc, by, at, "delivery.confirm")
        enqueue("exchange", disc.agency, {"agency": disc.agency}, priority=4)
    return disc


def refuse(code: str, *, by: Person, reason: str, at: datetime) -> Delivery:
    """Either person sends the disc back; its sealed bytes are removed. Raises ``DiscRefused``."""
    if not reason.strip():
        raise DiscRefused(
            [
                Problem(
                    "reason",
                    "没有写明原因",
                    "写明退回原因，报送单位据此重新报送。",
                    "No reason was given",
                    "Say why: the provider goes by it.",
                )
            ]
        )
    with person_scope(by, purpose="exchange"):
        disc = _waiting(code)
        # The database forgets them, and the keys, with the refusal.
        stores = list(DeliveryFile.objects.filter(delivery=disc).values_list("store", flat=True))
        disc.state, disc.ended_at = Delivery.State.REFUSED, at
        problem = Problem(disc.number, reason.strip()[:300], "请报送单位核对后重新交接。")
        disc.problem = deliveries.as_problem(problem)
        disc.save(update_fields=["state", "ended_at", "problem"])
        _trace(disc, by, at, "delivery.refuse", reason.strip())
    for store in stores:
        deliveries.store_path(store).unlink(missing_ok=True)
    return disc


def _waiting(code: str) -> Delivery:
    disc = Delivery.objects.select_for_update().filter(code=code, way=Delivery.Way.DISC).first()
    if disc is None or disc.state != Delivery.State.CONFIRMING:
        words = disc.get_state_display() if disc else "不存在"
        raise DiscRefused(
            [
                Problem(
                    disc.number if disc else code,
                    f"已是“{words}”",
                    "请刷新页面查看现状。",
                    "It waits no longer",
                    "Reload the page to see how it stands.",
                )
            ]
        )
    return disc


def _trace(disc: Delivery, by: Person, at: datetime, action: str, reason: str = "") -> None:
    assert transaction.get_connection().in_atomic_block  # noqa: S101  the trace belongs to the act
    record(
        at=at, actor=by.username, office=by.office_id, action=action, object_kind="delivery",
        object_ref=str(disc.pk), reason=reason,
    )  # fmt: skip
