"""``manage.py office sync``: offices, departments and roles from the data file."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from chuxiong.accounts import institutions


class Command(BaseCommand):
    help = "机构：sync"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["sync"])
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = institutions.sync()
        self.stdout.write(
            json.dumps(counts) if options["json"] else f"{counts['offices']} 个院已登记 / offices registered"
        )
