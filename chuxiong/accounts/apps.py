from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "chuxiong.accounts"
    label = "accounts"
    verbose_name = "人员与机构"

    def ready(self) -> None:
        from . import signals  # noqa: F401  connects the receivers
