"""The examples of the READMEs are what they say: a feed that loads, a rule whose tests hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingestion.catalog.load import load_catalog
from ingestion.selectors import catalog
from supervision.rulebook.load import read_rule
from tests.conftest import ROOT, acting_as


def _example(page: str) -> str:
    found = re.search(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    assert found, page
    return found[1]


def test_the_feed_of_the_page_loads(tmp_path: Path) -> None:
    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "xx_mine.yaml").write_text(_example("ingestion/README.md"), encoding="utf-8")
    assert list(load_catalog(tmp_path)) == ["xx_mine"]


def test_the_rule_of_the_page_holds_its_tests(database: None) -> None:
    from supervision.matching.stored_tests import failures

    rule, problems = read_rule(_example("supervision/rules/README.md"), "README", catalog())
    assert rule and problems == []
    with acting_as("worker"):
        assert list(failures(rule, catalog())) == []


def test_the_sources_of_the_page_are_declared_rightly(tmp_path: Path) -> None:
    from ingestion.exchange.sources import load
    from ingestion.exchange.watching import checked

    (tmp_path / "exchange.yaml").write_text(_example("ingestion/exchange/README.md"), encoding="utf-8")
    found = checked(load(tmp_path / "exchange.yaml"))
    assert len(found.folders) == len(found.pulls) == len(found.views) == 1


@pytest.mark.parametrize("command", ["feed values", "rule operators"])
def test_the_lists_the_pages_name_are_printed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import call_command

    call_command(*command.split())
    said = capsys.readouterr().out
    assert ("discharge_permit（code）" if command == "feed values" else "after_month_of") in said
