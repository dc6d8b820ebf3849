"""What a person does with an import: upload, choose, import, cancel, hand back the failing rows. Each act is audited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import PurePath
from typing import Any, BinaryIO

from django.db import connection
from django.utils import timezone
from psycopg2.extras import Json

from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record, without_identifiers
from chuxiong.work.jobs import enqueue
from ingestion import agreements
from ingestion.catalog.spec import FeedSpec
from ingestion.imports import columns, files
from ingestion.imports.bounds import bounds
from ingestion.imports.errors import Row, open_rows
from ingestion.imports.masking import masked
from ingestion.imports.selectors import in_reach
from ingestion.intake import holding
from ingestion.models import Batch, ErrorReceipt, FeedIssue, HeaderAlias, ImportFile, ManualImport
from ingestion.selectors import catalog

State = ManualImport.State
#: one may still cancel
OPEN = (State.CHECKING, State.CHOOSING, State.READY, State.STOPPED, State.QUEUED, State.HANDED)
#: checked: columns may be chosen again, the import may be started (again, where it was not permitted)
CHECKED = (State.READY, State.STOPPED)


def _noted(by: Person, at: datetime, action: str, kind: str, ref: object, **more: Any) -> None:
    record(
        at=at,
        actor=by.username,
        office=by.office_id,
        action=action,
        object_kind=kind,
        object_ref=str(ref),
        **more,
    )


@contextmanager
def _held(by: Person, manual_id: int) -> Iterator[ManualImport]:
    """The import in the person's reach, locked; acts on it follow one another."""
    with person_scope(by, feeds=catalog()):
        manual = ManualImport.objects.select_for_update(of=("self",)).filter(pk=manual_id).first()
        if manual is None:
            raise Refused("没有这次导入，或不在您的范围内", "no such import within your reach")
        yield manual


def _own(by: Person, manual: ManualImport) -> None:
    if manual.by != by.username:
        raise Refused(
            f"文件由{manual.by_name}上传，只有本人能够查看内容、对应和导入",
            f"{manual.by_name} uploaded this file; nobody else may look into it, choose or import",
        )


def _check_again(manual: ManualImport, **changes: Any) -> None:
    """A new check under the next revision; one that still runs for an older revision stops by itself."""
    manual.revision += 1
    manual.state, manual.progress, manual.problem = State.CHECKING, 0, None
    for name, value in changes.items():
        setattr(manual, name, value)
    manual.save(update_fields=["revision", "state", "progress", "problem", *changes])
    _queue_check(manual)


def _queue_check(manual: ManualImport) -> None:
    key = f"{manual.pk}:{manual.revision}"
    enqueue("import_check", key, {"import": manual.pk, "revision": manual.revision}, priority=3)


def upload(
    source: BinaryIO, *, size: int, file_name: str, feed: str, by: Person, at: datetime
) -> ManualImport:
    """Keep an uploaded file, sealed, and queue its check. ``feed`` empty: it is found by the headers."""
    most = bounds().upload_bytes
    if size > most:
        raise Refused(
            f"文件 {size / 1048576:,.1f} MB，超过页面导入的上限 {most >> 20} MB；请按月份或县市拆成几个文件，"
            "或由系统管理员在服务器上用 feed import 导入",
            f"the file has {size / 1048576:,.1f} MB, more than the {most >> 20} MB that a page takes; split it by month"
            " or county, or have it imported on the server with feed import",
        )
    if not size:
        raise Refused(
            "文件是空的；请向提供单位索取完整文件", "the file is empty; ask its provider for the whole file"
        )
    if feed:
        _permitted(feed, (), at)
    name = (
        "".join(c for c in PurePath(file_name.replace("\\", "/")).name if c.isprintable())[:255] or "未命名"
    )
    store, data_key, digest, size = files.put(source)
    try:
        with person_scope(by, feeds=catalog()):
            manual = ManualImport.objects.create(
                feed=feed, file_name=masked(name), size=size, digest=digest, by=by.username,
                by_name=by.name, office=by.office_id, created_at=at,
            )  # fmt: skip
            sealed_key, key_id = files.wrap(manual, data_key)
            ImportFile.objects.create(
                manual=manual, person=by.username, store=store, sealed_key=sealed_key, key_id=key_id
            )
            _queue_check(manual)
            enqueue(
                "import_expire",
                str(manual.pk),
                {"import": manual.pk},
                delay_seconds=bounds().keep_hours * 3600,
            )
            _noted(
                by, at, "import.upload", "import", manual.pk,
                detail={"feed": feed, "name": manual.file_name, "sha256": digest, "size": size},
            )  # fmt: skip
    except BaseException:
        files.path_of(store).unlink(missing_ok=True)
        raise
    return manual


