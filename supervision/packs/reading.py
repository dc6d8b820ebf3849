"""The shelf of model packs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from supervision.models import ModelPack, PublisherKey
from supervision.packs import keys

_SHOWN = 50


@dataclass(frozen=True)
class Publisher:
    """A registered key and why it does not count today (both languages); empty when it does."""

    key: PublisherKey
    fault_zh: str
    fault_en: str


def pack_list() -> list[ModelPack]:
    """The latest packs, without their bytes."""
    return list(ModelPack.objects.defer("content")[:_SHOWN])


def pack_of(number: int) -> ModelPack | None:
    return ModelPack.objects.defer("content").filter(pk=number).first()


def publishers(today: date) -> list[Publisher]:
    return [
        Publisher(key, *keys.fault_of(key, today))
        for key in PublisherKey.objects.order_by("publisher", "-valid_to", "pk")
    ]


def own_key() -> tuple[str, str]:
    """(fingerprint, PEM) of the key that signs what we hand out."""
    return keys.own_public()
