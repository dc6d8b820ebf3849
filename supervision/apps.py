from django.apps import AppConfig


class SupervisionConfig(AppConfig):
    name = "supervision"
    verbose_name = "法律监督"

    def ready(self) -> None:
        # They register job handlers, what goes to and comes from the front, and what is mirrored.
        from supervision import carrying, mirrored, tasks  # noqa: F401
