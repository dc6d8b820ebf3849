"""``manage.py front``: prepare (the front's own tables), carry (one round of the inner side)."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections, transaction
from django.utils import timezone

from ingestion.exchange import sealing
from ingestion.exchange.front import store
from ingestion.exchange.front.own_key import own_key


class Command(BaseCommand):
    help = "前置机：prepare（建表）| carry（内侧取送一次）/ the front's own database"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, words in (
            ("prepare", "at the front: tables and its public key"),
            ("carry", "inside: one round"),
        ):
            verbs.add_parser(verb, help=words).add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(options["json"])

    def _prepare(self, as_json: bool) -> None:
        if "front" not in connections:
            raise CommandError("没有前置机数据库地址；请设置 CHUXIONG_DATABASE_URL_FRONT / not set")
        public = sealing.raw_public(own_key())
        with transaction.atomic(using="front"), connections["front"].cursor() as cursor:
            store.prepare(cursor, public=public, at=timezone.now())
        self._say(as_json, {"public": public.hex()}, f"前置机数据库就绪，公钥 {public.hex()[:16]}…")

    def _carry(self, as_json: bool) -> None:
        from contextlib import closing

        import psycopg2

        from ingestion.exchange.front.carrying import address, carry

        where = address()
        if not where:
            raise CommandError("没有前置机数据库地址；请设置 CHUXIONG_DATABASE_URL_FRONT / not set")
        try:
            with closing(psycopg2.connect(where, connect_timeout=5)) as front:
                count = carry(front, at=timezone.now())
        except psycopg2.Error as error:
            raise CommandError(f"前置机数据库连接不上或尚未 prepare（{type(error).__name__}）") from None
        self._say(as_json, {"fetched": count}, f"取回 {count} 件 / fetched")

    def _say(self, as_json: bool, document: dict[str, Any], line: str) -> None:
        self.stdout.write(json.dumps(document) if as_json else line)
