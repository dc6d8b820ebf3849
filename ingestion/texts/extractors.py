"""The extractors that a feed file may name, and what each gives. A text of a new kind is one more entry here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ingestion.texts.judgment import Judgment, Kind, read_judgment


@dataclass(frozen=True)
class Extractor:
    """``outputs``: name → column type. ``read``: one text → value by output, None where the text says nothing."""

    outputs: Mapping[str, str]
    read: Callable[[str], dict[str, Any]]


_ORDERS: dict[str, Kind] = {
    "recover": "order_recover",
    "refund": "order_refund",
    "return": "order_return",
    "confiscate": "order_confiscate",
}


def _criminal_judgment(text: str) -> dict[str, Any]:
    found: Judgment = read_judgment(text)
    accused = [str(f.value) for f in found.of("party") if "被告" in (f.detail or "")]
    wholly = any(f.detail == "all" for f in found.of("recovered"))
    values: dict[str, Any] = {
        "case_no": found.first("case_no"),
        "court": found.first("court"),
        "judged_on": found.judged_on,
        "causes": "、".join(found.causes) or None,
        "prosecutors": found.first("prosecutor"),
        "accused": "、".join(dict.fromkeys(accused)) or None,
        "loss": found.loss_fen,
        "recovered": found.recovered_fen,
        "recovered_wholly": wholly or (False if found.has_ruling else None),
        "findings": json.dumps(
            [{k: v for k, v in f._asdict().items() if v is not None} for f in found.findings],
            ensure_ascii=False,
        ),
    }
    for name, kind in _ORDERS.items():
        # Without a ruling nobody knows whether something was ordered.
        values[f"ordered_{name}"] = bool(found.of(kind)) if found.has_ruling else None
        values[f"{name}_amount"] = found.ordered_fen(kind)
    return values


EXTRACTORS: Mapping[str, Extractor] = {
    "criminal_judgment": Extractor(
        outputs={
            "case_no": "case_no",
            "court": "org_name",
            "judged_on": "date",
            "causes": "text",
            "prosecutors": "org_name",
            "accused": "text",
            "loss": "money",
            "recovered": "money",
            "recovered_wholly": "bool",
            **{f"ordered_{name}": "bool" for name in _ORDERS},
            **{f"{name}_amount": "money" for name in _ORDERS},
            "findings": "findings",
        },
        read=_criminal_judgment,
    ),
}
