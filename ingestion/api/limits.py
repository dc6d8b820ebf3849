"""Reads ``limits.yaml``: what the interface allows, each figure with its source."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field

V = TypeVar("V")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(_Strict):
    """``most`` requests in ``per_seconds``, counted in windows of that length."""

    most: int = Field(gt=0)
    per_seconds: int = Field(gt=0)
    source: str = Field(min_length=1)

    @property
    def per(self) -> timedelta:
        return timedelta(seconds=self.per_seconds)


class Sourced(_Strict, Generic[V]):
    value: V
    source: str = Field(min_length=1)


class InterfaceLimits(_Strict):
    """Sizes in bytes, waits in seconds."""

    requests: Rate
    uploads: Rate
    attachment_bytes: Sourced[int]
    attachments: Sourced[int]
    attachment_types: Sourced[tuple[str, ...]]
    letter_rows: Sourced[int]
    page: Sourced[int]
    page_most: Sourced[int]
    reply_days: Sourced[int]
    #: seconds between the attempts of one call to a webhook; one more than there are pauses
    webhook_pauses: Sourced[tuple[int, ...]]
    webhook_seconds: Sourced[int]


def _load() -> InterfaceLimits:
    document = yaml.safe_load(Path(__file__).with_name("limits.yaml").read_text(encoding="utf-8"))
    return InterfaceLimits.model_validate(document)


LIMITS = _load()
