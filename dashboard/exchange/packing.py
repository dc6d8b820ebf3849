"""The packing page for one agency: a single file without network, opened from a disc or a folder."""

from __future__ import annotations

from pathlib import Path

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from ingestion.exchange.selectors import Provider

_HERE = Path(__file__).resolve().parent


def packing_page(provider: Provider) -> str:
    """The page with its style and program inside, in the language of whoever downloads it."""
    context = {
        "provider": provider,
        # Our own files, not anybody's words.
        "style": mark_safe((_HERE / "packing.css").read_text(encoding="utf-8")),  # noqa: S308
        "program": mark_safe((_HERE / "packing.js").read_text(encoding="utf-8")),  # noqa: S308
    }
    return render_to_string("exchange/packing.html", context)
