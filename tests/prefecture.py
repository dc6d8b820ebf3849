"""Small synthetic facts for tests: people, agreements, agency files. Nobody is meant."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from chuxiong.kit.citizen_id import check_digit

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=SHANGHAI)
TODAY = NOW.date()


def citizen(serial: int, *, division: str = "532301", born: str = "19500101") -> str:
    """A number with a valid check digit; ``serial`` 0–999."""
    body = f"{division}{born}{serial:03d}"
    return body + check_digit(body)


def decided(state: str, outcome: str = "improved") -> dict[str, datetime | str | None]:
    """The facts that a clue in ``state`` bears, as the database demands them."""
    confirmed = state in ("confirmed", "acted", "settled")
    return {
        "checked_at": NOW if confirmed or state == "unfounded" else None,
        "confirmed_at": NOW if confirmed else None,
        "settled_at": NOW if state == "settled" else None,
        "outcome": outcome if state == "settled" else None,
    }


def agreements(*, valid_to: date | None = None) -> None:
    """One agreement per feed agency, written as the owner of the tables."""
    from ingestion.agreements import PURPOSE
    from ingestion.models import Agreement
    from ingestion.selectors import catalog

    for feed in catalog().values():
        Agreement.objects.using("owner").update_or_create(
            number=f"T-{feed.code}",
            defaults={
                "agency": feed.agency.code,
                "agency_zh": feed.agency.zh,
                "title": feed.title.zh,
                "signed_on": TODAY - timedelta(days=100),
                "valid_from": TODAY - timedelta(days=100),
                "valid_to": valid_to or TODAY + timedelta(days=1000),
                "purposes": [PURPOSE],
                "fields": {feed.code: ["*"]},
                "data_class": "L4",
                "custodian": "测试",
            },
        )


def person(username: str = "tester", office: str = "532300", roles: tuple[str, ...] = ("prosecutor",)):  # type: ignore[no-untyped-def]
    from chuxiong.accounts.models import Person

    made = Person.objects.db_manager("owner").create_person(
        username=username,
        password="correct horse battery",
        name=f"{username}演示",
        office_id=office,
        roles=list(roles),
    )
    return Person.objects.get(pk=made.pk)


def sheet(feed_code: str, rows: list[dict[str, str]], *, encoding: str = "gb18030") -> io.BytesIO:
    """A CSV of the feed with the agency's own headers; keys of ``rows`` are catalogue names."""
    from ingestion.selectors import catalog

    feed = catalog()[feed_code]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([c.headers[0] for c in feed.delivered])
    for row in rows:
        writer.writerow([row.get(c.name, "") for c in feed.delivered])
    return io.BytesIO(out.getvalue().encode(encoding))


def death(
    number: str, day: str, *, name: str = "赵样本", status: str = "死亡注销", division: str = "532301"
) -> dict[str, str]:
    return {
        "person_name": name,
        "citizen_id": number,
        "household_division": division,
        "household_status": status,
        "death_date": day,
        "updated_at": "2026-10-01 08:00",
    }


def cremation(number: str, day: str, serial: int) -> dict[str, str]:
    return {
        "cremation_no": f"HH{serial:06d}",
        "person_name": "赵样本",
        "citizen_id": number,
        "death_date": day,
        "cremation_date": day,
        "household_address": "云南省楚雄彝族自治州楚雄市示例镇",
    }


def payment(
    number: str,
    month: str,
    amount: str,
    *,
    status: str = "正常",
    recovered: str = "",
    division: str = "532301",
) -> dict[str, str]:
    return {
        "person_name": "赵样本",
        "citizen_id": number,
        "insurance_type": "170",
        "pay_month": month,
        "amount_cny": amount,
        "pay_status": status,
        "recovered_cny": recovered,
        "division_code": division,
    }


def term(number: str, category: str, start: str) -> dict[str, str]:
    return {
        "person_name": "赵样本", "citizen_id": number, "person_category": category, "start_date": start,
        "end_date": "2028-01-01", "is_minor": "否", "division_code": "532301",
    }  # fmt: skip


def wage_clue(number: str, serial: int, day: str, amount: str, status: str) -> dict[str, str]:
    return {
        "clue_no": f"QX{serial:06d}", "register_date": day, "reporter_name": "赵样本", "reporter_citizen_id": number,
        "employer_name": "示例建筑公司", "arrears_amount_cny": amount, "division_code": "532301", "status": status,
    }  # fmt: skip


def arbitration(number: str, serial: int, day: str) -> dict[str, str]:
    return {
        "case_no": f"劳人仲案字〔2026〕第{serial}号", "applicant_no": "1", "apply_date": day, "accept_date": day,
        "applicant_name": "赵样本", "applicant_id": number, "division_code": "532301",
    }  # fmt: skip


def suit(numbers: list[str], serial: int, day: str) -> dict[str, str]:
    """A docket row whose one cell holds several plaintiffs."""
    return {
        "case_no": f"（2026）云2301民初{serial}号",
        "filing_date": day,
        "plaintiff_ids": "、".join(numbers),
    }


