"""From where an act comes. The web layer sets it per request; other processes are named by their machine."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """``session`` is a short digest that ties the acts of one sign-in together, never the session's key."""

    ip: str = ""
    device: str = ""
    session: str = ""


_current: ContextVar[Origin | None] = ContextVar("audit_origin", default=None)


def current() -> Origin:
    return _current.get() or Origin(device=f"{socket.gethostname()} {Path(sys.argv[0]).name}"[:120])


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)
