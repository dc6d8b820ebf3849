"""``manage.py bundle``: key, register-key, revoke-key, keys, pack, open, receipt, status, skip."""

from __future__ import annotations

import hashlib
import json
import os
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ingestion.exchange import container, keys, receipts, signatures
from ingestion.exchange.manifest import FileEntry, HandOver, Manifest, ManifestFault, parse
from ingestion.models import AgencyKey, Delivery


class Command(BaseCommand):
    help = "数据包：key | register-key | revoke-key | keys | pack | open | receipt | status | skip / signed bundles"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        key = verbs.add_parser("key", help="(agency) make a key pair: FILE and FILE.pub")
        key.add_argument("file", type=Path)
        key.add_argument("--password-env", metavar="NAME", help="the variable that holds the key's password")
        register = verbs.add_parser("register-key", help="register an agency's public key")
        register.add_argument("agency")
        register.add_argument("pem", type=Path, help="the public key, PEM")
        register.add_argument("--holder", required=True, help="who keeps the private key there")
        register.add_argument("--from", dest="valid_from", type=date.fromisoformat)
        register.add_argument("--to", dest="valid_to", type=date.fromisoformat, required=True)
        revoke = verbs.add_parser("revoke-key", help="a key signs nothing from a day on")
        revoke.add_argument("fingerprint")
        revoke.add_argument("--on", type=date.fromisoformat)
        revoke.add_argument("--reason", required=True)
        listed = verbs.add_parser("keys", help="registered keys")
        pack = verbs.add_parser("pack", help="(agency) make a signed bundle")
        pack.add_argument("target", type=Path)
        pack.add_argument("--agency", required=True)
        pack.add_argument("--sequence", type=int, required=True)
        pack.add_argument(
            "--after", type=Path, metavar="BUNDLE", help="the bundle before (none for number 1)"
        )
        pack.add_argument("--key", type=Path, required=True)
        pack.add_argument("--password-env", metavar="NAME")
        pack.add_argument("--file", action="append", required=True, metavar="FEED=PATH", help="repeatable")
        pack.add_argument("--covers-until", type=date.fromisoformat)
        pack.add_argument(
            "--snapshot", action="store_true", default=None, help="whole lists: records absent from them end"
        )
        pack.add_argument(
            "--partial", action="store_false", dest="snapshot", help="additions or corrections: nothing ends"
        )
        pack.add_argument("--by", default="", help="who hands it over")
        pack.add_argument("--note", default="")
        opened = verbs.add_parser("open", aliases=["receive"], help="receive a bundle")
        opened.add_argument("file", type=Path)
        opened.add_argument("--by", default="命令行")
        opened.add_argument("--wait", action="store_true", help="return when its batches have ended")
        opened.add_argument("--timeout", type=float, default=600, metavar="SECONDS")
        opened.add_argument("--receipt", type=Path, metavar="FILE", help="write the signed receipt there")
        receipt = verbs.add_parser("receipt", help="the signed receipt of a delivery, as a file")
        receipt.add_argument("delivery", type=int, help="its number, 12 for 交-000012")
        receipt.add_argument("--out", type=Path, required=True)
        status = verbs.add_parser("status", help="bundles by agency, what is missing, what waits for what")
        status.add_argument("agency", nargs="?")
        skip = verbs.add_parser("skip", help="declare numbers that will not come")
        skip.add_argument("agency")
        skip.add_argument("--through", type=int, required=True, metavar="N")
        skip.add_argument("--reason", required=True)
        for verb in (key, register, revoke, listed, pack, opened, receipt, status, skip):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = {"receive": "open"}.get(options["verb"], options["verb"])
        getattr(self, f"_{verb.replace('-', '_')}")(**options)

    def _say(self, as_json: bool, document: Any, lines: list[str]) -> None:
        self.stdout.write(
            json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
        )

    # -- at the agency ----------------------------------------------------------------------------

    def _key(self, *, file: Path, password_env: str | None, json: bool, **_: Any) -> None:
        public = file.with_name(file.name + ".pub")
        for path in (file, public):
            if path.exists():
                raise CommandError(f"{path} 已存在，未改动 / exists already")
        private = Ed25519PrivateKey.generate()
        password = _password(password_env)
        protection = BestAvailableEncryption(password) if password else NoEncryption()
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
        with open(file, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            out.write(pem)
        public.write_text(signatures.pem_of(private.public_key()))
        fingerprint = signatures.fingerprint(private.public_key())
        self._say(
            json,
            {"private": str(file), "public": str(public), "fingerprint": fingerprint},
            [f"私钥 {file}（自己保管），公钥 {public}（交给检察院登记），指纹 {fingerprint}"],
        )

    def _pack(self, *, target: Path, json: bool, **options: Any) -> None:
        if target.exists():
            raise CommandError(f"{target} 已存在，未改动 / exists already")
        previous = ""
        if options["after"]:
            try:
                with container.opened(options["after"]) as before:
                    previous, number = before.digest, before.manifest.sequence
            except (container.Faulty, OSError) as fault:
                raise CommandError(f"--after {options['after']}：{fault}") from fault
            if number + 1 != options["sequence"]:
                raise CommandError(
                    f"--after 是第 {number} 号，本包应为 {number + 1}，不是 {options['sequence']}"
                    " / the number must follow the bundle before"
                )
        entries, paths = [], []
        for word in options["file"]:
            feed, _equals, place = word.partition("=")
            path = Path(place)
            if not place or not path.is_file():
                raise CommandError(f"--file {word}：写成 数据源代码=文件路径，且文件须存在 / FEED=PATH")
            with path.open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
            entries.append(
                {
                    "feed": feed, "name": path.name, "size": path.stat().st_size, "sha256": digest,
                    "covers_until": options["covers_until"], "snapshot": options["snapshot"],
                }
            )  # fmt: skip
            paths.append(path)
        try:
            manifest = Manifest(
                format="chuxiong-bundle/1", agency=options["agency"], sequence=options["sequence"], previous=previous,
                created_at=timezone.localtime(), files=tuple(FileEntry(**e) for e in entries),
                hand_over=HandOver(by=options["by"], note=options["note"]),
            )  # fmt: skip
            parse(manifest.to_bytes())
            key = signatures.private_key(options["key"].read_bytes(), _password(options["password_env"]))
        except (ValueError, ManifestFault, OSError) as error:
            raise CommandError(str(error)) from error
        with ExitStack() as stack:
            digest = container.pack(target, manifest, [stack.enter_context(p.open("rb")) for p in paths], key)
        self._say(
            json,
            {"bundle": str(target), "sequence": manifest.sequence, "digest": digest, "files": len(entries)},
            [f"{target}：第 {manifest.sequence} 号，{len(entries)} 个文件，摘要 {digest}"],
        )

    # -- here -------------------------------------------------------------------------------------

    def _register_key(self, *, agency: str, pem: Path, json: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            key = keys.register(
                agency=agency, pem=pem.read_text(), holder=options["holder"],
                valid_from=options["valid_from"] or timezone.localdate(now), valid_to=options["valid_to"],
                by="command", at=now, using="owner",
            )  # fmt: skip
        except (keys.KeyRefused, OSError, UnicodeDecodeError) as refused:
            raise CommandError(str(refused)) from refused
        self._say(
            json,
            {"fingerprint": key.fingerprint, "agency": agency, "algorithm": key.algorithm},
            [
                f"已登记 {agency} 的公钥 {key.fingerprint}（{key.algorithm}），{key.valid_from} 至 {key.valid_to}"
            ],
        )

    def _revoke_key(self, *, fingerprint: str, json: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            key = keys.revoke(
                fingerprint, on=options["on"] or timezone.localdate(now), by="command",
                reason=options["reason"], at=now, using="owner",
            )  # fmt: skip
        except keys.KeyRefused as refused:
            raise CommandError(str(refused)) from refused
        self._say(
            json,
            {"fingerprint": fingerprint, "revoked_on": key.revoked_on},
            [f"{fingerprint} 自 {key.revoked_on} 起吊销"],
        )

    def _keys(self, *, json: bool, **_: Any) -> None:
        today = timezone.localdate()
        rows = [
            {
                "agency": k.agency, "fingerprint": k.fingerprint, "algorithm": k.algorithm, "holder": k.holder,
                "valid_from": k.valid_from, "valid_to": k.valid_to, "fault": keys.fault_of(k, today),
            }
            for k in AgencyKey.objects.using("intake").order_by("agency", "-valid_to", "pk")
        ]  # fmt: skip
        lines = [
            f"{r['agency']:<16}{r['fingerprint']}  {r['algorithm']:<11}{r['valid_from']} 至 {r['valid_to']}  "
            f"{r['holder']}  {r['fault'] or '有效'}"
            for r in rows
        ]
        self._say(json, rows, [*lines, f"共 {len(rows)} 个密钥 / {len(rows)} keys"])

    def _open(self, *, file: Path, json: bool, **options: Any) -> None:
        from ingestion.exchange.bundles import receive_bundle

        if not file.is_file():
            raise CommandError(f"{file}: 文件不存在 / no such file")
        taken = receive_bundle(file, by=options["by"], at=timezone.now())
        delivery = taken.delivery
        if options["wait"] and delivery.state != Delivery.State.REFUSED:
            _work_on(delivery, options["timeout"])
        delivery.refresh_from_db(using="intake")
        receipt = receipts.document(delivery, at=timezone.now(), using="intake")
        if options["receipt"]:
            options["receipt"].write_bytes(receipts.signed(receipt))
        lines = receipts.lines(receipt)
        if not taken.first:
            lines.insert(0, "此包此前已接收，未重复入库 / received before: nothing was applied again")
        self._say(json, receipt | {"first": taken.first}, lines)
        if delivery.state == Delivery.State.REFUSED:
            raise CommandError("数据包被拒收，原因和办法见上 / refused: reason and cure above")

    def _receipt(self, *, delivery: int, out: Path, json: bool, **_: Any) -> None:
        found = Delivery.objects.using("intake").filter(pk=delivery).first()
        if found is None:
            raise CommandError(f"没有第 {delivery} 号交接；bundle status 列出全部 / no such delivery")
        receipt = receipts.document(found, at=timezone.now(), using="intake")
        out.write_bytes(receipts.signed(receipt))
        self._say(json, receipt, [*receipts.lines(receipt), f"回执 {out} / receipt written"])

    def _status(self, *, agency: str | None, json: bool, **_: Any) -> None:
        from ingestion.exchange.deliveries import missing

        rows = Delivery.objects.using("intake").order_by("agency", "-pk")
        if agency:
            rows = rows.filter(agency=agency)
        documents = [receipts.document(d, at=timezone.now(), using="intake") for d in rows[:50]]
        gaps = {a: missing(a, using="intake") for a in dict.fromkeys(d["agency"] for d in documents)}
        lines = [line for d in documents for line in receipts.lines({**d, "missing": []})]
        lines += [f"{a} 缺号：{', '.join(map(str, g))}" for a, g in gaps.items() if g]
        self._say(
            json, {"deliveries": documents, "missing": gaps}, lines or ["还没有交接 / no deliveries yet"]
        )

    def _skip(self, *, agency: str, through: int, reason: str, json: bool, **_: Any) -> None:
        from ingestion.exchange.deliveries import skip

        declared = skip(agency, through=through, by="command", reason=reason, at=timezone.now())
        self._say(json, {"declared": declared}, [f"已声明 {len(declared)} 个号不再报送：{declared or '无'}"])


def _password(name: str | None) -> bytes | None:
    if not name:
        return None
    value = os.environ.get(name, "")
    if not value:
        raise CommandError(f"--password-env {name}：没有这个环境变量 / not set")
    return value.encode()


def _work_on(delivery: Delivery, seconds: float) -> None:
    """Work at what is due, or wait where a worker was faster, until every batch has ended or time is up."""
    from chuxiong.work.jobs import work_off

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        worked = work_off(kinds=["exchange", "take_in"], limit=1)
        delivery.refresh_from_db(using="intake")
        receipt = receipts.document(delivery, at=timezone.now(), using="intake")
        if receipt["final"] or (delivery.state == Delivery.State.WAITING and not worked):
            return
        if any(f["outcome"] == "held" for f in receipt["files"]) and not worked:
            return
        if not worked:
            time.sleep(0.2)
