from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "chuxiong.audit"
    label = "audit"
    verbose_name = "审计"
