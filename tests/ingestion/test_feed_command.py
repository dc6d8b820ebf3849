"""What ``manage.py feed`` says of the catalogue, and which tables it makes."""

from __future__ import annotations

import io
import json
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from ingestion import pool
from ingestion.catalog.load import live, load_catalog
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, citizen, death, sheet

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
        cursor.execute(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'pool' and c.relkind in ('r', 'p') and not c.relispartition"
        )
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


NEXT = """
code: xx_mine
title: {zh: 采矿许可, en: Mining permits}
agency: {code: xx_bureau, zh: 样例局, en: Sample Bureau}
network: 政务外网
transport: manual_upload
status: live
cadence: yearly
max_lag_days: 30
load_mode: upsert
natural_key: [permit_no]
county_column: place
columns:
  - {name: permit_no, headers: [许可证号], type: code, form: document_no, required: true, sensitivity: L1, zh: 许可证号, en: Permit number}
  - {name: holder, headers: [采矿权人证件], type: text, form: identity, subject: organisation, sensitivity: L4, zh: 采矿权人证件, en: Holder}
  - {name: place, headers: [矿区], type: division, required: true, sensitivity: L1, zh: 矿区, en: Place}
  - {name: area, headers: [面积], type: number, at_least: 0, sensitivity: L1, zh: 面积, en: Area}
"""


def test_the_thirty_eighth_feed_is_one_file(tmp_path: Path, database: None) -> None:
    from ingestion.agreements import PURPOSE
    from ingestion.intake.receive import receive
    from ingestion.intake.take_in import take_in
    from ingestion.models import Agreement

    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "xx_mine.yaml").write_text(NEXT, encoding="utf-8")
    catalog = load_catalog(tmp_path)
    feed = catalog["xx_mine"]
    Agreement.objects.using("owner").create(
        number="T-xx", agency="xx_bureau", agency_zh="样例局", title="采矿许可", signed_on=TODAY,
        valid_from=TODAY, valid_to=TODAY + timedelta(days=9), purposes=[PURPOSE], fields={"xx_mine": ["*"]},
        data_class="L4", custodian="测试",
    )  # fmt: skip
    rows = (
        "许可证号,采矿权人证件,矿区,面积\n〔2026〕1号,91350100M000100Y43,禄丰县,2.5\n[2026]2号,,双柏县,-1\n"
    )
    try:
        assert any(change.statement.startswith("create table") for change in pool.sync(catalog))
        batch, _ = receive(io.BytesIO(rows.encode()), feed=feed, file_name="mine.csv", by="测试", at=NOW)
        taken = take_in(batch.pk, feed, fence=batch.fence + 1, at=NOW)
        assert (taken.state, taken.loaded, taken.quarantined) == ("landed", 1, 1), taken.problem
        with connections["owner"].cursor() as cursor:
            cursor.execute("select permit_no, holder, place, county, area from pool.xx_mine")
            permit, holder, place, county, area = cursor.fetchone()
        assert (permit, place, county, area) == ("(2026)1号", "532331", "532302", 2.5)
        assert holder.startswith("〔credit_code:") and "91350100" not in holder
    finally:
        with connections["owner"].cursor() as cursor:
            cursor.execute("drop table if exists pool.xx_mine")


def _file(tmp_path: Path, text: bytes) -> str:
    from tests.prefecture import agreements

    agreements()
    path = tmp_path / "deaths.csv"
    path.write_bytes(text)
    return str(path)


def test_import_and_wait_fails_for_a_refused_file_with_its_reason(tmp_path: Path, database: None) -> None:
    path = _file(tmp_path, "甲,乙\n1,2\n".encode())
    out = io.StringIO()
    with acting_as("worker"), pytest.raises(CommandError, match="拒收"):
        call_command("feed", "import", "ps_population_death", path, "--wait", stdout=out)
    assert "缺少必填列" in out.getvalue() and "请确认文件属于" in out.getvalue()


def test_import_and_wait_waits_for_a_worker_that_was_faster(tmp_path: Path, database: None) -> None:
    from ingestion.intake.take_in import take_in
    from ingestion.models import Batch

    path = _file(tmp_path, sheet("ps_population_death", [death(citizen(1), "2026-10-01")]).getvalue())
    words = ["feed", "import", "ps_population_death", path]
    with acting_as("worker"):
        call_command(*words, stdout=io.StringIO())
        with connections["owner"].cursor() as cursor:
            # As after the claim of another worker.
            cursor.execute(
                "update work_job set state = 'running', fence = 1, attempts = 1,"
                " lease_until = now() + interval '1 hour' where kind = 'take_in'"
            )
        with pytest.raises(CommandError, match=r"0\.5 秒内未处理完"):
            call_command(*words, "--wait", "--timeout", "0.5", stdout=io.StringIO())

    def work() -> None:
        time.sleep(1)
        with acting_as("worker"):
            take_in(batch.pk, CATALOG[batch.feed], fence=1, at=NOW)
        connections.close_all()

    batch = Batch.objects.using("owner").get()
    worker = threading.Thread(target=work)
    worker.start()
    try:
        with acting_as("worker"):
            out = io.StringIO()
            call_command(*words, "--wait", "--json", stdout=out)
        assert (json.loads(out.getvalue())["state"], json.loads(out.getvalue())["loaded"]) == ("landed", 1)
    finally:
        worker.join()
