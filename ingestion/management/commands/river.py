"""``manage.py river``: register, place, list."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone


class Command(BaseCommand):
    help = "河流：register FILE | place | list"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        register = verbs.add_parser("register", help="rivers and their places from a YAML file")
        register.add_argument("file", type=Path)
        place = verbs.add_parser(
            "place", help="sections and outfalls of the feeds' records, set on the lines"
        )
        found = verbs.add_parser("list", help="registered rivers")
        for verb in (register, place, found):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _say(self, as_json: bool, document: object, line: str) -> None:
        self.stdout.write(json.dumps(document, ensure_ascii=False, default=str) if as_json else line)

    def _register(self, *, file: Path, json: bool, **_: Any) -> None:
        from ingestion.water import spec
        from ingestion.water.registering import register

        try:
            made = register(spec.read(file.read_text(encoding="utf-8"), name=file.name), name=file.name)
        except OSError as error:
            raise CommandError(f"{file} 不能读取（{error.strerror}）；请核对路径") from error
        except spec.RegisterRefused as refused:
            raise CommandError(str(refused)) from refused
        self._say(
            json,
            {"rivers": made.rivers, "places": made.places},
            f"登记河流 {made.rivers} 条、点位 {made.places} 处 / {made.rivers} rivers, {made.places} places",
        )

    def _place(self, *, json: bool, **_: Any) -> None:
        from ingestion.water.registering import place_from_feeds

        made = place_from_feeds(at=timezone.now())
        for problem in made.refused:
            self.stderr.write(str(problem))
        self._say(
            json,
            {"places": made.places, "refused": [str(problem) for problem in made.refused]},
            f"由数据源定位 {made.places} 处，{len(made.refused)} 处离河线过远 /"
            f" {made.places} places set, {len(made.refused)} too far off",
        )

    def _list(self, *, json: bool, **_: Any) -> None:
        from django.db.models import Count

        from ingestion.models import River

        found = [
            {"code": r.code, "name": r.name_zh, "from_km": r.from_km, "to_km": r.to_km, "places": r.n}
            for r in River.objects.using("intake").annotate(n=Count("places")).order_by("code")
        ]
        lines = [
            f"{r['code']} {r['name']} {r['from_km']:g}–{r['to_km']:g} km，{r['places']} 处点位" for r in found
        ]
        self._say(json, found, "\n".join(lines) or "还没有登记河流：manage.py river register FILE")
