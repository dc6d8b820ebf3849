from django.apps import AppConfig


class UpConfig(AppConfig):
    name = "chuxiong.up"
    label = "up"
    verbose_name = "启动"
