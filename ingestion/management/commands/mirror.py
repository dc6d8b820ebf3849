"""``manage.py mirror``: status, write, check, rebuild, compact."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ingestion.mirror import reading, writing
from ingestion.mirror.tables import tables
from ingestion.selectors import catalog


class Command(BaseCommand):
    help = "列式镜像：status | write [FEED] | check [FEED] | rebuild [FEED] | compact [FEED]"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        told = {
            "status": "how far each table's mirror has got, its files and size",
            "write": "add what landed since",
            "check": "compare every version with the pool at the mirror's landing",
            "rebuild": "write everything anew from the pool",
            "compact": "one file of all",
        }
        for verb, words in told.items():
            part = verbs.add_parser(verb, help=words)
            part.add_argument("feed", nargs="?")
            part.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = options["verb"]
        names = self._names(options["feed"])
        if verb == "status":
            self._status(names, options["json"])
        elif verb == "check":
            self._check(names, options["json"])
        else:
            self._write(names, verb, options["json"])

    def _names(self, feed: str | None) -> list[str]:
        known = sorted(tables(catalog()))
        if feed is None:
            return known
        if feed not in known:
            raise CommandError(f"没有数据源 {feed}；可用：{', '.join(known)} / no such feed")
        return [feed]

    def _say(self, as_json: bool, document: Any, lines: list[str]) -> None:
        self.stdout.write(
            json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
        )

    def _status(self, names: list[str], as_json: bool) -> None:
        standing = [s for s in reading.status(catalog()) if s.name in names]
        lines = [
            f"{s.name:<26}第 {s.landing} 次入库（差 {s.behind}）  {s.files} 个文件  {s.rows:,} 行"
            f"  {s.ends:,} 条终止  {s.bytes / 1e6:.1f} MB"
            for s in standing
        ]
        total = sum(s.bytes for s in standing)
        lines.append(f"共 {len(standing)} 张表，{total / 1e6:.1f} MB / tables, in all")
        self._say(as_json, [vars(s) for s in standing], lines)

    def _write(self, names: list[str], verb: str, as_json: bool) -> None:
        written = []
        for name in names:
            one = writing.bring_up(
                name, catalog(), at=timezone.now(), rebuild=verb == "rebuild", compact=verb == "compact"
            )
            written.append(one)
            if not as_json:
                self.stdout.write(
                    f"{one.name:<26}第 {one.landing} 次入库  新 {one.rows:,} 行  终止 {one.ends:,}"
                    + ("  全部重写 / written anew" if one.rebuilt else "")
                )
        if as_json:
            self._say(True, [vars(w) for w in written], [])

    def _check(self, names: list[str], as_json: bool) -> None:
        differences = [d for name in names if (d := reading.check(name, catalog()))]
        lines = [
            f"{d.name}：第 {d.landing} 次入库，记录 {d.record_id if d.record_id is not None else '—'} {d.what}；"
            f"请运行 manage.py mirror rebuild {d.name}"
            for d in differences
        ]
        lines.append(f"{len(names) - len(differences)}/{len(names)} 张表与数据池一致 / tables equal the pool")
        document = {
            "tables": len(names),
            "ok": not differences,
            "differences": [vars(d) for d in differences],
        }
        self._say(as_json, document, lines)
        if differences:
            raise CommandError("镜像与数据池不一致，见上 / the mirror differs from the pool, see above")
