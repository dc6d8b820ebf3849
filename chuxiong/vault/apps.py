from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "chuxiong.vault"
    label = "vault"
    verbose_name = "标识符保管"
