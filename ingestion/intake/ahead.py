"""The next items of an iterator are made in a thread while the present one is worked on."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")
#: seconds after which a thread in the middle of a loop lets another go on. A stage of the intake calls into compiled code some
#: hundred times a chunk; at Python's 5 ms each return from there could wait as long for a stage that hashes or seals.
_TURN = 0.0005


class _End:
    """What stands behind the last item: the error that ended the iterator, or none."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[T], *, most: int = 1) -> Iterator[T]:
    """``items`` in their order, at most ``most`` of them made before they are asked for.

    An error of ``items`` is raised where it stood. When the reader leaves early, ``items`` is not asked any further;
    the generator returns when its thread has ended. ``items`` must not depend on the thread it runs in.
    """
    ready: Queue[T | _End] = Queue(most)
    left = threading.Event()

    def give(item: T | _End) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not give(item):
                    return
        except BaseException as raised:
            error = raised
        finally:
            # Ended where it ran: what it holds for its thread (a connection) is given back here, not by whoever drops it.
            close = getattr(items, "close", None)
            if close is not None:
                close()
        give(_End(error))

    # Of the whole process, and it stays so: pipelines come and go side by side.
    sys.setswitchinterval(min(sys.getswitchinterval(), _TURN))
    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if not isinstance(item, _End):
                yield item
                # Nothing of the last item is kept while the next is waited for.
                del item
                continue
            if item.error is not None:
                raise item.error
            return
    finally:
        left.set()
        while thread.is_alive():
            with contextlib.suppress(Empty):
                ready.get_nowait()
            thread.join(0.05)
