"""The form of a rule: every shipped rule goes through it unchanged; what is wrong is told at its field, with the cure."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from ingestion.selectors import catalog
from supervision.rulebook.form import decode, encode, field_of
from supervision.rulebook.form_check import check_document, check_form, document_of, text_of
from supervision.selectors import rulebook

FILES = sorted(Path(settings.RULES_DIR).glob("*/*.yaml"))
_PLAIN = "administrative/legal_representative_barred.yaml"


def _document(name: str = _PLAIN) -> dict[str, Any]:
    return document_of((Path(settings.RULES_DIR) / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_shipped_rule_goes_through_the_form_unchanged(path):
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    data = encode(document)
    # As a browser sends it: line ends of its own, empty fields beside, in any order.
    drawn = random.randrange(10**6)
    print("seed", drawn)
    sent = [(name, text.replace("\n", "\r\n")) for name, text in data.items()]
    sent += [("route.problem", ""), ("summary.de", ""), ("link.99.left", "")]
    random.Random(drawn).shuffle(sent)
    sent = [(name, text) for name, text in sent if text or name not in data]
    checked = check_form(data | {k: v for k, v in sent if k not in data or v}, catalog())
    assert decode(dict(sent)) == document
    assert checked.problems == ()
    assert checked.rule == rulebook()[path.stem]
    assert document_of(text_of(checked.document)) == document


def _told(data: dict[str, str]) -> dict[str, str]:
    """Field → cure."""
    return {p.name: p.problem.cure for p in check_form(data, catalog()).problems}


def test_an_unknown_operator_is_refused_at_its_field():
    data = encode(_document()) | {"when.0.op": "sort_of"}
    told = _told(data)
    assert list(told) == ["when.0.op"] and "可用" in told["when.0.op"]


def test_a_type_mismatch_is_refused_at_its_field():
    # The status is text: it cannot be greater than a number.
    told = _told(encode(_document()) | {"when.0.op": ">"})
    assert "when.0.op" in told and "可用" in told["when.0.op"]
    told = _told(encode(_document()) | {"when.0.value": "3"})
    assert list(told) == ["when.0.value"] and "加引号" in told["when.0.value"]


def test_a_missing_link_is_refused_at_its_source():
    data = {k: v for k, v in encode(_document()).items() if not k.startswith("link.1.")}
    told = _told(data)
    assert told["sources.2"] == "在 link 中写明 term 如何与其他来源相连"


def test_a_rule_without_tests_is_refused_there():
    data = {k: v for k, v in encode(_document()).items() if not k.startswith("tests.")}
    assert _told(data) == {"tests": "至少写一个命中、一个不命中、一个未定的样例"}
    hits = encode(_document()) | {f"tests.{n}.expect": "hit" for n in range(len(_document()["tests"]))}
    assert _told(
        {k: v for k, v in hits.items() if not (k.startswith("tests.") and k.endswith(".level"))}
    ) == {"tests": "至少写一个命中、一个不命中、一个未定的样例"}


def test_what_cannot_be_read_stays_as_typed_and_is_named():
    typed = {
        "params.0.since": "去年",
        "version": "二",
        "tests.0.given": "随便写写",
        "when.0.field": "",
        "title.zh": "",
        "id": "Ä",
        "bands.0.level": "huge",
    }
    checked = check_form(encode(_document()) | typed, catalog())
    told = {p.name: p.problem for p in checked.problems}
    assert told.keys() == typed.keys()
    assert all(p.cure and p.cure_en for p in told.values())
    assert {name: checked.data.get(name, "") for name in typed} == typed


def test_a_key_that_stands_twice_is_named_and_nothing_is_lost():
    document = _document()
    second = list(document["params"])[1]
    data = encode(document) | {"params.1.key": next(iter(document["params"]))}
    checked = check_form(data, catalog())
    assert "params.1.key" in {p.name for p in checked.problems}
    assert checked.document["params"][f"{next(iter(document['params']))}_again"] == document["params"][second]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_places_of_problems_lead_to_fields_that_the_form_has(path):
    document = document_of(path.read_text(encoding="utf-8"))
    data = encode(document)
    broken = copy.deepcopy(document)
    _spoil(broken["when"])
    _, problems = check_document(broken, catalog())
    names = encode(broken)
    assert problems
    for problem in problems:
        assert problem.name in names or any(n.startswith(f"{problem.name}.") for n in names), problem
    assert field_of(document, "driver") == "driver" and "driver" in data


def _spoil(node: Any) -> None:
    """Every condition gets an operator that there is not."""
    for key in ("all", "any", "not"):
        if key in node:
            for child in node[key] if key != "not" else [node[key]]:
                _spoil(child)
            return
    node["op"] = "sort_of"
