"""``manage.py work``: do what is due without Celery; ``--forever`` looks again every second.

``--quick`` keeps to what others wait for (landings, alarms) and looks ten times a second: beside a stream of readings
one process does nothing else, so that an alarm never waits for a rule or a large file.
"""

import logging
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connections

from chuxiong.work.jobs import QUICK, work_off

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "处理排队的作业"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--forever", action="store_true")
        parser.add_argument(
            "--quick", action="store_true", help="只处理片刻即完、他人等待的作业（入库、预警）"
        )

        parser.add_argument("--mark", type=Path, help="每次查看时更新的文件，供健康检查")

    def handle(self, *args: Any, **options: Any) -> None:
        up_to = QUICK if options["quick"] else None
        idle = 0.1 if options["quick"] else 1.0
        mark: Path | None = options["mark"]
        done = work_off(up_to=up_to)
        while options["forever"]:
            if mark:
                mark.touch()
            time.sleep(min(idle, 0.2) if done else idle)
            try:
                done = work_off(up_to=up_to)
            except (OperationalError, InterfaceError) as error:
                # The jobs stay where they are; the connection is made anew.
                logger.warning("database not reachable (%s); looking again", type(error).__name__)
                connections["default"].close()
                done = 0
                time.sleep(1)
        self.stdout.write(f"{done} 个作业 / jobs")
