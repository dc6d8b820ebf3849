"""The bundle as a file (pure): a zip with ``manifest.json``, ``manifest.sig`` and ``data/…``, read under caps.

Nothing is extracted: members are streamed. What the directory says of sizes is not believed, bytes are counted.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingestion.exchange import manifest as manifests
from ingestion.exchange import signatures
from ingestion.exchange.limits import LIMITS
from ingestion.exchange.manifest import FileEntry, Manifest

MANIFEST, SIGNATURE, DATA = "manifest.json", "manifest.sig", "data/"
_CHUNK = 1 << 20


class Faulty(Exception):
    """The bundle cannot be taken as it is; ``place`` names the part, ``cure`` what to do."""

    def __init__(self, place: str, what: str, cure: str) -> None:
        super().__init__(f"{place}：{what}。{cure}")
        self.place, self.what, self.cure = place, what, cure


_RESEND = "请报送单位重新打包后再送；原包未入库。"


_NOT_WHOLE = "不是完整的数据包（zip），可能没有传完或介质有损"
#: how the library says that an archive is broken, wherever it finds out
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    OverflowError,
)


@dataclass(frozen=True)
class Signature:
    algorithm: str
    key: str
    value: str


class Opened:
    """A bundle whose frame has been checked; signature and file digests are the caller's next steps."""

    def __init__(
        self, archive: zipfile.ZipFile, raw: bytes, manifest: Manifest, signature: Signature
    ) -> None:
        self._archive, self.raw, self.manifest, self.signature = archive, raw, manifest, signature
        self.digest = manifests.digest(raw)

    @contextmanager
    def file(self, entry: FileEntry) -> Iterator[Checked]:
        """One file as a stream; its end raises ``Faulty`` when size or digest differ from the manifest."""
        try:
            stream = self._archive.open(DATA + entry.name)
        except _BROKEN as error:
            raise Faulty(DATA + entry.name, "文件已损坏，无法读取", _RESEND) from error
        with stream:
            yield Checked(stream, entry)


class Checked:
    """A readable stream that counts and digests what passes."""

    def __init__(self, stream: object, entry: FileEntry) -> None:
        self._stream, self._entry = stream, entry
        self._size, self._digest = 0, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._stream.read(_CHUNK if size < 0 else size)  # type: ignore[attr-defined]
        except _BROKEN as error:
            raise Faulty(DATA + self._entry.name, "文件已损坏，无法读取", _RESEND) from error
        self._size += len(data)
        self._digest.update(data)
        if self._size > self._entry.size:
            raise Faulty(DATA + self._entry.name, f"超过清单所列的 {self._entry.size} 字节", _RESEND)
        if not data:
            self._finish()
        return data

    def _finish(self) -> None:
        if self._size != self._entry.size:
            raise Faulty(
                DATA + self._entry.name, f"实有 {self._size} 字节，清单为 {self._entry.size} 字节", _RESEND
            )
        if self._digest.hexdigest() != self._entry.sha256:
            raise Faulty(DATA + self._entry.name, "内容与清单所列摘要不符，文件已被改动", _RESEND)


@contextmanager
def opened(path: Path, *, name: str = "") -> Iterator[Opened]:
    """Open a bundle and check its frame: caps, members, manifest. Raises ``Faulty``."""
    name = name or path.name
    size = path.stat().st_size
    if size > LIMITS.bundle_bytes.value:
        raise Faulty(
            name, f"数据包 {size} 字节，超过上限 {LIMITS.bundle_bytes.value}", "请分成几个数据包报送。"
        )
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise Faulty(name, _NOT_WHOLE, _RESEND) from error
    with archive:
        try:
            _check_members(archive, name)
            raw, said = _small(archive, MANIFEST), _small(archive, SIGNATURE)
        except _BROKEN as error:
            raise Faulty(name, _NOT_WHOLE, _RESEND) from error
        try:
            manifest = manifests.parse(raw)
        except manifests.ManifestFault as fault:
            raise Faulty(f"{MANIFEST} {fault.place}", fault.what, _RESEND) from fault
        _check_files(archive, manifest)
        yield Opened(archive, raw, manifest, _signature(said))


def _check_members(archive: zipfile.ZipFile, name: str) -> None:
    members = archive.infolist()
    if len(members) > LIMITS.bundle_files.value + 2:
        raise Faulty(name, f"包内有 {len(members)} 个成员，超过上限", "请分成几个数据包报送。")
    names = [m.filename for m in members]
    if len(set(names)) != len(names):
        raise Faulty(name, "包内有同名成员", _RESEND)
    total = sum(m.file_size for m in members)
    packed = sum(m.compress_size for m in members)
    if total > LIMITS.unpacked_bytes.value or total > max(packed, 4096) * LIMITS.ratio.value:
        raise Faulty(name, f"解开后 {total} 字节，超出上限或压缩比异常", "请分成几个数据包报送。")
    for member in members:
        # The upper half of external_attr is the Unix mode; a link or device has its own type there.
        kind = (member.external_attr >> 16) & 0o170000
        if member.flag_bits & 1:
            raise Faulty(member.filename[:80], "成员已加密", "数据包不再另行加密，请用打包页重新打包。")
        if member.is_dir() or kind not in (0, 0o100000):
            raise Faulty(member.filename[:80], "不是普通文件", _RESEND)
    for needed in (MANIFEST, SIGNATURE):
        if needed not in names:
            raise Faulty(
                needed, "包内没有这个文件", "请用打包页或 bundle pack 打包；未签名的文件请按光盘交接登记。"
            )


def _check_files(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Exactly what the manifest names lies in the bundle: so no path of anybody's choice is ever followed."""
    listed = {DATA + f.name for f in manifest.files}
    present = {m.filename for m in archive.infolist()} - {MANIFEST, SIGNATURE}
    for stray in sorted(present - listed):
        raise Faulty(stray[:80], "清单中没有这个文件", _RESEND)
    for lost in sorted(listed - present):
        raise Faulty(lost, "清单所列的文件不在包内", _RESEND)


def _small(archive: zipfile.ZipFile, member: str) -> bytes:
    with archive.open(member) as stream:
        raw = stream.read(LIMITS.manifest_bytes.value + 1)
    if len(raw) > LIMITS.manifest_bytes.value:
        raise Faulty(member, f"超过 {LIMITS.manifest_bytes.value} 字节", _RESEND)
    return raw


def _signature(raw: bytes) -> Signature:
    try:
        document = json.loads(raw)
        found = Signature(document["alg"], document["key"], document["signature"])
        if len(document) == 3 and all(isinstance(v, str) for v in document.values()):
            return found
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise Faulty(SIGNATURE, "签名文件的格式不对", _RESEND)


def pack(
    target: Path,
    manifest: Manifest,
    sources: Sequence[BinaryIO],
    key: signatures.PrivateKey,
) -> str:
    """Write a signed bundle; ``sources`` in the manifest's order. Returns the bundle's digest."""
    raw = manifest.to_bytes()
    algorithm, value = signatures.sign(key, manifests.to_sign(raw))
    signature = {"alg": algorithm, "key": signatures.fingerprint(key.public_key()), "signature": value}
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, raw)
        archive.writestr(SIGNATURE, json.dumps(signature, indent=1))
        for entry, source in zip(manifest.files, sources, strict=True):
            with archive.open(DATA + entry.name, "w") as out:
                while chunk := source.read(_CHUNK):
                    out.write(chunk)
    return manifests.digest(raw)
