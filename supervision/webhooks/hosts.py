"""Where calls may go: the operator's ``webhooks.yaml``, read strictly (pure). What is not listed is never called.

    hosts:
      - {agency: hr_bureau, scheme: https, host: hook.hr.example, port: 8443, addresses: [10.20.0.0/16],
         ca: /etc/chuxiong/hr-ca.pem, source: 联调单 2026-11-20}

``addresses`` names the networks in which the host may lie; without it only public addresses are called. ``ca`` is the
authority that signs the receiver's certificate, without it the system's are used.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

_PORTS = {"https": 443, "http": 80}


class HostsFault(Exception):
    """``webhooks.yaml`` cannot be used; the message names file and key."""


class Host(BaseModel):
    """One receiver of one agency."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    agency: str = Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")
    #: plain http only where this says so: the call is signed, and nobody else's network lies between
    scheme: Literal["https", "http"] = "https"
    host: str = Field(pattern=r"^[a-z0-9]([a-z0-9.:-]{0,251}[a-z0-9])?$")
    port: int = Field(default=443, gt=0, lt=65_536)
    addresses: tuple[str, ...] = ()
    ca: Path | None = None
    source: str = Field(min_length=1)

    @field_validator("addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ipaddress.ip_network(one)
        return value

    def takes(self, address: str) -> bool:
        """Whether a call may go to the address that the name stands for at this moment."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if self.addresses:
            return any(found in ipaddress.ip_network(one) for one in self.addresses)
        return found.is_global and not found.is_multicast


class Hosts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    hosts: tuple[Host, ...] = ()


@dataclass(frozen=True)
class Target:
    """A receiver's address taken apart; ``path`` with its query, as it is signed."""

    scheme: str
    host: str
    port: int
    path: str


def load(path: Path) -> Hosts:
    """The listed receivers; a file that is not there lists none. Raises ``HostsFault``."""
    if not path.is_file():
        return Hosts()
    try:
        return Hosts.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        raise HostsFault(f"{path} {place}：{first['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise HostsFault(f"{path}：不是 UTF-8 编码的 YAML，或读不到（{type(error).__name__}）") from None


def target(url: str) -> Target | None:
    """The address taken apart; None when it is none that could be called."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or parts.fragment or port == 0:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path)


def listed(hosts: Hosts, agency: str, wanted: Target) -> Host | None:
    """The entry that lets the agency be called there."""
    where = (agency, wanted.scheme, wanted.host, wanted.port)
    return next((h for h in hosts.hosts if (h.agency, h.scheme, h.host, h.port) == where), None)
