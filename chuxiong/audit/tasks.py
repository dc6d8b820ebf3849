"""Celery's minute: continue the chain, watch for odd use. A run that fails says why and the next minute tries again."""

from __future__ import annotations

import logging

from celery import shared_task

from . import oddities, sealer
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


@shared_task(name="chuxiong.audit.watch", ignore_result=True)
def watch() -> None:
    done = oddities.watch()
    if done.noticed:
        logger.warning("audit: odd use noticed, %s entries; see the audit page", done.noticed)
