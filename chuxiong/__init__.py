"""The house. Loading it makes the Celery application known, as `shared_task` needs."""

from .celery_app import app as celery_app

__all__ = ["celery_app"]
