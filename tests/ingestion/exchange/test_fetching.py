"""Addresses and views of agencies: only what changed, under caps, with pauses after failures."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg2
import pytest
import yaml

from ingestion.exchange import fetching, pulls, views
from ingestion.exchange.sources import Pages, Pull, Sources, View
from ingestion.exchange.watching import Watch
from ingestion.models import Batch, Delivery, SourceMark
from tests.ingestion.exchange.ways import payments, work
from tests.prefecture import NOW, agreements, citizen

HR, PAY = "hr_bureau", "hr_pension_payment"


class Bureau:
    """A real server that answers as the test says and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: Any = lambda path, headers: (200, {}, b"")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, dict(self.headers)))
                status, headers, body = outer.answer(self.path, dict(self.headers))
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def bureau(database) -> Iterator[Bureau]:
    agreements()
    made = Bureau()
    yield made
    made.server.shutdown()
    made.server.server_close()


def pull(bureau: Bureau, path: str = "/pensions", **more: Any) -> Pull:
    return Pull(code="hr_pull", feed=PAY, url=bureau.url + path, every_minutes=60, plain_http=True, **more)


def go(source: Pull, at=NOW):  # type: ignore[no-untyped-def]
    from functools import partial

    return fetching.run(source, partial(pulls.fetch, source), way=Delivery.Way.PULL, at=at)


def test_only_what_changed_is_fetched_and_lands(bureau, monkeypatch):
    data = payments(1, 2)
    monkeypatch.setenv("HR_WORD", "geheim")

    def answer(path: str, headers: dict[str, str]):  # type: ignore[no-untyped-def]
        if headers.get("If-None-Match") == '"1"':
            return 304, {}, b""
        return 200, {"ETag": '"1"', "Last-Modified": "Fri, 20 Nov 2026 00:00:00 GMT"}, data

    bureau.answer = answer
    source = pull(bureau, headers={"X-Word": "env:HR_WORD"})
    assert fetching.due(source, at=NOW)
    assert go(source) is not None
    assert not fetching.due(source, at=NOW + timedelta(minutes=59))
    assert go(source) is None and bureau.asked[-1][1]["If-None-Match"] == '"1"'
    assert bureau.asked[0][1]["X-Word"] == "geheim"
    work(HR)
    assert Batch.objects.using("intake").get().loaded == 2 and Delivery.objects.using("intake").count() == 1
    # A server without marks that gives the same bytes makes no second delivery.
    bureau.answer = lambda path, headers: (200, {}, data)
    assert go(source) is None and Delivery.objects.using("intake").count() == 1


def test_pages_follow_the_cursor_and_go_on_from_it(bureau):
    feed_headers = payments(1).decode("gb18030").splitlines()[0].split(",")
    rows = [
        dict(zip(feed_headers, line.split(","), strict=True))
        for line in payments(1, 2, 3).decode("gb18030").splitlines()[1:]
    ]

    def answer(path: str, headers: dict[str, str]):  # type: ignore[no-untyped-def]
        cursor = int(path.partition("cursor=")[2] or 0)
        following = cursor + 1 if cursor + 1 < len(rows) else None
        return 200, {}, json.dumps({"items": rows[cursor : cursor + 1], "next": following}).encode()

    bureau.answer = answer
    source = pull(bureau, "/pensions?year=2026", pages=Pages(parameter="cursor", rows="items", next="next"))
    go(source)
    assert [path for path, _ in bureau.asked] == [
        "/pensions?year=2026", "/pensions?year=2026&cursor=1", "/pensions?year=2026&cursor=2"
    ]  # fmt: skip
    work(HR)
    assert Batch.objects.using("intake").get().loaded == 3 and SourceMark.objects.get().mark["cursor"] == 2


def test_half_a_character_in_a_page_is_one_row_put_aside(bureau):
    names = payments(1).decode("gb18030").splitlines()[0].split(",")
    cells = [line.split(",") for line in payments(1, 2).decode("gb18030").splitlines()[1:]]
    rows = [dict(zip(names, line, strict=True)) for line in cells]
    rows[0]["经办人"] = "\ud800"
    bureau.answer = lambda path, headers: (200, {}, json.dumps({"items": rows, "next": None}).encode())
    assert (
        go(pull(bureau, pages=Pages(parameter="cursor", rows="items", next="next"), name="a.jsonl"))
        is not None
    )
    work(HR)
    batch = Batch.objects.using("intake").get()
    assert (batch.state, batch.loaded, batch.quarantined) == ("landed", 1, 1)


def test_one_source_that_breaks_keeps_no_other_waiting(bureau, tmp_path, monkeypatch):
    urls = {code: f"{bureau.url}/{code}" for code in ("first", "second")}
    declared = tmp_path / "exchange.yaml"
    declared.write_text(
        yaml.safe_dump(
            {"pulls": [{"code": code, "feed": PAY, "url": url, "every_minutes": 60, "plain_http": True} for code, url in urls.items()]}
        )
    )  # fmt: skip
    real = pulls.fetch

    def fetch(source, mark, whole):  # type: ignore[no-untyped-def]
        if source.code == "first":
            raise UnicodeError("a record")
        return real(source, mark, whole)

    monkeypatch.setattr(pulls, "fetch", fetch)
    bureau.answer = lambda path, headers: (200, {}, payments(1))
    Watch(declared).round(at=NOW)
    assert [d.outside for d in Delivery.objects.using("intake").all()] == ["second"]
    mark = SourceMark.objects.get(pk="first")
    assert (
        mark.failures == 1
        and "UnicodeError" in mark.problem["what"]
        and "a record" not in mark.problem["what"]
    )
    assert not fetching.due(Sources.model_validate(yaml.safe_load(declared.read_text())).pulls[0], at=NOW)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((302, {"Location": "http://elsewhere.invalid/x"}, b""), "另一台主机"),
        ((500, {}, b""), "返回 500"),
        ((200, {"Content-Length": "100"}, b"short"), "传输中断"),
        ((200, {}, b"x" * 5000), "超过 1000 字节"),
    ],
)
def test_what_goes_wrong_is_told_and_tried_again_with_pauses(bureau, monkeypatch, answer, said):
    from ingestion.exchange.limits import LIMITS

    small = LIMITS.model_copy(update={"pull_bytes": LIMITS.pull_bytes.model_copy(update={"value": 1000})})
    monkeypatch.setattr(pulls, "LIMITS", small)
    bureau.answer = lambda path, headers: answer
    source = pull(bureau)
    at = NOW
    for failures in (1, 2, 3):
        assert go(source, at=at) is None
        mark = SourceMark.objects.get()
        assert mark.failures == failures and said in mark.problem["what"] and mark.problem["cure"]
        pause = timedelta(seconds=30 * 2 ** (failures - 1))
        assert not fetching.due(source, at=at + pause - timedelta(seconds=1))
        at += pause
        assert fetching.due(source, at=at)
    assert Delivery.objects.using("intake").count() == 0


