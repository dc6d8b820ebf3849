"""Celery's side of the bell: every task only looks into the job table."""

from __future__ import annotations

from celery import shared_task
from django.db import connection

from . import jobs


@shared_task(name="chuxiong.work.ring", ignore_result=True)
def ring() -> None:
    jobs.work_off()


@shared_task(name="chuxiong.work.new_day", ignore_result=True)
def new_day() -> None:
    """Once per calendar day: queue what depends on the date alone."""
    with connection.cursor() as cursor:
        cursor.execute("insert into work_day values (current_date) on conflict do nothing returning day")
        fresh = cursor.fetchone()
    if fresh:
        jobs.enqueue("day", str(fresh[0]), {"day": str(fresh[0])}, priority=3)
    jobs.work_off()
