#!/usr/bin/env python
"""Commands of the centre."""

import os
import sys

#: Commands that run as the owner of the tables; all others run as the worker.
OWNER = {
    "agreement",
    "migrate",
    "makemigrations",
    "check",
    "office",
    "spectacular",
    "showmigrations",
    "sqlmigrate",
}
OWNER_VERBS = {("feed", "sync"), ("rule", "sync"), ("demo", "seed")}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chuxiong.settings")
    command, verb = (*sys.argv[1:3], "", "")[:2]
    if command in OWNER or (command, verb) in OWNER_VERBS:
        os.environ.setdefault("CHUXIONG_ROLE", "owner")
    if command == "up":
        from chuxiong.up.command import main as up

        sys.exit(up(sys.argv[2:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
