"""Exchange with agencies: where keys, folders and discs lie. What is fetched is data (``exchange.yaml``)."""

from __future__ import annotations

from pathlib import Path

from . import env
from .base import VAR_DIR, VAULT_KEYS

# Sealed files that intake has not yet taken.
EXCHANGE_STORE = VAR_DIR / "exchange"
# The inner side's keys lie beside the vault's: one seals what is laid down, one signs receipts.
EXCHANGE_KEY = VAULT_KEYS.parent / "exchange.pem"
EXCHANGE_SIGNING_KEY = VAULT_KEYS.parent / "exchange-signing.pem"
# The database of the front, its own; the inner side goes to it.
FRONT_DATABASE_URL = env.optional("CHUXIONG_DATABASE_URL_FRONT")
# Drop folders and sources; the file is the operator's.
EXCHANGE_SOURCES = Path(env.optional("CHUXIONG_EXCHANGE_SOURCES", str(VAR_DIR / "exchange.yaml")))
# Where the drive for discs is mounted; empty: files are uploaded.
DISC_DIR = env.optional("CHUXIONG_DISC_DIR")
# Which receivers of agencies may be called (webhooks); the file is the operator's.
WEBHOOK_HOSTS = Path(env.optional("CHUXIONG_WEBHOOK_HOSTS", str(VAR_DIR / "webhooks.yaml")))
# Every client of the agencies' interface must show a registered certificate, not only those for which one is registered.
FRONT_CERTIFICATES_REQUIRED = env.optional("CHUXIONG_FRONT_CERTIFICATES", "registered") == "required"
