"""Sends telemetry as data loggers do; for trying out, tests and the bench."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ingestion.telemetry.frames import Frame, Framer
from ingestion.telemetry.generate import Piece, cut

_TICK = 0.02


@dataclass
class Sending:
    """What one sending did. ``answered``: (device, QN) of every answer 9014; ``sent_at``: of what was above a limit."""

    packets: int = 0
    seconds: float = 0.0
    #: until the last packet was on its way
    sending_seconds: float = 0.0
    answered: set[tuple[str, str]] = field(default_factory=set)
    refused: set[tuple[str, str]] = field(default_factory=set)
    sent_at: dict[str, float] = field(default_factory=dict)
    broken: bool = False


async def send(
    lines: list[list[Piece]],
    *,
    host: str,
    port: int,
    rate: float,
    wait: float = 5.0,
    seed: int = 1,
    whole: bool = False,
) -> Sending:
    """Send each list over a connection of its own, together ``rate`` packets a second (0: as fast as they are read).

    ``whole`` sends a tick's packets as one piece, else they are cut anew. Waits at the end up to ``wait`` seconds for
    answers that are still out.
    """
    sending, began = Sending(), time.monotonic()
    await asyncio.gather(
        *(
            _send_line(line, sending, host, port, rate / len(lines), wait, seed + index, whole)
            for index, line in enumerate(lines)
        )
    )
    sending.seconds = time.monotonic() - began
    return sending


async def _send_line(
    line: list[Piece],
    sending: Sending,
    host: str,
    port: int,
    rate: float,
    wait: float,
    seed: int,
    whole: bool,
) -> None:
    asking = sum(b";Flag=5;" in piece.data and piece.fate != "refused" for piece in line)
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        sending.broken = True
        return
    # A data logger has little memory: what the listener does not read soon stops it.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
    listening = asyncio.create_task(_listen(reader, sending, asking))
    try:
        started, done = time.monotonic(), 0
        for batch in _ticks(line, rate):
            now = time.monotonic()
            sending.sent_at.update({piece.device: now for piece in batch if piece.above})
            data = [piece.data for piece in batch]
            for chunk in [b"".join(data)] if whole else cut(data, seed=seed + done):
                writer.write(chunk)
            await writer.drain()
            done += len(batch)
            sending.packets += len(batch)
            if rate:
                await asyncio.sleep(max(0.0, started + done / rate - time.monotonic()))
        sending.sending_seconds = max(sending.sending_seconds, time.monotonic() - started)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(listening, wait)
        writer.close()
        await writer.wait_closed()
    except OSError:
        sending.broken = True
    finally:
        listening.cancel()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await listening


def _ticks(line: list[Piece], rate: float) -> Iterator[list[Piece]]:
    size = max(1, round(rate * _TICK)) if rate else 200
    for start in range(0, len(line), size):
        yield line[start : start + size]


async def _listen(reader: asyncio.StreamReader, sending: Sending, asking: int) -> None:
    framer, heard = Framer(), 0
    while heard < asking:
        data = await reader.read(65536)
        if not data:
            return
        for item in framer.feed(data):
            if isinstance(item, Frame):
                head = dict(part.partition("=")[::2] for part in item.segment.decode().split(";"))
                heard += head["CN"] == "9014"
                target = sending.answered if head["CN"] == "9014" else sending.refused
                target.add((head["MN"], head.get("QN", "")))


def share_out(pieces: Iterable[Piece], connections: int) -> list[list[Piece]]:
    """Deal pieces to connections, every device always to the same one; what belongs to none to the first."""
    lines: list[list[Piece]] = [[] for _ in range(connections)]
    places: dict[str, int] = {}
    for piece in pieces:
        place = places.setdefault(piece.device, len(places) % connections) if piece.device else 0
        lines[place].append(piece)
    return lines
