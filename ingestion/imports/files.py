"""The uploaded bytes at rest and in memory, and what was read of them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction

from chuxiong.vault import envelope
from chuxiong.vault.keys import keys
from ingestion.models import ImportFile, ManualImport


def path_of(store: str) -> Path:
    return Path(settings.VAR_DIR) / "imports" / f"{store}.enc"


def put(source: BinaryIO) -> tuple[str, bytes, str, int]:
    """Encrypt ``source`` under a new key. Returns (store, key, SHA-256, size) of the plain bytes."""
    data_key, store = envelope.new_data_key(), uuid.uuid4().hex
    digest, size = envelope.store(source, path_of(store), data_key)
    return store, data_key, digest, size


def wrap(manual: ManualImport, data_key: bytes) -> tuple[bytes, str]:
    ring = keys()
    return ring.wrap(data_key, f"import:{manual.pk}"), ring.current


def key_of(file: ImportFile) -> bytes:
    return keys().unwrap(bytes(file.sealed_key), file.key_id, f"import:{file.manual_id}")


@contextmanager
def in_memory(file: ImportFile) -> Iterator[Path]:
    """The plain file in anonymous memory; it dies with this process, however that dies."""
    with os.fdopen(os.memfd_create("import"), "w+b") as plain:
        envelope.restore(path_of(file.store), plain, key_of(file))
        plain.flush()
        yield Path(f"/proc/self/fd/{plain.fileno()}")


def seal(document: Any, file: ImportFile) -> bytes:
    return envelope.seal_text(
        json.dumps(document, ensure_ascii=False), key_of(file), f"preview:{file.manual_id}"
    )


def opened(file: ImportFile) -> Any:
    """The preview of the last check, or nothing."""
    if file.preview is None:
        return None
    return json.loads(envelope.open_text(bytes(file.preview), key_of(file), f"preview:{file.manual_id}"))


def destroy(manual: ManualImport, *, using: str) -> None:
    """Key and preview go with the row, the bytes after the transaction; called again it does nothing."""
    file = ImportFile.objects.using(using).filter(manual=manual).first()
    if file is None:
        return
    store = path_of(file.store)
    file.delete(using=using)
    transaction.on_commit(lambda: store.unlink(missing_ok=True), using=using)
