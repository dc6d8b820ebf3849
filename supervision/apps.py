from django.apps import AppConfig


class SupervisionConfig(AppConfig):
    name = "supervision"
    verbose_name = "法律监督"

    def ready(self) -> None:
        from supervision import tasks  # noqa: F401  registers the job handlers
