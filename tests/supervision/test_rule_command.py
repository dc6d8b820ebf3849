"""``rule check --tests`` runs the stored tests in real SQL and leaves the pool alone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

from tests.conftest import acting_as


def check(out: io.StringIO) -> None:
    with acting_as("worker"):
        call_command("rule", "check", "--tests", "--json", stdout=out)


def test_every_stored_test_holds_and_the_pool_stays_empty(database: None) -> None:
    out = io.StringIO()
    check(out)
    said = json.loads(out.getvalue())
    assert said["ok"] and said["tests"] > 40 and said["failed"] == []
    with connections["owner"].cursor() as cursor:
        cursor.execute("select count(*) from pool.hr_pension_payment")
        assert cursor.fetchone() == (0,)


def test_a_test_that_does_not_hold_is_named(database: None, tmp_path: Path) -> None:
    document = yaml.safe_load(
        (settings.RULES_DIR / "public_interest" / "pension_while_serving.yaml").read_text(encoding="utf-8")
    )
    document["tests"][0] |= {"expect": "miss", "level": None}
    (tmp_path / "public_interest").mkdir()
    (tmp_path / "public_interest" / "pension_while_serving.yaml").write_text(
        yaml.safe_dump(document, allow_unicode=True), encoding="utf-8"
    )
    out = io.StringIO()
    with override_settings(RULES_DIR=tmp_path), pytest.raises(CommandError, match="样例不成立"):
        check(out)
    assert json.loads(out.getvalue())["failed"] == [
        {
            "rule": "pension_while_serving",
            "test": "整月在刑期内仍发放",
            "expected": "miss",
            "found": "hit",
        }
    ]


def test_a_title_names_the_factor_in_words() -> None:
    from supervision.selectors import rulebook

    material = {"outlet": "总排口", "factor": "w01018", "days": 3, "multiple": 1.6}
    zh, en = rulebook()["discharge_exceedance"].clue_title(material)
    assert "化学需氧量" in zh and "chemical oxygen demand" in en.lower()
    assert "w01018" not in zh + en
