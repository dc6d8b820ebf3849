"""``manage.py identity``: status, rebuild."""

from __future__ import annotations

import json as json_
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from supervision.spine import selectors
from supervision.spine.run import bring_up_to_date


class Command(BaseCommand):
    help = "身份主干：status 查看 | rebuild [--part] [--recount] 重算（--part 只算变化，--recount 先重新统计频率）"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("status").add_argument("--json", action="store_true")
        rebuild = verbs.add_parser("rebuild")
        rebuild.add_argument("--json", action="store_true")
        rebuild.add_argument("--part", action="store_true", help="only what changed since the last run")
        rebuild.add_argument("--recount", action="store_true", help="count a new version of the frequencies")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _status(self, *, json: bool, **_: Any) -> None:
        told = selectors.status()
        if json:
            self.stdout.write(json_.dumps(told, ensure_ascii=False, default=str))
            return
        for kind, state in told["kinds"].items():
            self.stdout.write(
                f"{kind:<13}已读到第 {state['read_to']} 次入库（最新 {told['landing']}）  频率第 {state['frequencies']} 版"
                f"（{state['records']} 条）  有完整号码 {told['numbered'].get(kind, 0)}  待核对 {told['pairs'].get(kind, 0)}"
            )
        for row in told["tiers"]:
            self.stdout.write(
                f"  {row['kind']:<13}{row['tier']:<3}提及 {row['mentions']}  主体 {row['subjects']}"
            )
        if not told["kinds"]:
            self.stdout.write(
                "尚未计算；运行 manage.py identity rebuild / not built yet: run identity rebuild"
            )

    def _rebuild(self, *, json: bool, part: bool, recount: bool, **_: Any) -> None:
        done = bring_up_to_date(at=timezone.now(), full=not part, recount=recount)
        if json:
            self.stdout.write(json_.dumps(vars(done), ensure_ascii=False))
            return
        self.stdout.write(
            f"{done.mode}  读到第 {done.read_to} 次入库  提及 {done.mentions}  变化 {done.changed}"
            f"  合并 {done.merged}  拆分 {done.split}  待核对 {done.pairs}"
        )
