"""English of the labels that enumerated columns hold (``labels.yaml``). Pure."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("labels.yaml")


@lru_cache(maxsize=1)
def english_labels() -> dict[str, str]:
    """Label as a record holds it → English."""
    return {str(k): str(v) for k, v in yaml.safe_load(_FILE.read_text(encoding="utf-8")).items()}
