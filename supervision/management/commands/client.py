"""``manage.py client``: list, create, rotate, revoke the agencies' machines; certificate, uncertificate."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from chuxiong.accounts.refused import Refused
from chuxiong.audit.record import record
from ingestion import selectors as ingestion
from supervision import clients
from supervision.models import AgencyClient
from supervision.models.exchange import SCOPES

#: clients are written by the owner alone
_OWNER = "owner"


class Command(BaseCommand):
    help = (
        "单位接口的应用标识：list | create | rotate | revoke | certificate | uncertificate"
        " / clients of the agencies' interface"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="every client with its certificates and its subscription")
        listed.add_argument("--agency", default="")
        create = verbs.add_parser("create", help="a new client; its secret is shown once")
        create.add_argument("agency", help="代码 / code, as in `feed list`")
        create.add_argument("--name", default="", help="名称（该单位不报送数据时必填）/ its name in Chinese")
        create.add_argument("--scopes", nargs="+", choices=SCOPES, default=list(SCOPES))
        for verb, words in (
            ("rotate", "a new secret, shown once; the former ends with the next round to the front"),
            ("revoke", "the client ends with the next round to the front"),
        ):
            verbs.add_parser(verb, help=words).add_argument("key")
        certificate = verbs.add_parser("certificate", help="register a client certificate (PEM) for a client")
        certificate.add_argument("key")
        certificate.add_argument("file", type=Path)
        verbs.add_parser("uncertificate", help="revoke a certificate").add_argument("fingerprint")
        for verb_parser in verbs.choices.values():
            verb_parser.add_argument("--json", action="store_true")

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document, lines = getattr(self, f"_{options['verb']}")(options)
        except Refused as refused:
            raise CommandError(f"{refused.zh} / {refused.en}") from None
        self.stdout.write(json.dumps(document, ensure_ascii=False) if options["json"] else "\n".join(lines))

    def _list(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        found = AgencyClient.objects.using(_OWNER).select_related("webhook").prefetch_related("certificates")
        if options["agency"]:
            found = found.filter(agency=options["agency"])
        rows = [_row(client) for client in found.order_by("agency", "key")]
        lines = [
            f"{r['key']:<32}{r['agency']:<20}{'+'.join(r['scopes']):<14}{'有效' if r['active'] else '已停用'}"
            f"  证书 {len(r['certificates'])}{'  通知 ' + r['webhook'] if r['webhook'] else ''}"
            for r in rows
        ]
        return rows, [*lines, f"共 {len(rows)} 个应用标识 / {len(rows)} clients"]

    def _create(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        agency = options["agency"]
        name = options["name"] or dict(ingestion.agencies()).get(agency, "")
        if not name:
            raise CommandError(f"没有单位 {agency} 的名称；请用 --name 写明 / unknown agency: give its name")
        client, secret = clients.new_client(
            agency=agency, agency_zh=name, scopes=options["scopes"], using=_OWNER
        )
        self._trace("client.create", client)
        return self._secret(client, secret)

    def _rotate(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        client = _client(options["key"])
        if not client.active:
            raise CommandError(f"{client.key} 已停用；请另建一个 / revoked: create another")
        secret = clients.rotate(client)
        self._trace("client.rotate", client)
        return self._secret(client, secret)

    def _revoke(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        client = _client(options["key"])
        clients.revoke(client)
        self._trace("client.revoke", client)
        return {"key": client.key, "active": False}, [f"{client.key} 已停用 / revoked"]

    def _certificate(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        client = _client(options["key"])
        try:
            pem = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(
                f"{options['file']} 读不到（{type(error).__name__}）/ cannot be read"
            ) from None
        made = clients.register_certificate(client, pem, at=timezone.now())
        self._trace("client.certificate", client, fingerprint=made.fingerprint[:16])
        document = {"key": client.key, "fingerprint": made.fingerprint, "valid_to": made.valid_to.isoformat()}
        return document, [
            f"{client.key}：证书 {made.fingerprint[:16]}… 有效至 {made.valid_to}；自下一次交换起须出示证书 / registered"
        ]

    def _uncertificate(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        found = clients.revoke_certificate(options["fingerprint"], on=timezone.localdate(), using=_OWNER)
        self._trace("client.uncertificate", found.client, fingerprint=found.fingerprint[:16])
        document = {"key": found.client_id, "fingerprint": found.fingerprint}
        return document, [f"{found.client_id}：证书 {found.fingerprint[:16]}… 已吊销 / revoked"]

    def _trace(self, action: str, client: AgencyClient, **more: str) -> None:
        record(
            at=timezone.now(), actor="manage.py client", action=action, object_kind="client", object_ref=client.key,
            detail={"agency": client.agency, **more}, using=_OWNER,
        )  # fmt: skip

    def _secret(self, client: AgencyClient, secret: str) -> tuple[Any, list[str]]:
        document = {"key": client.key, "secret": secret, "agency": client.agency, "scopes": client.scopes}
        return document, [
            f"X-App-Key  {client.key}",
            f"secret     {secret}",
            "密钥只显示这一次，请当面交给该单位 / the secret is shown this once",
        ]


def _client(key: str) -> AgencyClient:
    found = AgencyClient.objects.using(_OWNER).filter(pk=key).first()
    if found is None:
        raise CommandError(f"没有应用标识 {key}；请用 client list 核对 / no such client")
    return found


def _row(client: AgencyClient) -> dict[str, Any]:
    hook = getattr(client, "webhook", None)
    return {
        "key": client.key,
        "agency": client.agency,
        "agency_zh": client.agency_zh,
        "scopes": client.scopes,
        "active": client.active,
        "certificates": [
            {"fingerprint": c.fingerprint, "subject": c.subject, "valid_to": c.valid_to.isoformat(),
             "revoked_on": c.revoked_on.isoformat() if c.revoked_on else None}
            for c in client.certificates.all()
        ],
        "webhook": hook.url if hook and hook.active else "",
    }  # fmt: skip
