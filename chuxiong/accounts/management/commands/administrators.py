"""``manage.py administrators``: the first three administrators of a new installation, each with an agreement.

Works once, on the owner's connection. From then on the system administrator creates people and the security
administrator grants roles.
"""

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from chuxiong.accounts import passwords
from chuxiong.accounts.models import ADMINISTRATORS, ConfidentialityAgreement, Office, Person
from chuxiong.audit.record import record

_FLAGS = {"system_admin": "--system", "security_admin": "--security", "audit_admin": "--audit"}


class Command(BaseCommand):
    help = "首次设立系统、安全、审计三类管理员 / appoint the first three administrators"

    def add_arguments(self, parser: ArgumentParser) -> None:
        for flag in _FLAGS.values():
            parser.add_argument(
                flag, required=True, nargs=3, metavar=("USERNAME", "NAME", "AGREEMENT"), dest=flag[2:]
            )
        parser.add_argument("--signed-on", type=date.fromisoformat, required=True)
        parser.add_argument("--valid-to", type=date.fromisoformat, required=True)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        people, now = Person.objects.using("owner"), timezone.now()
        prefecture = Office.objects.using("owner").filter(parent__isnull=True).order_by("code").first()
        if prefecture is None:
            raise CommandError("还没有机构，请先运行 manage.py office sync / run manage.py office sync first")
        made = []
        with transaction.atomic(using="owner"):
            if people.filter(roles__overlap=list(ADMINISTRATORS)).exists():
                raise CommandError(
                    "管理员已设立；新的管理员由系统管理员建立、安全管理员授予角色"
                    " / administrators exist: new ones are created and granted on the pages"
                )
            for role, flag in _FLAGS.items():
                username, name, agreement = options[flag[2:]]
                password = f"{passwords.half()}-{passwords.half()}"
                person = Person.objects.db_manager("owner").create_person(
                    username=username,
                    password=password,
                    name=name,
                    office=prefecture,
                    roles=[role],
                    must_change_password=True,
                )
                ConfidentialityAgreement.objects.using("owner").create(
                    person=person,
                    number=agreement,
                    signed_on=options["signed_on"],
                    valid_to=options["valid_to"],
                    registered_at=now,
                )
                record(
                    at=now,
                    actor="command",
                    action="person.appoint",
                    object_kind="person",
                    object_ref=username,
                    detail={"role": role, "agreement": agreement},
                    using="owner",
                )
                made.append({"role": role, "username": username, "password": password})
        self.stdout.write(
            json.dumps(made)
            if options["json"]
            else "\n".join(f"{m['role']:<16}{m['username']:<20}{m['password']}" for m in made)
        )
