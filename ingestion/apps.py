from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = "数据汇聚"

    def ready(self) -> None:
        # They register job handlers, and what goes to and comes from the front.
        from ingestion import tasks  # noqa: F401
        from ingestion.tickets import carrying  # noqa: F401
