"""The manifest of a model pack: which models, what they need, the digest of every file. Pure."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

FORMAT = "chuxiong-models/1"
#: what is signed is this mark and the manifest's bytes as they lie in the pack
_MARK = b"chuxiong-models/1\0"
_HEX = r"^[0-9a-f]{64}$"
_CODE = r"^[a-z][a-z0-9_]*$"
#: the files of a model, below its folder
SPEC, CARD, ELEMENTS = "model.yaml", "card.docx", "elements.xlsx"


class ManifestFault(ValueError):
    """``place`` is the key at fault."""

    def __init__(self, place: str, what: str, what_en: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place, self.what, self.what_en = place, what, what_en


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Strict):
    zh: str = Field(min_length=1, max_length=120)
    en: str = Field(min_length=1, max_length=200)


class FileEntry(_Strict):
    """One file of a model: size in bytes, SHA-256 in hex."""

    name: Literal["model.yaml", "card.docx", "elements.xlsx"]
    size: int = Field(ge=0, strict=True)
    sha256: str = Field(pattern=_HEX)


class Needed(_Strict):
    """A field that the model reads, as the publisher's catalogue has it."""

    feed: str = Field(pattern=_CODE, max_length=40)
    feed_zh: str = Field(max_length=120)
    column: str = Field(pattern=_CODE, max_length=60)
    zh: str = Field(max_length=120)
    type: str = Field(max_length=20)


class ModelEntry(_Strict):
    """``digest`` is the rule's own, over what decides its results."""

    id: str = Field(pattern=_CODE, max_length=60)
    code: str = Field(min_length=1, max_length=20)
    version: int = Field(ge=1, lt=2**31, strict=True)
    domain: str = Field(max_length=30)
    title: Words
    digest: str = Field(pattern=_HEX)
    tests: int = Field(ge=0, strict=True)
    needs: tuple[Needed, ...] = Field(max_length=2000)
    files: tuple[FileEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _spec_once(self) -> ModelEntry:
        names = [f.name for f in self.files]
        if len(set(names)) != len(names) or SPEC not in names:
            raise ValueError(f"每个模型须有且只有一个 {SPEC}，其他文件各至多一个")
        return self


class Manifest(_Strict):
    """``note`` is the publisher's word to whoever takes the pack in."""

    format: Literal["chuxiong-models/1"]
    publisher: str = Field(min_length=1, max_length=120)
    created_at: datetime
    note: str = Field(default="", max_length=500)
    models: tuple[ModelEntry, ...] = Field(min_length=1)

    @field_validator("created_at")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("须带时区，例如 2026-11-20T10:00:00+08:00")
        return value

    @model_validator(mode="after")
    def _once(self) -> Manifest:
        ids = [m.id for m in self.models]
        if len(set(ids)) != len(ids):
            raise ValueError("同一模型列了两次")
        return self

    def to_bytes(self) -> bytes:
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1).encode()


def parse(raw: bytes) -> Manifest:
    """A manifest out of its bytes; raises ``ManifestFault``."""
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_once_each)
        return Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(p) for p in first["loc"]) or "manifest.json"
        raise ManifestFault(
            place, str(first["msg"]).removeprefix("Value error, "), str(first["msg"])
        ) from None
    except (ValueError, RecursionError):
        raise ManifestFault(
            "manifest.json",
            "不是 UTF-8 编码的 JSON，或有重复的键",
            "not JSON in UTF-8, or a key stands twice",
        ) from None


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def digest(raw: bytes) -> str:
    """The pack's digest: SHA-256 of its manifest, which names the digest of every file."""
    return hashlib.sha256(raw).hexdigest()


def to_sign(raw: bytes) -> bytes:
    return _MARK + raw
