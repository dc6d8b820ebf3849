"""What the listener must know to judge a packet, read from the database and kept for some seconds."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db.models import Q
from django.utils import timezone

from ingestion import agreements
from ingestion.intake.receive import ALIAS
from ingestion.models import TelemetryDevice, TelemetryLimit, TelemetrySource

FEED = "ee_auto_monitor"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a factor and the days on which it holds."""

    data_type: str
    value: float
    valid_from: date
    valid_to: date | None

    def holds(self, data_type: str, day: date) -> bool:
        return (
            self.data_type in ("", data_type)
            and self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
        )


@dataclass(frozen=True, slots=True)
class Device:
    """One registered device."""

    county: str | None
    organisation: str | None
    org_name: str | None
    outlet_no: str | None
    outlet_name: str | None
    #: factor → limits, the most particular and newest first
    limits: dict[str, list[Limit]]

    def limit(self, factor: str, data_type: str, day: date) -> float | None:
        for limit in self.limits.get(factor, ()):
            if limit.holds(data_type, day):
                return limit.value
        return None


UNKNOWN = Device(None, None, None, None, None, {})


@dataclass(frozen=True)
class Registry:
    """A snapshot. ``agreement``: id of the one in force, None when nothing may be taken in."""

    agreement: int | None = None
    devices: dict[str, Device] = field(default_factory=dict)
    sources: tuple[tuple[Network, int], ...] = ()

    def connections_allowed(self, address: str) -> tuple[str, int]:
        """(network, connections) that ``address`` may hold; ("", 0) when it is not on the access list."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        fitting = [(network, most) for network, most in self.sources if ip in network]
        if not fitting:
            return "", 0
        network, most = max(fitting, key=lambda entry: entry[0].prefixlen)
        return str(network), most


def load(at: datetime) -> Registry:
    """The registry as it stands on the day of ``at``; four queries."""
    today = timezone.localdate(at)
    agreement = agreements.agreement_of(FEED, on=today, using=ALIAS)
    allowed = agreements.check({FEED: ()}, on=today, using=ALIAS).allowed
    in_force = Q(active_from__lte=today) & (Q(active_to=None) | Q(active_to__gte=today))
    limits: dict[int, dict[str, list[Limit]]] = {}
    rows = TelemetryLimit.objects.using(ALIAS).order_by("-data_type", "-valid_from")
    for row in rows.values_list("device_id", "factor", "data_type", "value", "valid_from", "valid_to"):
        limits.setdefault(row[0], {}).setdefault(row[1], []).append(Limit(*row[2:]))
    devices = {
        device.mn: Device(
            device.county or None,
            str(device.organisation) if device.organisation else None,
            device.org_name or None,
            device.outlet_no or None,
            device.outlet_name or None,
            limits.get(device.pk, {}),
        )
        for device in TelemetryDevice.objects.using(ALIAS).filter(in_force)
    }
    sources = tuple(
        (ipaddress.ip_network(network), most)
        for network, most in TelemetrySource.objects.using(ALIAS)
        .filter(in_force)
        .values_list("network", "max_connections")
    )
    return Registry(agreement.pk if agreement and allowed else None, devices, sources)
