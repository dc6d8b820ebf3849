"""``manage.py camera``: register, list."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "摄像机：register FILE | list"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        register = verbs.add_parser("register", help="cameras from a YAML file")
        register.add_argument("file", type=Path)
        found = verbs.add_parser("list", help="registered cameras")
        for verb in (register, found):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _register(self, *, file: Path, json: bool, **_: Any) -> None:
        from ingestion.cameras.registering import register
        from ingestion.water.spec import RegisterRefused

        try:
            count = register(file.read_text(encoding="utf-8"), name=file.name)
        except OSError as error:
            raise CommandError(f"{file} 不能读取（{error.strerror}）；请核对路径") from error
        except RegisterRefused as refused:
            raise CommandError(str(refused)) from refused
        self._say(json, {"cameras": count}, f"登记摄像机 {count} 台 / {count} cameras")

    def _list(self, *, json: bool, **_: Any) -> None:
        from ingestion.models import Camera

        found = [
            {"code": c.code, "name": c.name_zh, "county": c.county, "km": c.km, "status": c.status}
            for c in Camera.objects.using("intake").order_by("county", "code")
        ]
        lines = [f"{c['code']} {c['name']} {c['county']} {c['status']}" for c in found]
        self._say(json, found, "\n".join(lines) or "还没有登记摄像机：manage.py camera register FILE")

    def _say(self, as_json: bool, document: object, line: str) -> None:
        self.stdout.write(json.dumps(document, ensure_ascii=False, default=str) if as_json else line)
