"""Celery's minute: continue the chain. A run that fails says why and the next minute tries again."""

from __future__ import annotations

import logging

from celery import shared_task

from . import sealer
from .anchor import AnchorUnusable
from .signing import KeyUnusable

logger = logging.getLogger(__name__)


@shared_task(name="chuxiong.audit.seal", ignore_result=True)
def seal() -> None:
    try:
        done = sealer.seal()
    except (AnchorUnusable, KeyUnusable, OSError) as error:
        logger.error("audit rows wait: %s", error)
        return
    if done.rows or done.anchored:
        logger.info("audit: %s rows, %s segments, %s anchored", done.rows, done.segments, done.anchored)
