"""Published judgments through the whole intake: what was planted in their texts stands in the pool, checkable by eye."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db import connections
from django.utils import timezone

from chuxiong.demo.deliver import manifest
from chuxiong.demo.write import write
from ingestion.intake.receive import receive
from ingestion.intake.take_in import take_in
from ingestion.models import FeedIssue
from ingestion.selectors import catalog
from tests.prefecture import NOW, agreements, bring, citizen, sheet

_KINDS = {
    "责令退赔": "order_refund",
    "追缴": "order_recover",
    "发还": "order_return",
    "没收": "order_confiscate",
}
_COLUMNS = {
    "order_refund": "refund",
    "order_recover": "recover",
    "order_return": "return",
    "order_confiscate": "confiscate",
}


def _pool() -> list[dict[str, Any]]:
    with connections["intake"].cursor() as cursor:
        cursor.execute("select * from pool.net_judgment where to_landing is null order by record_id")
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        if isinstance(row["text_findings"], str):
            row["text_findings"] = json.loads(row["text_findings"])
    return rows


def test_what_was_planted_in_the_demo_judgments_is_read_exactly(database, tmp_path):
    today = timezone.localdate()
    write(scale="small", seed=11, out=tmp_path, today=today)
    agreements(valid_to=today + timedelta(days=1000))
    feed = catalog()["net_judgment"]
    for item in manifest(tmp_path):
        if item.feed == "net_judgment":
            with item.path.open("rb") as source:
                batch, _ = receive(source, feed=feed, file_name=item.path.name, by="测试", at=timezone.now())
            assert take_in(batch.pk, feed, fence=batch.fence + 1, at=timezone.now()).state == "landed"
    lines = map(json.loads, (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    planted = {line["judgment"]: line for line in lines if "judgment" in line}
    rows = _pool()
    assert len(rows) == len(planted) >= 40
    for row in rows:
        truth = planted[row["doc_id"]]
        measures = truth["measures"]
        assert row["text_case_no"] == truth["case_no"].replace("（", "(").replace("）", ")")
        assert (row["text_case_no"], row["text_judged_on"]) == (row["case_no"], row["judgment_date"])
        assert row["text_disagrees"] is None
        assert row["text_causes"] == row["cause_of_action"]
        assert row["text_loss_cny"] == measures["loss_fen"], row["doc_id"]
        assert (row["text_recovered_cny"] or 0) == measures["recovered_fen"], row["doc_id"]
        expected: dict[str, list[Any]] = {kind: [] for kind in _KINDS.values()}
        for order in measures["orders"]:
            expected[_KINDS[order["kind"]]].append(order["amount_fen"])
        for kind, amounts in expected.items():
            # The return of what is yet to be recovered is part of that order.
            own = [f for f in row["text_findings"] if f["kind"] == kind and not f.get("detail")]
            assert [f.get("value") for f in own] == amounts, (row["doc_id"], kind)
            assert (row[f"text_{_COLUMNS[kind]}_cny"] or 0) == sum(a or 0 for a in amounts)
            if not any(f["kind"] == kind for f in row["text_findings"]):
                assert row[f"text_ordered_{_COLUMNS[kind]}"] is False
        for finding in row["text_findings"]:
            assert row["full_text"][finding["start"] : finding["end"]].strip()


def test_numbers_within_a_text_are_sheltered_and_places_hold_in_what_is_stored(database):
    agreements()
    number = citizen(77)
    text = (
        "云南省大姚县人民法院\n刑事判决书\n（2026）云2326刑初9号\n公诉机关大姚县人民检察院。\n"
        f"被告人钱某某，女，公民身份号码{number}，电话13800000000。\n大姚县人民检察院指控被告人钱某某犯诈骗罪。"
        "经审理查明，被告人钱某某骗取被害人周某人民币1.2万元。本院认为，被告人钱某某的行为已构成诈骗罪。判决如下：\n"
        "一、被告人钱某某犯诈骗罪，判处拘役五个月。\n二、责令被告人钱某某退赔被害人周某人民币一万二千元。\n"
        "如不服本判决，可提出上诉。\n审判员吴某\n二〇二六年七月二日"
    )
    row = {
        "doc_id": "D1", "case_no": "（2026）云2326刑初8号", "case_name": "钱某某诈骗案", "court_name": "永仁县人民法院",
        "judgment_date": "2026-07-02", "full_text": text, "parties": f"钱某某{number}", "facts": f"电话13800000000，{number}",
        "result_text": f"被告人{number}", "judges": number,
    }  # fmt: skip
    batch = bring("net_judgment", sheet("net_judgment", [row]))
    assert batch.state == "landed"
    (stored,) = _pool()
    for column in ("full_text", "parties", "facts", "result_text", "judges", "text_accused"):
        assert number not in stored[column] and "13800000000" not in stored[column], column
    assert "〔citizen_id:" in stored["full_text"]
    assert number not in json.dumps(stored["text_findings"], ensure_ascii=False)
    (refund,) = [f for f in stored["text_findings"] if f["kind"] == "order_refund"]
    assert stored["full_text"][refund["start"] : refund["end"]] == (
        "二、责令被告人钱某某退赔被害人周某人民币一万二千元。"
    )
    # The database counts characters as the finding does.
    with connections["intake"].cursor() as cursor:
        cursor.execute(
            "select substr(full_text, %s, %s) from pool.net_judgment",
            [refund["start"] + 1, refund["end"] - refund["start"]],
        )
        assert cursor.fetchone()[0].startswith("二、责令被告人钱某某退赔")
    # Where the sender contradicts the text both stand, the row says so, and a person is told.
    assert (stored["case_no"], stored["text_case_no"]) == ("(2026)云2326刑初8号", "(2026)云2326刑初9号")
    assert (stored["court_name"], stored["text_court"]) == ("永仁县人民法院", "云南省大姚县人民法院")
    assert stored["text_disagrees"] == "case_no,court_name"
    issues = FeedIssue.objects.using("owner").filter(feed="net_judgment", kind="text_disagrees")
    assert sorted(issues.values_list("place", flat=True)) == ["case_no", "court_name"]
    assert batch.received_at == NOW