def _permitted(feed: str, wanted: tuple[str, ...], at: datetime) -> FeedSpec:
    if feed not in catalog():
        raise Refused(f"没有数据源“{feed}”；请从列表中选择", f"no feed “{feed}”; choose one of the list")
    permit = agreements.check({feed: wanted}, on=timezone.localdate(at))
    if not permit.allowed:
        raise Refused(
            f"不能导入“{catalog()[feed].title.zh}”：{permit.explain()}",
            f"“{catalog()[feed].title.en}” may not be imported; the agreement says: {permit.explain()}",
        )
    return catalog()[feed]


def open_preview(manual: ManualImport, *, by: Person, at: datetime) -> dict[str, Any] | None:
    """What was read of the file, for its uploader alone; each look is on record."""
    with person_scope(by, feeds=catalog()):
        file = ImportFile.objects.filter(manual_id=manual.pk).first()
        if file is None or manual.by != by.username:
            return None
        document: dict[str, Any] | None = files.opened(file)
        if document is not None:
            _noted(by, at, "import.read", "import", manual.pk)
    return document


def choose_feed(manual_id: int, *, feed: str, by: Person, at: datetime) -> None:
    """Say which feed the file is of; it is checked anew."""
    _permitted(feed, (), at)
    with _held(by, manual_id) as manual:
        _own(by, manual)
        if manual.state not in (State.CHOOSING, State.CHECKING, *CHECKED):
            raise _gone_on(manual)
        if manual.feed == feed and manual.state != State.CHOOSING:
            return
        _check_again(manual, feed=feed, choices=None)
        _noted(by, at, "import.choose", "import", manual.pk, detail={"feed": feed})


def choose_columns(manual_id: int, *, choices: list[str], revision: int, by: Person, at: datetime) -> None:
    """Say which column of the file is which of the feed; it is checked anew. The same choice again changes nothing."""
    with _held(by, manual_id) as manual:
        _own(by, manual)
        if manual.state not in CHECKED:
            raise _gone_on(manual)
        if manual.revision != revision:
            raise Refused(
                "对应已在别处改过；请按最新的内容再改", "the columns were changed elsewhere; look again"
            )
        feed = catalog()[manual.feed]
        _fitting(choices, feed, int(manual.tally["columns"]))
        if choices == manual.choices:
            return
        _check_again(manual, choices=choices)
        taken = sum(c not in ("", columns.NOT_TAKEN) for c in choices)
        _noted(by, at, "import.choose", "import", manual.pk, detail={"feed": feed.code, "columns": taken})


def _fitting(choices: list[str], feed: FeedSpec, width: int) -> None:
    delivered = {c.name: c for c in feed.delivered}
    if len(choices) != width or any(c not in delivered for c in choices if c not in ("", columns.NOT_TAKEN)):
        raise Refused(
            "提交的对应与文件不符；请刷新后重选", "the choices do not fit the file; reload and choose again"
        )
    taken = [c for c in choices if c and c != columns.NOT_TAKEN]
    if twice := sorted({c for c in taken if taken.count(c) > 1}):
        places = "；".join(
            f"“{delivered[c].zh}”选给了第 {'、'.join(str(i + 1) for i, x in enumerate(choices) if x == c)} 列"
            for c in twice
        )
        named = "; ".join(
            f"“{delivered[c].en}” at columns {', '.join(str(i + 1) for i, x in enumerate(choices) if x == c)}"
            for c in twice
        )
        raise Refused(
            f"{places}。一个字段只能对应一列，其余请改为“不接收”",
            f"{named}. A field takes one column; set the others to “not taken”",
        )


