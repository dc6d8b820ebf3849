"""The page of held batches: the custodian's decision reaches the batch, once and with its reason."""

from __future__ import annotations

import io
import json

import pytest
from django.db import ProgrammingError, connections, transaction
from django.test import Client

from chuxiong.accounts.scope import person_scope
from chuxiong.work.jobs import work_off
from ingestion.intake import holding
from ingestion.models import Batch, ManualImport
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, bring, citizen, person, sheet

FEED = "ed_school_staff"


def _held() -> Batch:
    agreements()
    rows = [
        {
            "person_name": "赵样本",
            "citizen_id": citizen(n),
            "org_name": f"示例{n}小学",
            "division_code": "532301",
        }
        | {"is_on_roll": "是", "hire_date": "2020-09-01"}
        for n in range(3)
    ]
    bring(FEED, sheet(FEED, rows), name="one.csv")
    changed = sheet(FEED, rows).getvalue().decode("gb18030").replace("岗位类别", "工种")
    batch = bring(FEED, io.BytesIO(changed.encode("gb18030")), name="renamed.csv")
    assert batch.state == "held"
    return batch


def test_the_custodian_lets_a_held_batch_in_with_a_reason(database: None) -> None:
    batch = _held()
    http = Client()
    http.force_login(person("keeper", roles=("custodian",)))
    page = http.get("/feeds/held").content.decode()
    assert "renamed.csv" in page and "岗位类别" in page and "工种" in page
    said = {"batch": str(batch.pk), "outcome": "let_in", "reason": ""}
    refused = http.post("/feeds/held", said)
    assert refused.status_code == 409 and "理由" in refused.content.decode()
    assert Batch.objects.using("intake").get(pk=batch.pk).state == "held"
    assert http.post("/feeds/held", said | {"reason": "已核实：改用新表样"}).status_code == 302
    with acting_as("worker"):
        work_off(kinds=["held_batch", "take_in"])
    assert Batch.objects.using("intake").get(pk=batch.pk).state == "landed"
    with connections["owner"].cursor() as cursor:
        cursor.execute("select actor, reason from audit_auditevent where action = 'batch.let_in'")
        assert cursor.fetchall() == [("keeper", "已核实：改用新表样")]
    # Whoever comes second is told.
    assert http.post("/feeds/held", said | {"reason": "再来一次"}).status_code == 409
    assert "没有等待决定的批次" in http.get("/feeds/held").content.decode()


def test_an_import_is_decided_where_it_was_made_and_its_import_ends_with_it(database: None) -> None:
    batch = _held()
    imported = ManualImport.objects.using("owner").create(
        feed=FEED, file_name="renamed.csv", size=1, digest="0" * 64, by="clerk", by_name="文员", office="532301",
        created_at=NOW, state="handed", batch_id=batch.pk,
    )  # fmt: skip
    own = person("own", office="532301", roles=("custodian",))
    other = person("other", office="532302", roles=("custodian",))
    plain = person("plain", office="532301")
    assert [b.pk for b in holding.held_batches(own)] == [batch.pk]
    assert holding.held_batches(other) == []
    for who in (other, plain):
        with pytest.raises(holding.NotHeld):
            holding.ask(batch.pk, holding.REJECT, by=who, reason="不是我的")
    # The database holds the same line against a page that forgets it.
    job = (
        "insert into work_job (kind, key, payload, priority, state, run_after, attempts, fence, error, created_at)"
        " values ('held_batch', '1', %s, 3, 'queued', now(), 0, 0, '', now())"
    )
    said = json.dumps(
        {"batch": batch.pk, "outcome": "let_in", "by": "other", "office": "532302", "reason": "x"}
    )
    with (
        person_scope(other),
        connections["default"].cursor() as cursor,
        pytest.raises(ProgrammingError, match="reach"),
        transaction.atomic(),
    ):
        cursor.execute(job, [said])
    http = Client()
    http.force_login(other)
    assert "renamed.csv" not in http.get("/feeds/held").content.decode()
    refused = http.post("/feeds/held", {"batch": str(batch.pk), "outcome": "reject", "reason": "不是我的"})
    assert refused.status_code == 409
    holding.ask(batch.pk, holding.REJECT, by=own, reason="导错了表")
    with acting_as("worker"):
        work_off(kinds=["held_batch"])
    imported.refresh_from_db(using="owner")
    assert Batch.objects.using("intake").get(pk=batch.pk).state == "refused" and imported.ended_at is not None


def test_the_page_says_what_has_landed_since(database: None) -> None:
    _held()
    http = Client()
    http.force_login(person("keeper", roles=("custodian",)))
    assert "此后该数据源" not in http.get("/feeds/held").content.decode()
    row = {
        "person_name": "赵样本", "citizen_id": citizen(50), "org_name": "新增小学", "division_code": "532301",
        "is_on_roll": "是", "hire_date": "2020-09-01",
    }  # fmt: skip
    bring(FEED, sheet(FEED, [row]), name="later.csv")
    assert "此后该数据源已有 1 批入库" in http.get("/feeds/held").content.decode()
