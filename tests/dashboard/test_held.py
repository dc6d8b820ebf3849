"""The page of held batches: the custodian's decision reaches the batch, once and with its reason."""

from __future__ import annotations

import io

from django.db import connections
from django.test import Client

from chuxiong.work.jobs import work_off
from ingestion.models import Batch
from tests.conftest import acting_as
from tests.prefecture import agreements, bring, citizen, person, sheet

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
    assert Batch.objects.get(pk=batch.pk).state == "held"
    assert http.post("/feeds/held", said | {"reason": "已核实：改用新表样"}).status_code == 302
    with acting_as("worker"):
        work_off(kinds=["held_batch", "take_in"])
    assert Batch.objects.get(pk=batch.pk).state == "landed"
    with connections["owner"].cursor() as cursor:
        cursor.execute("select actor, reason from audit_auditevent where action = 'batch.let_in'")
        assert cursor.fetchall() == [("keeper", "已核实：改用新表样")]
    # Whoever comes second is told.
    assert http.post("/feeds/held", said | {"reason": "再来一次"}).status_code == 409
    assert "没有等待决定的批次" in http.get("/feeds/held").content.decode()