def test_a_redirect_on_the_same_host_is_followed(bureau):
    def answer(path: str, headers: dict[str, str]):  # type: ignore[no-untyped-def]
        return (301, {"Location": "/new"}, b"") if path == "/pensions" else (200, {}, payments(1))

    bureau.answer = answer
    assert go(pull(bureau)) is not None


@pytest.fixture
def view(database, services, monkeypatch) -> Iterator[tuple[View, Any]]:
    """A view in another database of the cluster, read by a role that may only read."""
    agreements()
    owner = psycopg2.connect(services.postgres.dsn())
    owner.autocommit = True
    cursor = owner.cursor()
    cursor.execute("drop database if exists bureau")
    cursor.execute("create database bureau")
    inside = psycopg2.connect(services.postgres.dsn("bureau"))
    inside.autocommit = True
    lines = inside.cursor()
    lines.execute(
        "create table rolls (姓名 text, id_no text, 险种类型 text, 发放月份 text, amount numeric, status text, division text,"
        " changed timestamptz)"
    )
    lines.execute("create view rolls_v as select * from rolls")
    monkeypatch.setenv("BUREAU_DSN", services.postgres.dsn("bureau"))
    yield None, lines  # type: ignore[misc]
    inside.close()
    cursor.execute("drop database bureau with (force)")
    owner.close()


def test_a_view_is_read_from_the_high_water_mark_on(view):
    from functools import partial

    from ingestion.selectors import catalog

    _, lines = view
    feed = catalog()[PAY]
    header = {c.name: c.headers[0] for c in feed.delivered}
    columns = {
        "姓名": header["person_name"], "id_no": header["citizen_id"], "险种类型": header["insurance_type"],
        "发放月份": header["pay_month"], "amount": header["amount_cny"], "status": header["pay_status"],
        "division": header["division_code"],
    }  # fmt: skip
    source = View(code="hr_view", feed=PAY, dsn="env:BUREAU_DSN", view="public.rolls_v", high_water="changed",
                  every_minutes=10, columns=columns, overlap_minutes=5)  # fmt: skip

    def add(serial: int, minute: int) -> None:
        lines.execute(
            "insert into rolls values ('赵样本', %s, '170', '2026-09', 100.50, '正常', '532301', %s::timestamptz)",
            [citizen(serial), f"2026-11-20 08:{minute:02d}:00+08"],
        )

    def look():  # type: ignore[no-untyped-def]
        found = fetching.run(source, partial(views.fetch, source), way=Delivery.Way.VIEW, at=NOW)
        work(HR)
        return found

    assert look() is None, "an empty view delivers nothing"
    add(1, 0)
    add(2, 1)
    assert look() is not None
    assert (Batch.objects.using("intake").get().loaded, Batch.objects.using("intake").get().quarantined) == (
        2,
        0,
    )
    assert look() is None, "nothing new"
    # A late commit within the overlap is found; what was there is unchanged.
    add(3, 0)
    add(4, 9)
    assert look() is not None
    second = Batch.objects.using("intake").order_by("-pk").first()
    assert (second.received, second.loaded, second.unchanged) == (4, 2, 2)
    assert SourceMark.objects.get().mark["high"].startswith("2026-11-20 08:09")
    # As many rows under one mark as are read at a time: told, instead of standing still without a word.
    lines.execute(
        "insert into rolls select 姓名, id_no, 险种类型, 发放月份, amount, status, division, '2026-11-20 08:09+08' from rolls"
    )
    small = source.model_copy(update={"rows": 3})
    fetching.run(small, partial(views.fetch, small), way=Delivery.Way.VIEW, at=NOW)
    assert "无法前进" in SourceMark.objects.get().problem["what"]


def test_a_view_that_cannot_be_read_says_so_without_its_password(view, monkeypatch):
    from functools import partial

    source = View(
        code="hr_view",
        feed=PAY,
        dsn="env:BUREAU_DSN",
        view="nothing_there",
        high_water="changed",
        every_minutes=10,
    )
    for change, said in (
        (None, "42P01"),
        ("postgresql://u:topsecret@/nowhere?host=/nonexistent", "无法连接"),
        ("", "取不到值"),
    ):
        if change is not None:
            monkeypatch.setenv("BUREAU_DSN", change) if change else monkeypatch.delenv("BUREAU_DSN")
        fetching.run(source, partial(views.fetch, source), way=Delivery.Way.VIEW, at=NOW)
        problem = SourceMark.objects.get().problem
        assert said in problem["what"] and "topsecret" not in json.dumps(problem)
