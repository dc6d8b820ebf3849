"""One answer for many sockets: what five hundred screens ask for after one event is built once and sent as it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async

_Kept = dict[Hashable, "tuple[float, asyncio.Task[str]]"]
#: by event loop: a task belongs to the loop that it runs on
_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()


async def shared(key: Hashable, since: float, build: Callable[[], str]) -> str:
    """The text under ``key``, from a build that began after ``since`` (``time.monotonic``)."""
    kept = _kept.setdefault(asyncio.get_running_loop(), {})
    found = kept.get(key)
    if found is None or found[0] < since or (found[1].done() and found[1].exception() is not None):
        # Not on the common thread: screens wait for no page and pages for no screen.
        found = (time.monotonic(), asyncio.ensure_future(sync_to_async(build, thread_sensitive=False)()))
        kept[key] = found
    return await asyncio.shield(found[1])
