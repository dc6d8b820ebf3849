"""``manage.py agreement``: list, register. Nothing is taken in or read without an agreement."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from chuxiong.audit.record import record
from ingestion.agreements import PURPOSE
from ingestion.catalog.load import Catalog, CatalogError, load_catalog
from ingestion.models import Agreement

_CLASSES = ("L1", "L2", "L3", "L4")


class Command(BaseCommand):
    help = "数据协议：list | register / data agreements"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="agreements, whether they are in force, what they cover")
        add = verbs.add_parser("register", help="enter one signed agreement")
        add.add_argument("--number", required=True, help="as on the paper")
        add.add_argument("--agency", required=True, metavar="CODE", help="the agency's code in the feeds")
        add.add_argument("--title", required=True)
        add.add_argument("--signed", required=True, metavar="YYYY-MM-DD")
        add.add_argument("--from", required=True, dest="valid_from", metavar="YYYY-MM-DD")
        add.add_argument(
            "--to", required=True, dest="valid_to", metavar="YYYY-MM-DD", help="last day in force"
        )
        add.add_argument("--purpose", action="append", help=f"repeatable; default {PURPOSE}")
        add.add_argument(
            "--feed", required=True, action="append", metavar="CODE[:col,col]",
            help="repeatable; without columns all of the feed's",
        )  # fmt: skip
        add.add_argument(
            "--class", choices=_CLASSES, dest="data_class", help="default: the covered columns' highest"
        )
        add.add_argument("--custodian", required=True, help="who answers for the data here")
        add.add_argument(
            "--may-be-fed-back", action="store_true", help="its records may be named to the agency"
        )
        for verb in (listed, add):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _list(self, *, json: bool, **_: Any) -> None:
        today = timezone.localdate()
        rows = [_document(a, today) for a in Agreement.objects.using("owner").all()]
        lines = [
            f"{'有效' if r['in_force'] else '失效'}  {r['number']:<20}{r['agency_zh']}  {r['valid_from']} 至 {r['valid_to']}  "
            + "、".join(
                code if cols == ["*"] else f"{code}:{','.join(cols)}" for code, cols in r["fields"].items()
            )
            for r in rows
        ]
        lines.append(f"共 {len(rows)} 份协议 / {len(rows)} agreements")
        self._say(json, rows, lines)

    def _register(self, *, json: bool, **options: Any) -> None:
        try:
            catalog = load_catalog(settings.FEEDS_DIR)
        except CatalogError as error:
            raise CommandError(str(error)) from error
        signed, first, last = (
            _day(flag, options[name])
            for flag, name in (("--signed", "signed"), ("--from", "valid_from"), ("--to", "valid_to"))
        )
        if last < first:
            raise CommandError(f"--to {last}：早于 --from {first}；请核对协议期限 / ends before it begins")
        for name, longest in (("number", 60), ("title", 120), ("custodian", 60)):
            if not 1 <= len(options[name].strip()) <= longest:
                raise CommandError(f"--{name}：须为 1 至 {longest} 个字符 / 1 to {longest} characters")
        agency_zh = _agency(options["agency"], catalog)
        fields = _fields(options["feed"], options["agency"], catalog)
        highest = max(
            column.sensitivity
            for code, names in fields.items()
            for column in catalog[code].columns
            if names == ["*"] or column.name in names
        )
        data_class = options["data_class"] or highest
        if data_class < highest:
            raise CommandError(
                f"--class {data_class}：所列字段最高为 {highest}；写 --class {highest}，或少列字段"
                f" / the columns named go up to {highest}"
            )
        number = options["number"].strip()
        with transaction.atomic(using="owner"):
            agreement, new = Agreement.objects.using("owner").get_or_create(
                number=number,
                defaults={
                    "agency": options["agency"],
                    "agency_zh": agency_zh,
                    "title": options["title"].strip(),
                    "signed_on": signed,
                    "valid_from": first,
                    "valid_to": last,
                    "purposes": list(dict.fromkeys(options["purpose"] or [PURPOSE])),
                    "fields": fields,
                    "data_class": data_class,
                    "custodian": options["custodian"].strip(),
                    "may_be_fed_back": options["may_be_fed_back"],
                },
            )
            if not new:
                raise CommandError(
                    f"--number {number}：已登记（{agreement.agency_zh}）；续签或补充协议请用新编号"
                    " / registered already: a renewal or supplement has a number of its own"
                )
            document = _document(agreement, timezone.localdate())
            record(
                at=timezone.now(), actor="command", action="agreement.register", object_kind="agreement",
                object_ref=number, detail={**document, "valid_from": str(first), "valid_to": str(last)}, using="owner",
            )  # fmt: skip
        self._say(json, document, [f"协议 {number} 已登记，覆盖 {'、'.join(fields)} / registered"])

    def _say(self, as_json: bool, document: Any, lines: list[str]) -> None:
        self.stdout.write(
            json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
        )


def _document(agreement: Agreement, today: date) -> dict[str, Any]:
    last = min(agreement.valid_to, agreement.ended_on or agreement.valid_to)
    return {
        "number": agreement.number,
        "agency": agreement.agency,
        "agency_zh": agreement.agency_zh,
        "valid_from": agreement.valid_from,
        "valid_to": last,
        "in_force": agreement.valid_from <= today <= last,
        "purposes": agreement.purposes,
        "fields": agreement.fields,
        "data_class": agreement.data_class,
        "custodian": agreement.custodian,
        "may_be_fed_back": agreement.may_be_fed_back,
    }


def _day(flag: str, written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise CommandError(
            f"{flag} {written}：不是日期；写成 2026-01-31 / not a date: write 2026-01-31"
        ) from error


def _agency(code: str, catalog: Catalog) -> str:
    names = {feed.agency.code: feed.agency.zh for feed in catalog.values()}
    if code not in names:
        raise CommandError(
            f"--agency {code}：没有数据源属于这个单位；可用 / known: "
            + "、".join(f"{c}（{zh}）" for c, zh in sorted(names.items()))
        )
    return names[code]


def _fields(written: list[str], agency: str, catalog: Catalog) -> dict[str, list[str]]:
    """``CODE[:col,col]`` arguments as the agreement's fields."""
    own = sorted(code for code, feed in catalog.items() if feed.agency.code == agency)
    fields: dict[str, list[str]] = {}
    for argument in written:
        code, _, listed = argument.partition(":")
        if code not in own:
            why = "属于其他单位" if code in catalog else "没有这个数据源"
            raise CommandError(f"--feed {code}：{why}；{agency} 的数据源 / its feeds: {'、'.join(own)}")
        if code in fields:
            raise CommandError(
                f"--feed {code}：写了两次；把列并在一处 / named twice: put the columns together"
            )
        names = [name.strip() for name in listed.split(",") if name.strip()]
        known = [column.name for column in catalog[code].columns]
        if unknown := [name for name in names if name != "*" and name not in known]:
            raise CommandError(
                f"--feed {code}：没有列 {'、'.join(unknown)}；可用 / columns: {'、'.join(known)}"
            )
        fields[code] = ["*"] if not names or "*" in names else list(dict.fromkeys(names))
    return fields
