"""What the operator declares: drop folders, addresses we fetch from, database views (pure; strict YAML).

Secrets stand as references, never as values: ``env:NAME`` or ``file:/path``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

_CODE = r"^[a-z][a-z0-9_]{0,59}$"
_COLUMN = r"^[^\x00\"]{1,63}$"


class SourcesFault(Exception):
    """``exchange.yaml`` cannot be used; the message names file and key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _reference(value: str) -> str:
    if not value.startswith(("env:", "file:/")):
        raise ValueError("写成 env:变量名 或 file:/绝对路径；这里不写密码本身")
    return value


Reference = Annotated[str, AfterValidator(_reference)]


class _Source(_Strict):
    code: str = Field(pattern=_CODE)
    feed: str = Field(pattern=r"^[a-z]+_[a-z0-9_]+$")
    #: whether each file is a whole list; left out: as the feed's load mode says. A view gives what changed.
    snapshot: bool | None = None


class Folder(_Source):
    """Files dropped into ``path``; ``ready`` says how a finished one is told from one still being written."""

    path: Path
    #: quiet: size and time unchanged for a while; marker: ``NAME.done`` stands beside it
    ready: Literal["quiet", "marker"] = "quiet"

    @model_validator(mode="after")
    def _absolute(self) -> Folder:
        if not self.path.is_absolute():
            raise ValueError(f"path: {self.path} 须为绝对路径")
        return self


class Pages(_Strict):
    """A paged answer: rows under ``rows``, the next cursor under ``next``, sent back as ``parameter``."""

    parameter: str
    rows: str
    next: str
    most: int = Field(default=1000, gt=0, le=100_000)


class Pull(_Source):
    """An address of the agency's that we ask every so often."""

    url: str
    every_minutes: int = Field(gt=0)
    #: name of the file as intake shall see it
    name: str = Field(default="pull.csv", max_length=100)
    #: header → reference of its secret value
    headers: dict[str, Reference] = Field(default_factory=dict)
    pages: Pages | None = None
    timeout_seconds: int = Field(default=30, gt=0, le=600)
    #: a plain http address is used only where this says so
    plain_http: bool = False

    @model_validator(mode="after")
    def _address(self) -> Pull:
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
            raise ValueError("url: 须为 https 地址，不含用户名和密码")
        if parts.scheme == "http" and not self.plain_http:
            raise ValueError("url: 明文 http 须写明 plain_http: true（仅限内部网络）")
        return self


class View(_Source):
    """A view in a database of the agency's; read only, in chunks, from the high-water mark on."""

    dsn: Reference
    view: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$")
    high_water: str = Field(pattern=_COLUMN)
    every_minutes: int = Field(gt=0)
    #: looked at again before the mark: late commits; for columns of time
    overlap_minutes: int = Field(default=0, ge=0)
    #: column of the view → header of the feed, where they differ
    columns: dict[str, str] = Field(default_factory=dict)
    rows: int = Field(default=100_000, gt=0, le=5_000_000)


class Sources(_Strict):
    folders: tuple[Folder, ...] = ()
    pulls: tuple[Pull, ...] = ()
    views: tuple[View, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Sources:
        codes = [s.code for s in (*self.folders, *self.pulls, *self.views)]
        double = sorted({c for c in codes if codes.count(c) > 1})
        if double:
            raise ValueError(f"code: {'、'.join(double)} 出现两次；每个来源一个代码")
        paths = [f.path for f in self.folders]
        if len(set(paths)) != len(paths):
            raise ValueError("folders: 两个来源用同一个目录；每个数据源一个目录")
        return self


def load(path: Path) -> Sources:
    """The declared sources; a file that is not there declares none. Raises ``SourcesFault``."""
    if not path.is_file():
        return Sources()
    try:
        return Sources.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        raise SourcesFault(f"{path} {place}：{first['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourcesFault(f"{path}：不是 UTF-8 编码的 YAML（{type(error).__name__}）") from None


def secret(reference: str, environment: Mapping[str, str] = os.environ) -> str:
    """The value behind a reference; raises ``SourcesFault`` naming the reference alone."""
    kind, _colon, name = reference.partition(":")
    try:
        return environment[name] if kind == "env" else Path(name).read_text(encoding="utf-8").strip()
    except (KeyError, OSError, UnicodeDecodeError):
        raise SourcesFault(f"密钥引用 {reference} 取不到值；请检查变量或文件") from None
