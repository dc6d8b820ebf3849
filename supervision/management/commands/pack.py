"""``manage.py pack``: key, register-key, revoke-key, keys, check, list: signed model packs between offices."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ingestion.selectors import catalog
from supervision.models import ModelPack, PublisherKey
from supervision.packs import checking, keys
from supervision.packs.actions import house
from supervision.packs.container import Faulty, open_pack
from supervision.packs.document import read_foreign
from supervision.packs.manifest import SPEC
from supervision.selectors import rulebook


class Command(BaseCommand):
    help = "模型包：key | register-key | revoke-key | keys | check | list / signed model packs"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        key = verbs.add_parser("key", help="our public key, for other offices to register")
        key.add_argument("--out", type=Path, metavar="FILE", help="write it there")
        register = verbs.add_parser("register-key", help="register another office's public key")
        register.add_argument("publisher", help="the office's full name")
        register.add_argument("pem", type=Path, help="the public key, PEM")
        register.add_argument("--holder", required=True, help="who keeps the private key there")
        register.add_argument("--from", dest="valid_from", type=date.fromisoformat)
        register.add_argument("--to", dest="valid_to", type=date.fromisoformat, required=True)
        revoke = verbs.add_parser("revoke-key", help="a key signs nothing from a day on")
        revoke.add_argument("fingerprint")
        revoke.add_argument("--on", type=date.fromisoformat)
        revoke.add_argument("--reason", required=True)
        listed = verbs.add_parser("keys", help="registered keys")
        check = verbs.add_parser("check", help="what a pack would be here; keeps nothing")
        check.add_argument("file", type=Path)
        check.add_argument(
            "--tests", action="store_true", help="also run the stored tests of every valid model"
        )
        packs = verbs.add_parser("list", help="packs that came and went")
        for verb in (key, register, revoke, listed, check, packs):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb'].replace('-', '_')}")(**options)

    def _say(self, as_json: bool, document: Any, lines: list[str]) -> None:
        self.stdout.write(
            json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
        )

    def _key(self, *, out: Path | None, json: bool, **_: Any) -> None:
        fingerprint, pem = keys.own_public()
        if out is not None:
            if out.exists():
                raise CommandError(f"{out} 已存在，未改动 / exists already")
            out.write_text(pem)
        lines = [f"指纹 {fingerprint}，请当面核对 / fingerprint, to be compared by word of mouth"]
        lines.append(f"公钥 {out}" if out else pem.strip())
        self._say(json, {"fingerprint": fingerprint, "pem": pem}, lines)

    def _register_key(self, *, publisher: str, pem: Path, json: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            key = keys.register(
                publisher=publisher, pem=pem.read_text(), holder=options["holder"],
                valid_from=options["valid_from"] or timezone.localdate(now), valid_to=options["valid_to"],
                by="command", at=now, using="owner",
            )  # fmt: skip
        except (keys.KeyRefused, OSError, UnicodeDecodeError) as refused:
            raise CommandError(str(refused)) from refused
        self._say(
            json,
            {"fingerprint": key.fingerprint, "publisher": key.publisher},
            [f"已登记 {key.publisher} 的公钥 {key.fingerprint}，{key.valid_from} 至 {key.valid_to}"],
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
                "publisher": k.publisher, "fingerprint": k.fingerprint, "holder": k.holder,
                "valid_from": k.valid_from, "valid_to": k.valid_to, "fault": keys.fault_of(k, today)[0],
            }
            for k in PublisherKey.objects.using("owner").order_by("publisher", "-valid_to", "pk")
        ]  # fmt: skip
        lines = [
            f"{r['fingerprint']}  {r['valid_from']} 至 {r['valid_to']}  {r['publisher']} {r['holder']}  {r['fault'] or '有效'}"
            for r in rows
        ]
        self._say(json, rows, [*lines, f"共 {len(rows)} 个密钥 / {len(rows)} keys"])

    def _check(self, *, file: Path, tests: bool, json: bool, **_: Any) -> None:
        from supervision.matching.stored_tests import failures

        try:
            opened = open_pack(file.read_bytes())
            publisher = keys.publisher_of(opened, on=timezone.localdate(), own_name=house())
        except (Faulty, OSError) as fault:
            raise CommandError(str(fault)) from fault
        found = checking.outcomes(opened, catalog(), list(rulebook().values()))
        failed: dict[str, list[tuple[str, str, str]]] = {}
        for outcome in found if tests else ():
            rule, _problems = read_foreign(opened.files[outcome.id, SPEC], outcome.id, catalog())
            if rule is not None and not outcome.problems:
                failed[outcome.id] = list(failures(rule, catalog()))
        lines = [f"{publisher} 签名，{len(found)} 个模型 / signed, {len(found)} models"]
        for o in found:
            said = "可建草稿" if o.ready else "不能直接使用"
            lines.append(
                f"{o.code:<8}{o.id:<32}{said}  要素 {o.met}/{len(o.answers)}  {_STANDING[o.standing]}"
            )
            lines += [f"    缺 {a.feed_zh or a.feed} {a.zh}（{a.column}）" for a in o.missing]
            lines += [f"    {p}" for p in o.problems]
            lines += [
                f"    样例“{name}”应为 {wanted}，得到 {got}" for name, wanted, got in failed.get(o.id, ())
            ]
        document = {
            "publisher": publisher,
            "digest": opened.digest,
            "models": [o.stored() | {"failed_tests": failed.get(o.id)} for o in found],
        }
        self._say(json, document, lines)
        if any(failed.values()):
            raise CommandError("有样例不成立，见上 / stored tests fail, see above")

    def _list(self, *, json: bool, **_: Any) -> None:
        rows: list[dict[str, Any]] = [
            {
                "pack": p.pk, "way": p.way, "publisher": p.publisher, "key": p.key, "models": len(p.listed),
                "digest": p.digest, "at": p.at, "by": p.by,
            }
            for p in ModelPack.objects.using("owner").defer("content")
        ]  # fmt: skip
        lines = [
            f"{r['pack']:>5}  {timezone.localtime(r['at']):%Y-%m-%d %H:%M}  {'导出' if r['way'] == 'out' else '导入'}"
            f"  {r['models']} 个模型  {r['publisher']}  {r['by']}"
            for r in rows
        ]
        self._say(json, rows, lines or ["还没有模型包 / no packs yet"])


_STANDING = {
    "new": "本院没有",
    "same": "与本院的相同",
    "other": "与本院的同名而内容不同",
    "code": "编码已被本院另一模型使用",
}
