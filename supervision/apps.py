from django.apps import AppConfig


class SupervisionConfig(AppConfig):
    name = "supervision"
    verbose_name = "法律监督"

    def ready(self) -> None:
        # They register job handlers, and what goes to and comes from the front.
        from supervision import carrying, tasks  # noqa: F401
