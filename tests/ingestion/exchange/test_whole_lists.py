"""A feed agreed as a whole list is one by whichever way it comes, unless the sender says otherwise."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
import yaml

from ingestion.exchange import fetching, pulls, sheet, views
from ingestion.exchange.bundles import receive_bundle
from ingestion.exchange.fetching import Fetched, FetchFailed
from ingestion.exchange.folders import Watcher
from ingestion.exchange.manifest import FileEntry
from ingestion.exchange.sources import Folder, Pages, Pull, Sources, View
from ingestion.models import Batch, Delivery
from tests.ingestion.exchange.test_fetching import Bureau, bureau  # noqa: F401  a fixture
from tests.ingestion.exchange.ways import agency_of, bundle, new_key, payments, work
from tests.prefecture import NOW, agreements, citizen
from tests.prefecture import sheet as file_of

LIST, PAY = "ed_school_staff", "hr_pension_payment"


def staff(*serials: int) -> bytes:
    rows = [
        {"person_name": "赵样本", "citizen_id": citizen(n), "org_name": f"示例{n}小学", "is_on_roll": "是",
         "division_code": "532301", "hire_date": "2020-09-01"}
        for n in serials
    ]  # fmt: skip
    return file_of(LIST, rows).getvalue()


def flags() -> list[bool]:
    work(agency_of(LIST), agency_of(PAY))
    found = Batch.objects.using("intake").order_by("pk")
    assert {b.state for b in found} == {"landed"}, [b.problem for b in found]
    return [b.snapshot for b in found]


def test_by_bundle(database: None, tmp_path) -> None:  # type: ignore[no-untyped-def]
    agreements()
    agency, digest = agency_of(LIST), ""
    key = new_key(agency)
    for sequence, said in enumerate((None, False, True), 1):
        content = {f"{sequence}.csv": (LIST, staff(*range(10 + sequence)))}
        path, digest = bundle(
            tmp_path, key, agency=agency, sequence=sequence, previous=digest, files=content, snapshot=said
        )
        assert receive_bundle(path, by="test", at=NOW).delivery.state == Delivery.State.WAITING
    assert flags() == [True, False, True]


def test_by_folder(database: None, tmp_path) -> None:  # type: ignore[no-untyped-def]
    agreements()
    for place, (feed, data) in enumerate({LIST: staff(1, 2), PAY: payments(1)}.items()):
        path = tmp_path / feed
        path.mkdir()
        watcher = Watcher(Folder(code=f"drop_{place}", feed=feed, path=path), quiet_seconds=0)
        (path / f"{feed}.csv").write_bytes(data)
        for _ in range(2):
            watcher.round(at=NOW)
    assert sorted(flags()) == [False, True]
    assert Batch.objects.using("intake").get(feed=LIST).snapshot


def test_by_pull(database: None, bureau: Bureau) -> None:  # noqa: F811
    agreements()
    for data in (staff(*range(10)), staff(*range(1, 10))):
        bureau.answer = lambda path, headers, data=data: (200, {}, data)
        source = Pull(code="rolls", feed=LIST, url=f"{bureau.url}/x", every_minutes=60, plain_http=True)
        assert fetching.run(source, partial(pulls.fetch, source), way=Delivery.Way.PULL, at=NOW)
    assert flags() == [True, True]
    assert Batch.objects.using("intake").order_by("pk")[1].removed == 1


def test_pages_of_a_whole_list_are_read_from_the_first_and_to_the_last(
    database: None,
    bureau: Bureau,  # noqa: F811
) -> None:
    agreements()
    names = staff(1).decode("gb18030").splitlines()[0].split(",")
    lines = [line.split(",") for line in staff(*range(6)).decode("gb18030").splitlines()[1:]]
    rows = [dict(zip(names, line, strict=True)) for line in lines]

    def answer(path: str, headers: dict[str, str]) -> Any:
        cursor = int(path.partition("cursor=")[2] or 0)
        following = cursor + 2 if cursor + 2 < len(rows) else None
        return 200, {}, json.dumps({"items": rows[cursor : cursor + 2], "next": following}).encode()

    bureau.answer = answer
    pages = Pages(parameter="cursor", rows="items", next="next")
    source = Pull(
        code="rolls", feed=LIST, url=f"{bureau.url}/x", every_minutes=60, plain_http=True, pages=pages, name="a.jsonl"
    )  # fmt: skip
    for _ in range(2):
        fetching.run(source, partial(pulls.fetch, source), way=Delivery.Way.PULL, at=NOW)
        rows[0]["姓名" if "姓名" in rows[0] else names[0]] = "钱样本"
    assert flags() == [True, True]
    assert [b.received for b in Batch.objects.using("intake").order_by("pk")] == [6, 6]
    short = source.model_copy(update={"pages": pages.model_copy(update={"most": 2})})
    with pytest.raises(FetchFailed, match="没有取完"):
        pulls.fetch(short, {}, True)


def test_by_view_every_row_is_asked_for(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    agreements()
    marks: list[Any] = []

    class Connection:
        def set_session(self, **_: Any) -> None: ...
        def close(self) -> None: ...

    def read(source: View, connection: Any, mark: str | None, out: Any) -> tuple[int, str | None]:
        marks.append(mark)
        out.write(b"{}\n")
        return 3, "7"

    driver = SimpleNamespace(connect=lambda *_, **__: Connection(), Error=psycopg2.Error)
    monkeypatch.setattr(views, "psycopg2", driver)
    monkeypatch.setattr(views, "_read", read)
    monkeypatch.setenv("ROLLS_DSN", "x")
    source = View(
        code="rolls", feed=LIST, dsn="env:ROLLS_DSN", view="v", high_water="n", every_minutes=60, rows=4
    )
    assert isinstance(views.fetch(source, {"high": "5"}, True), Fetched)
    views.fetch(source, {"high": "5"}, False)
    assert marks == [None, "5"], "of a whole list nothing is left out"
    with pytest.raises(FetchFailed, match="可能没有读完"):
        views.fetch(source.model_copy(update={"rows": 3}), {}, True)
    fetching.run(source, partial(views.fetch, source), way=Delivery.Way.VIEW, at=NOW)
    assert marks[-1] is None
    work(agency_of(LIST))
    assert Delivery.objects.using("intake").get().files.get().snapshot is True


def test_what_is_said_stands_and_what_is_not_is_left_open() -> None:
    line = {"name": "a.csv", "sha256": "0" * 64, "feed": LIST, "size": 1}
    document = {"format": "chuxiong-sheet/1", "agency": "ed_bureau", "files": [line]}
    for said, wanted in ((None, None), (True, True), (False, False)):
        if said is not None:
            line["snapshot"] = said
        ((found,), _) = sheet.document(json.dumps(document).encode())
        assert found.snapshot is wanted
    line["snapshot"] = "true"
    with pytest.raises(sheet.SheetFault):
        sheet.document(json.dumps(document).encode())
    assert FileEntry(feed=LIST, name="a.csv", size=1, sha256="0" * 64).snapshot is None
    declared = yaml.safe_load("folders: [{code: a, feed: ed_school_staff, path: /srv/a}]")
    assert Sources.model_validate(declared).folders[0].snapshot is None
