"""``manage.py feed``: list, check, values, sync, status, import, release, reject, template."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any, get_args

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ingestion import pool, selectors
from ingestion.catalog import spec
from ingestion.catalog.load import CatalogError, live, load_catalog
from ingestion.models import Batch
from ingestion.texts.extractors import EXTRACTORS


class Command(BaseCommand):
    help = "数据源：list | check | values | sync | status | import FEED FILE | release BATCH | reject BATCH | template FEED"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb in ("list", "check", "values", "sync", "status"):
            parts = verbs.add_parser(verb)
            parts.add_argument("--json", action="store_true")
            if verb == "list":
                parts.add_argument("--reserve", action="store_true", help="JSON of the feeds in reserve")
        take = verbs.add_parser("import")
        take.add_argument("feed")
        take.add_argument("file", type=Path)
        take.add_argument("--covers-until", type=date.fromisoformat)
        whole = take.add_mutually_exclusive_group()
        whole.add_argument(
            "--snapshot", action="store_true", default=None, help="a whole list: records absent from it end"
        )
        whole.add_argument(
            "--partial", action="store_false", dest="snapshot", help="an addition or correction: nothing ends"
        )
        take.add_argument("--by", default="命令行")
        take.add_argument("--wait", action="store_true", help="return when it has landed, is held or refused")
        take.add_argument(
            "--timeout", type=float, default=600, metavar="SECONDS", help="how long --wait waits; default 600"
        )
        take.add_argument("--json", action="store_true")
        for verb, words in (("release", "let a held batch in"), ("reject", "send a held batch back")):
            decide = verbs.add_parser(verb, help=words)
            decide.add_argument("batch", type=int)
            decide.add_argument("--reason", required=True, help="whom you asked, and why")
            decide.add_argument("--by", default="命令行")
            decide.add_argument("--json", action="store_true")

        template = verbs.add_parser("template", help="the blank sheet of a feed")
        template.add_argument("feed")
        template.add_argument("--out", type=Path, help="default: FEED.xlsx in this folder")
        template.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _say(self, as_json: bool, document: Any, lines: list[str]) -> None:
        self.stdout.write(
            json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
        )

    def _catalog(self) -> Any:
        try:
            return load_catalog(settings.FEEDS_DIR)
        except CatalogError as error:
            raise CommandError(str(error)) from error

    def _list(self, *, json: bool, reserve: bool, **_: Any) -> None:
        rows = [
            {
                "code": f.code,
                "status": f.status,
                "title": f.title.zh,
                "agency": f.agency.zh,
                "cadence": f.cadence,
                "transport": f.transport,
            }
            for f in self._catalog().values()
        ]
        lines: list[str] = []
        for status, words in (("live", "启用"), ("reserve", "储备")):
            listed = [r for r in rows if r["status"] == status]
            lines += [f"{r['code']:<24}{r['cadence']:<14}{r['title']}（{r['agency']}）" for r in listed]
            lines.append(f"共 {len(listed)} 个{words}数据源 / {len(listed)} {status}")
        wanted = "reserve" if reserve else "live"
        self._say(json, [r for r in rows if r["status"] == wanted], lines)

    def _check(self, *, json: bool, **_: Any) -> None:
        catalog = self._catalog()
        self._say(
            json, {"feeds": len(catalog), "ok": True}, [f"{len(catalog)} 个数据源文件无误 / feeds are valid"]
        )

    def _values(self, *, json: bool, **_: Any) -> None:
        """What a feed file may say at the keys with a fixed choice, and what is in use at those without."""
        feeds = self._catalog().values()
        document = {
            "column.type": list(get_args(spec.ColumnType)),
            "column.form": [f"{form}（{kind}）" for form, kind in spec.FORM_TYPES.items()],
            "column.subject": list(get_args(spec.SubjectKind)),
            "column.sensitivity": ["L1", "L2", "L3", "L4"],
            "status": ["live", "reserve"],
            "load_mode": ["append", "upsert", "snapshot"],
            "extract.extractor": sorted(EXTRACTORS),
        } | {
            f"{key}（自由填写，在用 / free, in use）": sorted({getattr(feed, key) for feed in feeds})
            for key in ("cadence", "network", "transport")
        }
        self._say(json, document, [f"{key}: {'、'.join(values)}" for key, values in document.items()])

    def _sync(self, *, json: bool, **_: Any) -> None:
        changes = pool.sync(self._catalog())
        refused = [c for c in changes if c.refused]
        lines = [f"{'拒绝' if c.refused else '完成'} {c.feed}: {c.statement}" for c in changes]
        self._say(json, [vars(c) for c in changes], lines or ["数据池已是最新 / pool is up to date"])
        if refused:
            raise CommandError(
                f"{len(refused)} 处改动会丢失数据，未执行；请核对后由 owner 手工执行上列语句。"
                " Destructive changes were refused; run the statements above by hand."
            )

    def _status(self, *, json: bool, **_: Any) -> None:
        states = selectors.feed_states()
        lines = [
            f"{s.state:<8}{s.code:<24}{s.covers_until or '—'}  {s.rows_last} 行  {s.title_zh}" for s in states
        ]
        self._say(json, [vars(s) for s in states], lines)

    def _import(self, *, feed: str, file: Path, json: bool, **options: Any) -> None:
        from ingestion.intake.receive import ImportRefused, receive

        catalog = self._catalog()
        if feed not in live(catalog):
            why = "是储备数据源，尚未启用；启用须把 status 改为 live" if feed in catalog else "不存在"
            raise CommandError(f"数据源 {feed} {why}；可用：{', '.join(sorted(live(catalog)))}")
        if not file.is_file():
            raise CommandError(f"{file}: 文件不存在 / no such file")
        if options["covers_until"] and options["covers_until"] > timezone.localdate():
            raise CommandError("--covers-until 不能晚于今天：数据只能完整到已经过去的日期 / lies ahead")
        try:
            with file.open("rb") as source:
                batch, new = receive(
                    source,
                    feed=catalog[feed],
                    file_name=file.name,
                    by=options["by"],
                    at=timezone.now(),
                    covers_until=options["covers_until"],
                    snapshot=options["snapshot"],
                )
        except ImportRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        ended = not options["wait"] or _wait_for(batch, options["timeout"])
        document = {
            name: getattr(batch, name)
            for name in ("id", "feed", "state", "received", "loaded", "unchanged", "duplicate", "quarantined")
        } | {"new": new, "problem": batch.problem, "notes": batch.layout.get("notes", [])}
        self._say(
            json,
            document,
            [
                f"批次 {batch.pk} {batch.get_state_display()}{'' if new else '（此前已接收同一文件）'}",
                f"接收 {batch.received} = 入库 {batch.loaded} + 未变 {batch.unchanged}"
                f" + 重复 {batch.duplicate} + 隔离 {batch.quarantined}",
            ]
            + [f"{column}：{note.zh}，{rows} 行照收" for column, note, rows in selectors.notes(batch)]
            + (
                [f"{batch.problem['place']}：{batch.problem['what']} {batch.problem['cure']}"]
                if batch.problem
                else []
            ),
        )
        if batch.state == batch.State.REFUSED:
            raise CommandError("文件被拒收，原因和办法见上 / refused: reason and cure above")
        if batch.state == batch.State.HELD:
            raise CommandError(
                f"文件已暂扣，原因见上；与报送单位核对后运行 feed release {batch.pk} --reason … 或 feed reject {batch.pk} --reason … / held: check, then release or reject"
            )
        if not ended:
            raise CommandError(
                f"{options['timeout']:g} 秒内未处理完，批次 {batch.pk} 仍为“{batch.get_state_display()}”；"
                "请确认中心在运行（manage.py up），加长 --timeout 再次运行本命令即可接着等"
                " / not finished in time: see that the centre runs, run the command again to go on waiting"
            )

    def _release(self, **options: Any) -> None:
        self._decide("let_in", "已放行，排队入库", **options)

    def _reject(self, **options: Any) -> None:
        self._decide("reject", "已退回", **options)

    def _decide(
        self, outcome: str, words: str, *, batch: int, by: str, reason: str, json: bool, **_: Any
    ) -> None:
        from ingestion.intake.holding import NotHeld, decide

        try:
            decided = decide(batch, outcome, by=by, reason=reason)
        except NotHeld as refusal:
            raise CommandError(str(refusal)) from refusal
        self._say(json, {"batch": decided.pk, "state": decided.state}, [f"批次 {decided.pk} {words}"])

    def _template(self, *, feed: str, out: Path | None, json: bool, **_: Any) -> None:
        from ingestion.imports.template import write_template

        catalog = self._catalog()
        if feed not in catalog:
            raise CommandError(f"数据源 {feed} 不存在；可用：{', '.join(sorted(catalog))}")
        path = out or Path(f"{feed}.xlsx")
        try:
            with path.open("wb") as target:
                write_template(catalog[feed], target)
        except OSError as error:
            raise CommandError(f"{path}: 无法写入（{error.strerror}）；用 --out 换一个位置") from error
        self._say(json, {"feed": feed, "file": str(path)}, [f"{path}：{catalog[feed].title.zh}空白表"])


def _wait_for(batch: Batch, seconds: float) -> bool:
    """Work at what is due, or wait where a worker was faster, until the batch has ended; whether it has."""
    from chuxiong.work.jobs import work_off

    deadline = time.monotonic() + seconds
    while True:
        worked = work_off(kinds=["take_in"], limit=1)
        batch.refresh_from_db(using="intake")
        if batch.state not in (Batch.State.RECEIVED, Batch.State.READING):
            return True
        if time.monotonic() >= deadline:
            return False
        if not worked:
            time.sleep(0.2)
