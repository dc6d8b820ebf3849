"""The carrier between the inner side and the front, one round a call."""

from __future__ import annotations

import os
from contextlib import closing

import psycopg2
from django.utils import timezone


def carry() -> int:
    from ingestion.exchange.front import carrying

    with closing(psycopg2.connect(os.environ["CHUXIONG_DATABASE_URL_FRONT"])) as front:
        return carrying.carry(front, at=timezone.now())
