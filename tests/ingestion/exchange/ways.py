"""Bundles for tests: keys, files, and what goes wrong on the way. Nobody is meant."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.exchange import container, keys, signatures
from ingestion.exchange.manifest import FileEntry, Manifest
from tests.prefecture import NOW, TODAY, citizen, cremation, payment, sheet

#: the agency of the test's feeds and the feed of one of its own
AGENCY, FEED = "ca_bureau", "ca_funeral"


def agency_of(feed: str) -> str:
    from ingestion.selectors import catalog

    return catalog()[feed].agency.code


def new_key(agency: str, *, alg: str = "Ed25519", start: date | None = None, end: date | None = None):  # type: ignore[no-untyped-def]
    """A private key whose public half is registered."""
    private = Ed25519PrivateKey.generate() if alg == "Ed25519" else ec.generate_private_key(ec.SECP256R1())
    keys.register(
        agency=agency, pem=signatures.pem_of(private.public_key()), holder="示例", using="owner", by="test", at=NOW,
        valid_from=start or TODAY - timedelta(days=50), valid_to=end or TODAY + timedelta(days=50),
    )  # fmt: skip
    return private


def cremations(*serials: int) -> bytes:
    return sheet("ca_funeral", [cremation(citizen(n % 1000), "2026-10-01", n) for n in serials]).getvalue()


def payments(*serials: int, amount: str = "100.00") -> bytes:
    return sheet(
        "hr_pension_payment", [payment(citizen(n % 1000), "2026-09", amount) for n in serials]
    ).getvalue()


def bundle(
    folder: Path,
    key,  # type: ignore[no-untyped-def]
    *,
    agency: str,
    sequence: int,
    previous: str = "",
    files: dict[str, tuple[str, bytes]],
    at: datetime = NOW,
    name: str = "",
    **more,  # type: ignore[no-untyped-def]
) -> tuple[Path, str]:
    """Write a bundle; ``files`` is name → (feed, bytes). Returns (path, digest)."""
    import hashlib

    entries = tuple(
        FileEntry(feed=feed, name=n, size=len(data), sha256=hashlib.sha256(data).hexdigest(), **more)
        for n, (feed, data) in files.items()
    )
    manifest = Manifest(
        format="chuxiong-bundle/1",
        agency=agency,
        sequence=sequence,
        previous=previous,
        created_at=at,
        files=entries,
    )
    path = folder / (name or f"{agency}-{sequence}-{len(list(folder.iterdir()))}.zip")
    digest = container.pack(path, manifest, [io.BytesIO(data) for _, data in files.values()], key)
    return path, digest


def rewritten(path: Path, change) -> Path:  # type: ignore[no-untyped-def]
    """The bundle with its members changed: ``change`` maps name → bytes to the members as they shall be."""
    with zipfile.ZipFile(path) as archive:
        members = {m.filename: archive.read(m) for m in archive.infolist()}
    out = path.with_name(path.stem + "-altered.zip")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in change(members).items():
            archive.writestr(name, data)
    return out


def work(*agencies: str, rounds: int = 30) -> None:
    """Everything that is due, as the workers do it."""
    from ingestion.exchange.deliveries import Next, advance
    from ingestion.intake.take_in import take_in
    from ingestion.models import Batch
    from ingestion.selectors import catalog

    for _ in range(rounds):
        waits = [advance(agency, at=NOW) for agency in agencies]
        under_way = list(
            Batch.objects.using("intake").filter(state__in=["received", "reading"]).order_by("pk")
        )
        for batch in under_way:
            take_in(batch.pk, catalog()[batch.feed], fence=batch.fence + 1, at=NOW)
        if not under_way and Next.INTAKE not in waits:
            return
    raise AssertionError("deliveries do not come to an end")