def case_card(serial: int, loss: str, recovered: str, seized: str) -> dict[str, str]:
    return {
        "unified_case_no": f"5323012026{serial:06d}", "party_no": "001", "unit_name": "楚雄市人民检察院",
        "case_category": "公诉案件", "accept_date": "2026-06-01", "victim_loss_cny": loss, "recovered_cny": recovered,
        "seized_status": seized, "is_pooled_case": "否", "is_minor": "否", "plea_leniency": "否", "restitution_clause": "否",
    }  # fmt: skip


def patrol(
    serial: int, day: str, lon: str, *, kind: str = "河岸垃圾", status: str = "处理中", reopened: str = "0"
) -> dict[str, str]:
    """A finding on one stretch of river; 0.001 degrees of longitude are about 101 m."""
    return {
        "patrol_id": f"XH{serial:04d}", "problem_id": f"WT{serial:04d}", "river_name": "示例河", "river_code": "R532301001",
        "division_code": "532301", "start_time": f"{day} 08:00", "found_time": f"{day} 09:00" if day else "",
        "problem_type": kind, "lon": lon, "lat": "25.03" if lon else "", "status": status, "reopen_count": reopened,
    }  # fmt: skip


def reading(
    outfall: str,
    day: str,
    value: str,
    *,
    kind: str = "2031",
    limit: str = "50",
    mark: str = "N",
    hour: int = 0,
) -> dict[str, str]:
    column = "value_rtd" if kind == "2011" else "value_avg"
    return {
        "mn": "53230000" + outfall.encode().hex().rjust(16, "0").upper(), "st": "32", "data_type": kind, "data_time": f"{day} {hour:02d}:00:00", "factor": "w01018", column: value,
        "flag": mark, "limit_value": limit, "org_name": "示例污水公司", "outlet_name": "总排口", "received_at": f"{day} 23:59:00",
    }  # fmt: skip


def bring(
    feed_code: str,
    source: io.BytesIO,
    *,
    name: str | None = None,
    covers: date | None = None,
    snapshot: bool = False,
):  # type: ignore[no-untyped-def]
    """Receive one file and take it in at once; returns the batch as it ended."""
    from ingestion.intake.receive import receive
    from ingestion.intake.take_in import take_in
    from ingestion.selectors import catalog

    feed = catalog()[feed_code]
    batch, _ = receive(
        source,
        feed=feed,
        file_name=name or f"{feed_code}.csv",
        by="测试",
        at=NOW,
        covers_until=covers,
        snapshot=snapshot,
    )
    return take_in(batch.pk, feed, fence=batch.fence + 1, at=NOW)


_ANY = {
    "date": "2026-06-01",
    "datetime": "2026-06-01 08:00",
    "month": "2026-06",
    "money": "1",
    "int": "1",
    "number": "1",
    "bool": "否",
    "division": "532301",
}


def _filled(feed, row: dict[str, str]) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """Required cells that a test does not care about hold any valid value."""
    filled = dict(row)
    for column in feed.columns:
        if column.required and column.name not in filled:
            filled[column.name] = next(iter(column.codes), _ANY.get(column.type, "示例"))
    return filled


def land_rows(
    feed_code: str, rows: list[dict[str, str]], *, covers: date | None = None, snapshot: bool = False
):  # type: ignore[no-untyped-def]
    """Rows straight through normalise → shelter → stage → land, without file and child process."""
    import secrets

    import polars as pl
    from django.db import connections, transaction

    from chuxiong.vault import refs
    from ingestion.intake import merge
    from ingestion.intake.normalising import map_headers, normalise
    from ingestion.intake.shelter import shelter
    from ingestion.models import Batch
    from ingestion.selectors import catalog
    from ingestion.texts.deriving import derive

    feed, connection = catalog()[feed_code], connections["intake"]
    rows = [_filled(feed, row) for row in rows]
    headers = [c.headers[0] for c in feed.delivered]
    cells = {c.headers[0]: [row.get(c.name) or None for row in rows] for c in feed.delivered}
    chunk = pl.DataFrame(
        {**cells, "row_no": list(range(2, 2 + len(rows))), "ragged": [None] * len(rows)},
        schema={**dict.fromkeys(headers, pl.String), "row_no": pl.Int64, "ragged": pl.String},
    )
    result = normalise(chunk, feed, map_headers(headers, feed), received_on=TODAY)
    with transaction.atomic(using="intake"):
        batch = Batch.objects.using("intake").create(
            feed=feed_code,
            file_name="direct",
            digest=secrets.token_hex(32),
            size=0,
            received_at=NOW,
            received_by="测试",
            covers_until=covers,
            snapshot=snapshot,
        )
        merge.create_staging(connection, feed, batch)
        sheltered = shelter(result.good, feed, lambda k, v: refs.mint(connection, k, v))
        merge.stage(connection, feed, batch, derive(sheltered, feed))
        number, counts = merge.land(
            connection, feed, batch, at=NOW, covers_until=covers, remove_absent=snapshot
        )
        merge.drop_staging(connection, batch)
    return number, counts, result
