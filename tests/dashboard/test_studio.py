"""The form of a rule as a page: every field that a rule fills is on it, once, with words in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.template.loader import render_to_string

from dashboard.studio.making import _BLANK
from dashboard.studio.outline import Item, changed, outline
from ingestion.selectors import catalog
from supervision.rulebook.form import decode, encode
from supervision.rulebook.form_check import check_form

FILES = sorted(Path(settings.RULES_DIR).glob("*/*.yaml"))


def _named(items: list[Item]) -> list[str]:
    html = "".join(render_to_string("studio/parts/item.html", {"i": i, "writes": True}) for i in items)
    return re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', html)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_page_holds_every_field_of_a_rule_once(path):
    data = encode(yaml.safe_load(path.read_text(encoding="utf-8")))
    names = _named(outline(data, ()))
    assert len(names) == len(set(names))
    assert data.keys() <= set(names)
    # A browser may send so many (it is set for the house), and the rest of the page has some.
    assert len(names) < settings.DATA_UPLOAD_MAX_NUMBER_FIELDS - 100


def test_a_problem_stands_at_its_field_and_in_the_list():
    data = encode(yaml.safe_load(FILES[0].read_text(encoding="utf-8"))) | {"title.zh": ""}
    checked = check_form(data, catalog())
    html = "".join(
        render_to_string("studio/parts/item.html", {"i": i, "writes": True})
        for i in outline(checked.data, checked.problems)
    )
    (field,) = re.findall(r'<div class="field[^"]*" id="f-title-zh">.*?</div>', html, re.S)
    assert "必须填写" in field and 'aria-invalid="true"' in field
    assert html.count('aria-invalid="true"') == 1


def test_buttons_add_and_take_away_and_leave_the_rest_as_typed():
    data = encode(_BLANK) | {"title.zh": "写了一半"}
    more = changed(changed(data, "leaf:when"), "join:when")
    assert {"when.0.op", "when.1.0.op", "when.1.kind"} <= set(_named(outline(more, ())))
    assert more["title.zh"] == "写了一半"
    filled = more | {"when.0.id": "a", "when.0.op": "is_present", "when.1.0.id": "b"}
    assert decode(filled)["when"] == {"all": [{"id": "a", "op": "is_present"}, {"any": [{"id": "b"}]}]}
    less = changed(filled, "remove:when.0")
    assert decode(less)["when"] == {"all": [{"any": [{"id": "b"}]}]}
    assert "link.0.left" in _named(outline(changed(data, "add:link"), ()))
    # What was added and left empty is no part of the rule.
    assert decode(changed(data, "add:link")) == decode(data)
