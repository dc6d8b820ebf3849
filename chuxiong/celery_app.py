"""The Celery application: a doorbell. Truth about work lies in ``chuxiong.work``."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chuxiong.settings")
app = Celery("chuxiong")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
