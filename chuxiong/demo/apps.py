from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "chuxiong.demo"
    label = "demo"
    verbose_name = "演示州"
