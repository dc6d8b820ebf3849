"""What other rooms may know of devices: which are silent, which nobody registered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection


@dataclass(frozen=True)
class SilentDevice:
    """A registered device that has not been heard within its expected interval; a data ticket, not a clue."""

    mn: str
    org_name: str
    outlet_name: str
    county: str
    last_at: datetime | None
    expected_by: datetime


@dataclass(frozen=True)
class UnknownDevice:
    """A device whose readings arrive although nobody has registered it."""

    mn: str
    first_at: datetime
    last_at: datetime
    packets: int


def silent_devices(at: datetime) -> list[SilentDevice]:
    """Devices in service at ``at`` whose next packet is overdue, longest overdue first. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select * from (select d.mn, d.org_name, d.outlet_name, d.county, c.last_at,"
            " greatest(c.last_at, d.active_from::timestamptz) + make_interval(mins => d.silent_after_minutes) as due"
            " from ingestion_telemetrydevice d left join ingestion_telemetrycontact c on c.mn = d.mn"
            " where d.active_from <= %(at)s::timestamptz::date"
            " and (d.active_to is null or d.active_to >= %(at)s::timestamptz::date)) s"
            " where s.due < %(at)s order by s.due, s.mn",
            {"at": at},
        )
        return [SilentDevice(*row) for row in cursor.fetchall()]


def unknown_devices(at: datetime, *, days: int = 30) -> list[UnknownDevice]:
    """Devices heard within the last ``days`` that are not registered, latest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.mn, c.first_at, c.last_at, c.packets from ingestion_telemetrycontact c"
            " where c.last_at > %s and not exists (select 1 from ingestion_telemetrydevice d where d.mn = c.mn)"
            " order by c.last_at desc, c.mn",
            [at - timedelta(days=days)],
        )
        return [UnknownDevice(*row) for row in cursor.fetchall()]
