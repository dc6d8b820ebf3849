"""The model pack as a file: a zip with ``manifest.json``, ``manifest.sig`` and ``models/<id>/…``, read under caps. Pure.

Nothing is extracted to disk. What the directory says of sizes is not believed beyond the caps: a member yields at most
what it declares, and digests decide. A pack holds rules, cards and templates; it holds no data.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from chuxiong.kit.problems import Problem
from ingestion.exchange import signatures
from supervision.packs import manifest as manifests
from supervision.packs.limits import LIMITS
from supervision.packs.manifest import FileEntry, Manifest

MANIFEST, SIGNATURE, FOLDER = "manifest.json", "manifest.sig", "models/"
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
_AGAIN, _AGAIN_EN = "请向提供单位索取完整的模型包。", "Ask the publisher for the whole pack."


class Faulty(Exception):
    """The pack cannot be taken as it is; ``problem`` names place and cure in both languages."""

    def __init__(
        self, place: str, what: str, what_en: str, cure: str = _AGAIN, cure_en: str = _AGAIN_EN
    ) -> None:
        self.problem = Problem(place[:120], what, cure, what_en, cure_en)
        super().__init__(str(self.problem))


@dataclass(frozen=True)
class Signature:
    algorithm: str
    key: str
    value: str


@dataclass(frozen=True)
class Opened:
    """A pack whose frame and digests hold; whose signature it bears is the caller's next step.

    ``files``: (model, file name) → content.
    """

    raw: bytes
    manifest: Manifest
    signature: Signature
    files: Mapping[tuple[str, str], bytes]

    @property
    def digest(self) -> str:
        return manifests.digest(self.raw)

    def signed_by(self, pem: str) -> bool:
        return signatures.holds(
            pem, self.signature.algorithm, manifests.to_sign(self.raw), self.signature.value
        )


def open_pack(content: bytes) -> Opened:
    """Check a pack's frame: caps, members, manifest, the digest of every file. Raises ``Faulty``."""
    if len(content) > LIMITS.pack_bytes.value:
        raise Faulty(
            "模型包", f"{len(content)} 字节，超过上限 {LIMITS.pack_bytes.value}",
            f"{len(content)} bytes, more than {LIMITS.pack_bytes.value}",
            "请对方分成几个模型包。", "Ask for several smaller packs.",
        )  # fmt: skip
    not_whole = (
        "模型包",
        "不是完整的模型包（zip），可能没有传完",
        "not a whole pack (zip); perhaps it was cut short",
    )
    try:
        archive = zipfile.ZipFile(BytesIO(content))
    except _BROKEN as error:
        raise Faulty(*not_whole) from error
    with archive:
        try:
            _check_members(archive)
            raw = _member(archive, MANIFEST, LIMITS.manifest_bytes.value)
            said = _member(archive, SIGNATURE, LIMITS.manifest_bytes.value)
        except _BROKEN as error:
            raise Faulty(*not_whole) from error
        try:
            manifest = manifests.parse(raw)
        except manifests.ManifestFault as fault:
            raise Faulty(f"{MANIFEST} {fault.place}", fault.what, fault.what_en) from fault
        if len(manifest.models) > LIMITS.models.value:
            raise Faulty(
                MANIFEST, f"有 {len(manifest.models)} 个模型，超过上限 {LIMITS.models.value}",
                f"{len(manifest.models)} models, more than {LIMITS.models.value}",
                "请对方分成几个模型包。", "Ask for several smaller packs.",
            )  # fmt: skip
        return Opened(raw, manifest, _signature(said), _files(archive, manifest))


def _check_members(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > LIMITS.members.value:
        raise Faulty("模型包", f"有 {len(members)} 个成员，超过上限", f"{len(members)} members: too many")
    names = [m.filename for m in members]
    if len(set(names)) != len(names):
        raise Faulty("模型包", "有同名成员", "two members bear the same name")
    total, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    if total > LIMITS.unpacked_bytes.value or total > max(packed, 4096) * LIMITS.ratio.value:
        raise Faulty(
            "模型包",
            f"解开后 {total} 字节，超出上限或压缩比异常",
            f"{total} bytes when unpacked: too many, or packed too well",
        )
    for member in members:
        # The upper half of external_attr is the Unix mode; a link or device has its own type there.
        kind = (member.external_attr >> 16) & 0o170000
        if member.flag_bits & 1:
            raise Faulty(member.filename, "成员已加密", "the member is encrypted")
        if member.is_dir() or kind not in (0, 0o100000):
            raise Faulty(member.filename, "不是普通文件", "no regular file")
    for needed in (MANIFEST, SIGNATURE):
        if needed not in names:
            raise Faulty(
                needed, "包内没有这个文件", "the pack lacks this file",
                "只接收由“模型包”页面导出的签名模型包。", "Only signed packs, as the page “Model packs” makes them, are taken in.",
            )  # fmt: skip


def _files(archive: zipfile.ZipFile, manifest: Manifest) -> dict[tuple[str, str], bytes]:
    """Exactly what the manifest names lies in the pack: so no path of anybody's choice is ever followed."""
    listed = {f"{FOLDER}{m.id}/{f.name}": (m.id, f) for m in manifest.models for f in m.files}
    present = {m.filename for m in archive.infolist()} - {MANIFEST, SIGNATURE}
    for stray in sorted(present - set(listed)):
        raise Faulty(stray, "清单中没有这个文件", "the manifest does not name this file")
    found: dict[tuple[str, str], bytes] = {}
    for path, (model, entry) in sorted(listed.items()):
        if path not in present:
            raise Faulty(path, "清单所列的文件不在包内", "named by the manifest, but not in the pack")
        found[model, entry.name] = _checked(archive, path, entry)
    return found


def _checked(archive: zipfile.ZipFile, path: str, entry: FileEntry) -> bytes:
    try:
        data = _member(archive, path, entry.size)
    except _BROKEN as error:
        raise Faulty(path, "文件已损坏，无法读取", "the file is damaged") from error
    if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise Faulty(
            path,
            "内容与清单所列大小或摘要不符，文件已被改动",
            "size or digest differ from the manifest: it was altered",
        )
    return data


def _member(archive: zipfile.ZipFile, member: str, most: int) -> bytes:
    with archive.open(member) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise Faulty(member, f"超过 {most} 字节", f"more than {most} bytes")
    return data


def _signature(raw: bytes) -> Signature:
    try:
        document = json.loads(raw)
        found = Signature(document["alg"], document["key"], document["signature"])
        if len(document) == 3 and all(isinstance(v, str) for v in document.values()):
            return found
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise Faulty(SIGNATURE, "签名文件的格式不对", "the signature file is malformed")


def pack(manifest: Manifest, files: Mapping[tuple[str, str], bytes], key: signatures.PrivateKey) -> bytes:
    """A signed pack; ``files`` by (model, file name), all that the manifest names."""
    raw = manifest.to_bytes()
    algorithm, value = signatures.sign(key, manifests.to_sign(raw))
    signature = {"alg": algorithm, "key": signatures.fingerprint(key.public_key()), "signature": value}
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, raw)
        archive.writestr(SIGNATURE, json.dumps(signature, indent=1))
        for model in manifest.models:
            for entry in model.files:
                archive.writestr(f"{FOLDER}{model.id}/{entry.name}", files[model.id, entry.name])
    return out.getvalue()
