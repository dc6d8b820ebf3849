"""Labels of code lists have English; purposes cover what seals ask for."""

from __future__ import annotations

import re

from ingestion.catalog.labels import english_labels
from ingestion.catalog.purposes import purposes
from ingestion.catalog.seals import KINDS
from ingestion.selectors import catalog

_HAN = re.compile(r"[\u4e00-\u9fff]")


def test_every_label_of_a_code_list_has_english() -> None:
    labels = {label for feed in catalog().values() for c in feed.columns for label in c.codes.values()}
    missing = sorted(label for label in labels if _HAN.search(label) and label not in english_labels())
    assert not missing, f"add to ingestion/catalog/labels.yaml: {missing}"
    assert not [word for word in english_labels().values() if _HAN.search(word)]


def test_every_purpose_of_a_seal_is_one_an_agreement_can_name() -> None:
    assert {kind.purpose for kind in KINDS.values()} <= set(purposes())
