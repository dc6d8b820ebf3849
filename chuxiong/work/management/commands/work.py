"""``manage.py work``: do what is due without Celery; ``--forever`` looks again every second."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from chuxiong.work.jobs import work_off


class Command(BaseCommand):
    help = "处理排队的作业"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--forever", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        done = work_off()
        while options["forever"]:
            time.sleep(0.2 if done else 1)
            done = work_off()
        self.stdout.write(f"{done} 个作业 / jobs")
