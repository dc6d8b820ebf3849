"""``manage.py audit verify|seal|restart|purge|key``: the chain from the command line."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from chuxiong.audit import retention, sealer, signing
from chuxiong.audit.anchor import AnchorUnusable
from chuxiong.audit.signing import KeyUnusable
from chuxiong.audit.verify import Report, verify


class Command(BaseCommand):
    help = "审计链：verify 校验，seal 固化，restart 恢复备份后续链，purge 到期清理，key 公钥"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        check = verbs.add_parser("verify", help="name the first row or segment that is not as it was written")
        check.add_argument("--public-key", type=Path, action="append", default=[])
        verbs.add_parser("seal", help="continue the chain now")
        again = verbs.add_parser("restart", help="go on after a wanted restore or lost anchors")
        away = verbs.add_parser("purge", help="remove rows whose retention is over; their digests stay")
        away.add_argument("--keep-days", type=int, default=retention.policy()["keep_days"].value)
        for decided in (again, away):
            decided.add_argument("--by", required=True)
            decided.add_argument("--reason", required=True)
        key = verbs.add_parser("key", help="print the public key")
        key.add_argument(
            "--new", action="store_true", help="make a new signing key; the old public key is kept"
        )
        for verb in verbs.choices.values():
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['verb']}")(options)
        except (AnchorUnusable, KeyUnusable, retention.PurgeRefused) as error:
            if options["json"]:
                self.stdout.write(json.dumps({"ok": False, "error": str(error)}, ensure_ascii=False))
                sys.exit(1)
            raise CommandError(str(error)) from error

    def _verify(self, options: dict[str, Any]) -> None:
        report = verify(using=_reader(), public_keys=options["public_key"])
        if options["json"]:
            self.stdout.write(json.dumps(report.document(), ensure_ascii=False))
        else:
            self._say(report)
        if report.exit_code:
            sys.exit(report.exit_code)

    def _say(self, report: Report) -> None:
        rate = round(report.rows / report.seconds) if report.seconds else 0
        self.stdout.write(
            f"{report.rows} 条记录，{report.segments} 个校验段（已清理 {report.purged}），{report.anchored} 段有锚定，"
            f"{report.waiting} 条待固化；{report.seconds:.1f} 秒，每秒 {rate} 条\n"
            f"{report.rows} rows, {report.segments} segments ({report.purged} purged), {report.anchored} anchored,"
            f" {report.waiting} waiting; {report.seconds:.1f} s, {rate} rows/s"
        )
        for zh, en in report.notes:
            self.stdout.write(f"  · {zh} / {en}")
        for finding in report.findings:
            zh, en = finding.words
            self.stdout.write(f"✗ {zh} / {en}")
        if report.total_findings > len(report.findings):
            self.stdout.write(f"  … {report.total_findings} 处 / findings in all")
        if report.findings:
            zh, en = report.findings[0].cure
            self.stdout.write(f"→ {zh} / {en}")
        else:
            self.stdout.write("✓ 审计链完整 / the audit chain is sound")

    def _seal(self, options: dict[str, Any]) -> None:
        done = sealer.seal(using=_worker())
        words = (
            "固化任务正在运行 / the sealer is at work"
            if done.busy
            else f"固化 {done.rows} 条，{done.segments} 段，锚定 {done.anchored} 段 / rows, segments, anchored"
        )
        self.stdout.write(json.dumps({"ok": True, **asdict(done)}) if options["json"] else words)

    def _restart(self, options: dict[str, Any]) -> None:
        line = sealer.restart(by=options["by"], reason=options["reason"], using=_worker())
        self.stdout.write(
            json.dumps({"ok": True, "segment": line.seal})
            if options["json"]
            else f"已记入锚定文件，从第 {line.seal} 段继续 / going on from segment {line.seal}"
        )

    def _purge(self, options: dict[str, Any]) -> None:
        done = retention.purge(
            keep_days=options["keep_days"], by=options["by"], reason=options["reason"], using=_reader()
        )
        self.stdout.write(
            json.dumps({"ok": True, **asdict(done)})
            if options["json"]
            else f"清理 {done.rows} 条，{done.segments} 段；摘要保留 / rows and segments removed, digests kept"
        )

    def _key(self, options: dict[str, Any]) -> None:
        key = signing.renew(settings.AUDIT_KEY) if options["new"] else signing.load(settings.AUDIT_KEY)
        pem = signing.public_pem(key).decode()
        self.stdout.write(json.dumps({"ok": True, "id": key.id, "public": pem}) if options["json"] else pem)


def _reader() -> str:
    if "owner" not in connections:
        raise CommandError(
            "本命令需要 owner 账号：请在持有 CHUXIONG_DATABASE_URL_OWNER 的环境中运行"
            " / needs the owner role: run it where CHUXIONG_DATABASE_URL_OWNER is set"
        )
    return "owner"


def _worker() -> str:
    return "worker" if "worker" in connections else "default"