def start(
    manual_id: int,
    *,
    revision: int,
    by: Person,
    at: datetime,
    covers_until: date | None = None,
    snapshot: bool = False,
    remember: bool = False,
) -> None:
    """Queue the import of a checked file. A second click finds it queued and changes nothing."""
    with _held(by, manual_id) as manual:
        _own(by, manual)
        if manual.state in (State.QUEUED, State.HANDED) and manual.revision == revision:
            return
        if manual.state not in CHECKED:
            raise _gone_on(manual)
        if manual.revision != revision:
            raise Refused(
                "对应已在别处改过；请按最新的内容再导入", "the columns were changed elsewhere; look again"
            )
        feed = catalog()[manual.feed]
        chosen = list(manual.choices or [])
        _complete(manual, chosen, feed)
        _permitted(feed.code, tuple(c for c in chosen if c != columns.NOT_TAKEN), at)
        if covers_until and covers_until > timezone.localdate(at):
            raise Refused("“数据截至”不能晚于今天", "“covers until” cannot lie in the future")
        if snapshot and feed.load_mode != "snapshot":
            raise Refused("该数据源不是全量报送，不能按全量导入", "this feed is not delivered as a whole")
        if snapshot and manual.tally["received"] == manual.tally["quarantined"]:
            raise Refused(
                "没有一行合格，不能按全量导入；请提供单位更正后重新报送",
                "no row is sound, so it is not imported as the whole; have its provider correct it",
            )
        if remember:
            _register(manual, chosen, feed, by, at)
        manual.state, manual.started_at, manual.problem, manual.ended_at = State.QUEUED, at, None, None
        manual.covers_until, manual.snapshot = covers_until, snapshot
        manual.save(update_fields=["state", "started_at", "problem", "ended_at", "covers_until", "snapshot"])
        enqueue("import_hand_over", str(manual.pk), {"import": manual.pk}, priority=3)
        _noted(
            by, at, "import.start", "import", manual.pk,
            detail={"feed": feed.code, "rows": manual.tally["received"], "quarantined": manual.tally["quarantined"]},
        )  # fmt: skip


def _complete(manual: ManualImport, chosen: list[str], feed: FeedSpec) -> None:
    undecided = [i + 1 for i, c in enumerate(chosen) if not c]
    if undecided:
        listed = "、".join(map(str, undecided[:10]))
        raise Refused(
            f"还有 {len(undecided)} 列没有选择（第 {listed} 列）；请选择字段或“不接收”",
            f"{len(undecided)} columns are undecided ({listed}); choose a field or “not taken”",
        )
    missing = [c for c in feed.columns if c.required and c.name not in chosen]
    if missing:
        raise Refused(
            f"缺少必填字段：{'、'.join(c.zh for c in missing)}；请选出对应的列，或向提供单位补要",
            f"required fields are missing: {', '.join(c.en for c in missing)}; choose their columns or ask the provider",
        )


def _register(manual: ManualImport, chosen: list[str], feed: FeedSpec, by: Person, at: datetime) -> None:
    """What the catalogue does not know by itself becomes an alias of the agency for this feed."""
    file = ImportFile.objects.filter(manual=manual).first()
    document = files.opened(file) if file else None
    if not document:
        return
    headers = document["headers"]
    plain = columns.propose(headers, feed, [])
    in_force = {a.key: a for a in HeaderAlias.objects.filter(feed=feed.code, withdrawn_at__isnull=True)}
    for header, choice, by_itself in zip(headers, chosen, plain, strict=True):
        column = "" if choice == columns.NOT_TAKEN else choice
        if choice == by_itself.choice or columns.unnamed(header) or len(header) > 120:
            continue
        if masked(header) != header or without_identifiers(header) != header or "*" in header:
            continue  # a cell of data where a header should be
        key = columns.key_of(header)
        standing = in_force.get(key)
        if standing and standing.column == column:
            continue
        if standing:
            _withdraw(standing, by, at)
        alias = HeaderAlias.objects.create(
            feed=feed.code, agency=feed.agency.code, key=key, header=header, column=column, made_by=by.username,
            made_by_name=by.name, made_at=at,
        )  # fmt: skip
        FeedIssue.objects.filter(feed=feed.code, kind="unknown_header", place=header).update(open=False)
        _noted(
            by, at, "alias.register", "header_alias", alias.pk,
            detail={"feed": feed.code, "header": header, "column": column or columns.NOT_TAKEN},
        )  # fmt: skip


def withdraw_alias(alias_id: int, *, by: Person, at: datetime, reason: str) -> HeaderAlias:
    """An alias counts no longer; what was imported with it stays."""
    if not reason.strip():
        raise Refused("请写明撤销的理由", "say why it is withdrawn")
    with person_scope(by, feeds=catalog()):
        alias = HeaderAlias.objects.select_for_update().filter(pk=alias_id).first()
        if alias is None:
            raise Refused("没有这条别名", "no such alias")
        if alias.withdrawn_at is None:
            _withdraw(alias, by, at, reason.strip()[:200])
    return alias


