"""Celery: Redis only wakes workers; the work itself is a row in Postgres (``chuxiong.work``)."""

from .base import REDIS_URL

_address = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_URL = _address
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "Asia/Shanghai"
CELERY_ENABLE_UTC = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_DEFAULT_QUEUE = "bell"
# A ring is worth nothing a minute later: beat rings again.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_timeout": 10}
CELERY_BEAT_SCHEDULE = {
    "ring": {"task": "chuxiong.work.ring", "schedule": 5.0, "options": {"expires": 5}},
    "day": {"task": "chuxiong.work.new_day", "schedule": 60.0, "options": {"expires": 60}},
    "audit": {"task": "chuxiong.audit.seal", "schedule": 60.0, "options": {"expires": 60}},
    "rank": {"task": "supervision.rank", "schedule": 5.0, "options": {"expires": 5}},
    "tally": {"task": "supervision.tally", "schedule": 60.0, "options": {"expires": 60}},
    "orders": {"task": "supervision.orders", "schedule": 60.0, "options": {"expires": 60}},
    "webhooks": {"task": "supervision.webhooks", "schedule": 10.0, "options": {"expires": 60}},
    "watch": {"task": "chuxiong.audit.watch", "schedule": 60.0, "options": {"expires": 60}},
}
