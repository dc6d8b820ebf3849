"""The device register and the access list from what people hand over."""

from __future__ import annotations

import csv
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connections, transaction

from chuxiong.kit import credit_code
from chuxiong.kit.problems import Problem
from chuxiong.vault import refs
from ingestion.intake.receive import ALIAS
from ingestion.models import TelemetryDevice, TelemetryLimit, TelemetrySource
from ingestion.telemetry.codes import protocol

#: a row is one device, or one limit of it where ``factor`` is filled; the device's columns are the same in all its rows
COLUMNS = (
    "mn", "county", "uscc", "org_name", "outlet_no", "outlet_name", "silent_after_minutes", "active_from", "active_to",
    "factor", "data_type", "limit", "limit_from", "limit_to", "source",
)  # fmt: skip


class RegisterRefused(Exception):
    """Nothing was registered; ``problems`` names every line that must be mended."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Registered:
    devices: int
    limits: int


def register(lines: Iterable[str], *, name: str) -> Registered:
    """Write the devices and limits of one CSV file (UTF-8, ``COLUMNS``); all of it or, with a fault, nothing."""
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise RegisterRefused(
            [Problem(f"{name} 第 1 行", f"缺少列 {', '.join(missing)}", "补上这些列，可以留空")]
        )
    rows, problems = [], []
    for number, row in enumerate(reader, start=2):
        try:
            rows.append(_row(row))
        except ValueError as error:
            problems.append(Problem(f"{name} 第 {number} 行", str(error), "改正后重新登记；本次未写入"))
    if problems:
        raise RegisterRefused(problems)
    with transaction.atomic(using=ALIAS):
        return _write(rows)


def _row(row: dict[str, str]) -> dict[str, Any]:
    text = {name: (row[name] or "").strip() for name in COLUMNS}
    if not text["mn"] or not text["source"]:
        raise ValueError("mn 和 source（依据）必填")
    if text["uscc"] and not credit_code.is_valid(text["uscc"]):
        raise ValueError("统一社会信用代码校验不通过")
    if text["factor"] and text["factor"] not in protocol().factors:
        raise ValueError(f"因子编码 {text['factor']} 不在 HJ 212-2017 编码表内")
    days = {
        n: date.fromisoformat(text[n]) if text[n] else None
        for n in ("active_from", "active_to", "limit_from", "limit_to")
    }
    if days["active_from"] is None or (text["factor"] and days["limit_from"] is None):
        raise ValueError("active_from 必填；有 factor 时 limit_from 必填（YYYY-MM-DD）")
    return (
        text
        | days
        | {
            "silent_after_minutes": int(text["silent_after_minutes"]),
            "limit": float(text["limit"]) if text["factor"] else None,
        }
    )


def _write(rows: list[dict[str, Any]]) -> Registered:
    codes = sorted({row["uscc"] for row in rows if row["uscc"]})
    found = refs.mint(connections[ALIAS], refs.ORGANISATION, codes)
    devices: dict[str, TelemetryDevice] = {}
    kept = (
        "county",
        "org_name",
        "outlet_no",
        "outlet_name",
        "silent_after_minutes",
        "active_from",
        "active_to",
        "source",
    )
    for row in rows:
        devices[row["mn"]] = TelemetryDevice(
            mn=row["mn"], organisation=found.get(row["uscc"]), **{name: row[name] for name in kept}
        )
    TelemetryDevice.objects.using(ALIAS).bulk_create(
        devices.values(), update_conflicts=True, unique_fields=["mn"], update_fields=[*kept, "organisation"]
    )
    ids = dict(TelemetryDevice.objects.using(ALIAS).filter(mn__in=devices).values_list("mn", "pk"))
    limits = {
        (row["mn"], row["factor"], row["data_type"], row["limit_from"]): TelemetryLimit(
            device_id=ids[row["mn"]],
            factor=row["factor"],
            data_type=row["data_type"],
            value=row["limit"],
            valid_from=row["limit_from"],
            valid_to=row["limit_to"],
            source=row["source"],
        )
        for row in rows
        if row["factor"]
    }
    TelemetryLimit.objects.using(ALIAS).bulk_create(
        limits.values(),
        update_conflicts=True,
        unique_fields=["device", "factor", "data_type", "valid_from"],
        update_fields=["value", "valid_to", "source"],
    )
    return Registered(len(devices), len(limits))


def allow(network: str, *, label: str, max_connections: int, since: date) -> TelemetrySource:
    """Put an address range on the access list; raises ``ValueError`` when it is none."""
    source, _ = TelemetrySource.objects.using(ALIAS).update_or_create(
        network=str(ipaddress.ip_network(network)),
        defaults={
            "label": label,
            "max_connections": max_connections,
            "active_from": since,
            "active_to": None,
        },
    )
    return source