def _withdraw(alias: HeaderAlias, by: Person, at: datetime, reason: str = "") -> None:
    alias.withdrawn_at, alias.withdrawn_by = at, by.username
    alias.save(update_fields=["withdrawn_at", "withdrawn_by"])
    _noted(
        by, at, "alias.withdraw", "header_alias", alias.pk, reason=reason,
        detail={"feed": alias.feed, "header": alias.header, "column": alias.column or columns.NOT_TAKEN},
    )  # fmt: skip


def cancel(manual_id: int, *, by: Person, at: datetime) -> None:
    """Stop an import before it lands; nothing of it stays. A second click changes nothing."""
    with _held(by, manual_id) as manual:
        if manual.state == State.CANCELLED:
            return
        if manual.state not in OPEN:
            raise _gone_on(manual)
        was = _call_off(manual, by) if manual.batch_id else ""
        if was == Batch.State.LANDED:
            raise Refused(
                f"批次 {manual.batch_id} 已经入库，不能取消；有误请联系提供单位重报更正",
                f"batch {manual.batch_id} has landed; ask the provider for a corrected delivery",
            )
        if was == Batch.State.REFUSED:
            raise Refused(f"批次 {manual.batch_id} 已被拒收", f"batch {manual.batch_id} was refused already")
        manual.state, manual.ended_at = State.CANCELLED, at
        manual.save(update_fields=["state", "ended_at"])
        enqueue("import_clear", str(manual.pk), {"import": manual.pk})
        _noted(by, at, "import.cancel", "import", manual.pk)


def _call_off(manual: ManualImport, by: Person) -> str:
    words = {
        "place": manual.file_name,
        "what": f"入库前由{by.name}取消",
        "cure": "数据池未变；需要时重新上传。",
    }
    with connection.cursor() as cursor:
        cursor.execute("select ingestion_call_off(%s, %s)", [manual.batch_id, Json(words)])
        return str(cursor.fetchone()[0] or "")


def release(manual_id: int, *, by: Person, reason: str) -> None:
    """Let the held batch of an import in; decided as every held batch is. A second click changes nothing."""
    with _held(by, manual_id) as manual:
        batch = manual.batch
        if manual.state != State.HANDED or batch is None:
            raise _gone_on(manual)
        if batch.state not in (Batch.State.HELD, Batch.State.REFUSED) and "decision" in batch.layout:
            return
        try:
            holding.ask(batch.pk, holding.LET_IN, by=by, reason=reason)
        except holding.NotHeld as error:
            said = error.problem
            raise Refused(f"{said.what}；{said.cure}", f"{said.what_en}. {said.cure_en}") from None


def _gone_on(manual: ManualImport) -> Refused:
    words = manual.get_state_display()
    return Refused(
        f"这次导入的状态是“{words}”，不能再这样做；请刷新页面查看结果",
        f"this import is in state “{manual.state}”, so this is no longer possible; reload the page",
    )


class NothingQuarantined(Refused):
    """There is no row to hand back."""


def error_receipt(
    batch_id: int,
    *,
    by: Person,
    at: datetime,
    reason: str,
    write: Callable[[FeedSpec, Batch, list[Row]], None],
) -> None:
    """Write the quarantined rows of a landed batch, opened, through ``write(feed, batch, rows)``.

    An export: the reason and the number of rows are on record before the first row is opened, and the database gives
    the batch's key to no other transaction. Rows are (row number, reasons, cells by header).
    """
    if not reason.strip():
        raise Refused("请写明退回的事由", "say why the rows are taken out")
    with person_scope(by, feeds=catalog()):
        batch = Batch.objects.filter(pk=batch_id, state=Batch.State.LANDED).first()
    if batch is None or not in_reach(by, batch_id):
        raise Refused(
            "该批次没有入库，或不在您的范围内", "this batch has not landed, or is out of your reach"
        )
    if not batch.quarantined:
        raise NothingQuarantined("该批次没有隔离行", "no row of this batch was quarantined")
    with person_scope(by, feeds=catalog()):
        _noted(
            by, at, "batch.error_receipt", "batch", batch.pk, reason=reason,
            detail={"feed": batch.feed, "rows": batch.quarantined},
        )  # fmt: skip
        ErrorReceipt.objects.create(
            batch=batch, person=by.username, person_name=by.name, at=at, reason=without_identifiers(reason.strip())[:200],
            rows=batch.quarantined,
        )  # fmt: skip
        feed = catalog()[batch.feed]
        write(feed, batch, open_rows(batch, feed))
