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
#: Commands that act for agencies, within what the web role may do for them.
WEB_VERBS = {("exchange", "watch"), ("exchange", "once"), ("front", "carry")}
OWNER_VERBS = {("feed", "sync"), ("rule", "sync"), ("demo", "seed")}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chuxiong.settings")
    command, verb = (*sys.argv[1:3], "", "")[:2]
    if command in OWNER or (command, verb) in OWNER_VERBS:
        os.environ.setdefault("CHUXIONG_ROLE", "owner")
    if (command, verb) in WEB_VERBS:
        os.environ.setdefault("CHUXIONG_ROLE", "web")
    if command == "up":
        from chuxiong.up.command import main as up

        sys.exit(up(sys.argv[2:]))
    if (command, verb) == ("demo", "score") and any(a.split("=")[0] == "--scale" for a in sys.argv):
        from chuxiong.demo.trial import main as trial

        sys.exit(trial(sys.argv[3:]))
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except OperationalError as error:
        # Only where no server answers; what a server says of a statement keeps its trace.
        if "connection to server" not in str(error):
            raise
        sys.exit(
            f"数据库没有应答；请先启动中心（manage.py up）/ no database answers: start the centre first\n{error}"
        )


if __name__ == "__main__":
    main()
