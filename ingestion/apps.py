from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = "数据汇聚"

    def ready(self) -> None:
        from ingestion import tasks  # noqa: F401  registers the job handlers
