"""``manage.py exchange``: watch, once, check, status, keys."""

from __future__ import annotations

import json
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ingestion.exchange.sources import SourcesFault, load
from ingestion.models import SourceMark


class Command(BaseCommand):
    help = "交换：watch（投递目录、定时拉取、数据库视图）| once | check | status | keys / the ways in"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        watch = verbs.add_parser("watch", help="the service: runs until it is stopped")
        once = verbs.add_parser("once", help="one round of everything that is due")
        check = verbs.add_parser("check", help="read the declaration and say what is wrong")
        status = verbs.add_parser("status", help="every declared source, its mark and its last fault")
        keys = verbs.add_parser("keys", help="make the inner side's keys unless they are there")
        for verb in (watch, once, check, status, keys):
            verb.add_argument("--json", action="store_true")
            verb.add_argument("--sources", type=Path, help="default: exchange.yaml in the data folder")
        for verb in (watch, once):
            verb.add_argument("--quiet-seconds", type=float, help="how long a file must lie unchanged")

    def handle(self, *args: Any, **options: Any) -> None:
        options["sources"] = options["sources"] or settings.EXCHANGE_SOURCES
        getattr(self, f"_{options['verb']}")(**options)

    def _say(self, as_json: bool, document: Any, lines: list[str]) -> None:
        self.stdout.write(
            json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
        )

    def _watch(self, *, sources: Path, quiet_seconds: float | None, **_: Any) -> None:
        from ingestion.exchange.front.carrying import Carrier
        from ingestion.exchange.watching import Watch

        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        watch = Watch(sources, quiet_seconds=quiet_seconds)
        watch.extra.append(Carrier())
        watch.go_on(stop)

    def _once(self, *, sources: Path, quiet_seconds: float | None, json: bool, **_: Any) -> None:
        from ingestion.exchange.watching import Watch

        self._check(sources=sources, json=json)
        Watch(sources, quiet_seconds=quiet_seconds).round(at=timezone.now())

    def _check(self, *, sources: Path, json: bool, **_: Any) -> None:
        from ingestion.exchange.watching import checked

        try:
            found = checked(load(sources))
        except SourcesFault as fault:
            raise CommandError(str(fault)) from fault
        counts = {k: len(getattr(found, k)) for k in ("folders", "pulls", "views")}
        self._say(
            json,
            counts,
            [
                f"{sources}：投递目录 {counts['folders']}，拉取 {counts['pulls']}，视图 {counts['views']}，无误 / valid"
            ],
        )

    def _status(self, *, sources: Path, json: bool, **_: Any) -> None:
        try:
            found = load(sources)
        except SourcesFault as fault:
            raise CommandError(str(fault)) from fault
        marks = {m.code: m for m in SourceMark.objects.using("intake").all()}
        rows = []
        for kind, source in [(k, s) for k in ("folders", "pulls", "views") for s in getattr(found, k)]:
            mark = marks.get(source.code)
            rows.append(
                {
                    "code": source.code, "kind": kind, "feed": source.feed, "failures": mark.failures if mark else 0,
                    "tried_at": mark.tried_at if mark else None, "fetched_at": mark.fetched_at if mark else None,
                    "problem": mark.problem if mark else None,
                }
            )  # fmt: skip
        lines = [
            f"{r['code']:<24}{r['feed']:<24}{'故障：' + r['problem']['what'] if r['problem'] else '正常'}"
            for r in rows
        ]
        self._say(json, rows, [*lines, f"共 {len(rows)} 个来源 / {len(rows)} sources"])

    def _keys(self, *, json: bool, **_: Any) -> None:
        from chuxiong.audit import signing
        from ingestion.exchange import sealing

        private = sealing.ensure(settings.EXCHANGE_KEY)
        key = signing.create(settings.EXCHANGE_SIGNING_KEY)
        document = {"sealing": sealing.raw_public(private).hex(), "signing": key.id}
        self._say(json, document, [f"{name}: {value}" for name, value in document.items()])
