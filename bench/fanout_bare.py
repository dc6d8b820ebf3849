"""What the fan-out is compared with: the least that sends a text from Redis to every open socket. No product in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import redis.asyncio

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
CHANNEL = "bare"
_open: set[Send] = set()
_ear: list[asyncio.Task[None]] = []


async def _listen() -> None:
    # The client hands out its parts without types.
    pubsub: Any = redis.asyncio.Redis.from_url(os.environ["CHUXIONG_REDIS_URL"]).pubsub()
    await pubsub.subscribe(CHANNEL)
    async for message in pubsub.listen():
        if message["type"] == "message":
            text = message["data"].decode()
            for send in list(_open):
                await send({"type": "websocket.send", "text": text})


async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
    if scope["type"] != "websocket":
        return
    if not _ear:
        _ear.append(asyncio.create_task(_listen()))
    await receive()
    await send({"type": "websocket.accept"})
    _open.add(send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    _open.discard(send)
