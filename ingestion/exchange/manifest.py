"""The manifest of a bundle (pure): who sends which files, as which number, after which bundle."""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

FORMAT = "chuxiong-bundle/1"
#: what is signed is this mark and the manifest's bytes as they lie in the bundle
_MARK = b"chuxiong-bundle/1\0"
#: a name within ``data/``: no path, nothing hidden, nothing that a file system treats apart
_NAME = r"^[^/\\:*?\"<>|\x00-\x1f.][^/\\:*?\"<>|\x00-\x1f]{0,119}$"
_HEX = r"^[0-9a-f]{64}$"


class ManifestFault(ValueError):
    """``place`` is the key at fault."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place, self.what = place, what


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Strict):
    """One file: ``name`` within ``data/``, size in bytes, SHA-256 in hex."""

    feed: str = Field(pattern=r"^[a-z]+_[a-z0-9_]+$", max_length=40)
    name: str = Field(pattern=_NAME)
    size: int = Field(ge=0, strict=True)
    sha256: str = Field(pattern=_HEX)
    covers_until: date | None = None
    #: a whole list, whose absent records end; left out: as the feed's load mode says
    snapshot: bool | None = Field(default=None, strict=True)


class HandOver(_Strict):
    """What the clerk enters for the people at the other end."""

    by: str = Field(default="", max_length=60)
    approved_by: str = Field(default="", max_length=60)
    phone: str = Field(default="", max_length=30)
    note: str = Field(default="", max_length=500)


class Manifest(_Strict):
    """``sequence`` counts an agency's bundles from 1; ``previous`` is the digest of the one before."""

    format: Literal["chuxiong-bundle/1"]
    agency: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)
    sequence: int = Field(ge=1, lt=2**53, strict=True)
    previous: str = Field(pattern=r"^([0-9a-f]{64})?$")
    created_at: datetime
    files: tuple[FileEntry, ...] = Field(min_length=1)
    hand_over: HandOver = HandOver()

    @field_validator("created_at")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("须带时区，例如 2026-11-20T10:00:00+08:00")
        return value

    @model_validator(mode="after")
    def _names_once(self) -> Manifest:
        names = [f.name.casefold() for f in self.files]
        double = sorted({n for n in names if names.count(n) > 1})
        if double:
            raise ValueError(f"文件名重复：{'、'.join(double)}")
        return self

    def to_bytes(self) -> bytes:
        document = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(document, ensure_ascii=False, indent=1).encode()


def parse(raw: bytes) -> Manifest:
    """A manifest out of its bytes; raises ``ManifestFault``."""
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
        return Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(p) for p in first["loc"]) or "manifest.json"
        raise ManifestFault(place, str(first["msg"])) from None
    except (ValueError, RecursionError):
        raise ManifestFault("manifest.json", "不是 UTF-8 编码的 JSON，或有重复的键") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def digest(raw: bytes) -> str:
    """The bundle's digest: SHA-256 of its manifest, which names the digest of every file."""
    return hashlib.sha256(raw).hexdigest()


def to_sign(raw: bytes) -> bytes:
    return _MARK + raw
