"""``migrate`` as Django's, then the grants and policies of every app: a table without rights is no table."""

from typing import Any

from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import connections

from chuxiong.accounts import rights


class Command(DjangoMigrate):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not options.get("plan") and not options.get("check_unapplied"):
            rights.apply(connections[options["database"]])
