"""The bell: wakes workers and screens. Losing a ring loses nothing but time."""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)
EVENTS = "events"


def ring() -> None:
    """Wake a worker. Beat rings every few seconds anyway."""
    from .tasks import ring as task

    try:
        task.apply_async(expires=30, retry=False)
    except Exception as error:
        logger.warning("bell not heard (%s); workers look by themselves", type(error).__name__)


def publish(kind: str, **numbers: Any) -> None:
    """Tell live screens that something changed: ids and counts only, never data."""
    try:
        layer = get_channel_layer()
        async_to_sync(layer.group_send)(EVENTS, {"type": "event", "kind": kind, **numbers})
    except Exception as error:
        logger.warning("screens not poked (%s); they poll", type(error).__name__)


def publish_to(group: str, kind: str, **numbers: Any) -> None:
    """Tell the listeners of one group; ``kind`` names the method that hears it. Losing it loses time only."""
    try:
        layer = get_channel_layer()
        async_to_sync(layer.group_send)(group, {"type": kind, **numbers})
    except Exception as error:
        logger.warning("group %s not poked (%s); its members poll", group, type(error).__name__)
