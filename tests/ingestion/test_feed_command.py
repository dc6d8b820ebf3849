"""What ``manage.py feed`` says of the catalogue, and which tables it makes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from ingestion import pool
from ingestion.catalog.load import live, load_catalog

CATALOG = load_catalog(Path(__file__).resolve().parents[2] / "ingestion" / "feeds")


def said(*words: str) -> str:
    out = io.StringIO()
    call_command("feed", *words, stdout=out)
    return out.getvalue()


def test_list_prints_the_live_feeds_and_the_reserve_apart() -> None:
    lines = said("list").splitlines()
    at = lines.index("共 37 个启用数据源 / 37 live")
    assert at == 37 and lines[-1] == "共 8 个储备数据源 / 8 reserve"
    assert len(json.loads(said("list", "--json"))) == 37
    assert {row["status"] for row in json.loads(said("list", "--json", "--reserve"))} == {"reserve"}


def test_check_counts_all_files() -> None:
    assert json.loads(said("check", "--json")) == {"feeds": 45, "ok": True}


def test_every_live_feed_has_its_table_and_no_other() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'pool'")
        tables = {name for (name,) in cursor.fetchall()}
    assert tables == set(live(CATALOG))
    assert pool.sync(CATALOG) == []


def test_a_feed_in_reserve_takes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("检测单号\n1\n", encoding="utf-8")
    with pytest.raises(CommandError, match="储备"):
        said("import", "tr_overload", str(path))
    with pytest.raises(CommandError, match="不存在"):
        said("import", "no_such", str(path))
