from django.apps import AppConfig


class WorkConfig(AppConfig):
    name = "chuxiong.work"
    label = "work"
    verbose_name = "作业"
