"""Malformed and hostile files: none crashes the intake, every row is accounted for, every refusal says place and cure."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import secrets
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from django.db import connections

from ingestion.catalog.load import load_catalog
from ingestion.intake.normalising import Reason, map_headers, normalise
from ingestion.intake.reading import Limits
from tests import malformed
from tests.ingestion import forked_reader
from tests.prefecture import agreements, bring, citizen, payment, sheet

ROOT = Path(__file__).resolve().parents[2]
CATALOG = load_catalog(ROOT / "ingestion" / "feeds")
CAPS = Limits(memory=1 << 30, cpu_seconds=20, wall_seconds=60)
CODES = {reason.code for reason in Reason}
PAYMENTS = "hr_pension_payment"


class Reader:
    """``forked_reader`` as a process; answers are refusals (a dict) or a layout and its chunks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, forked_reader.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "LC_ALL": "C.UTF-8",
                "OPENBLAS_NUM_THREADS": "1",
                "ARROW_NUM_THREADS": "1",
            },
        )

    def read(
        self, content: bytes, accepted: list[str]
    ) -> tuple[dict[str, Any], list[pl.DataFrame], dict[str, Any]]:
        paths = {name: self.folder / name for name in ("file", "out", "said")}
        paths["file"].write_bytes(content)
        request = {"path": str(paths["file"]), "accepted": accepted, "limits": vars(CAPS)}
        request |= {"out": str(paths["out"]), "said": str(paths["said"])}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        ended = json.loads(self.process.stdout.readline())
        if ended["code"]:
            return {"code": ended["code"], **_json(paths["said"].read_bytes())}, [], ended
        head, _, stream = paths["out"].read_bytes().partition(b"\n")
        layout = json.loads(head)
        names = {f"c{i}": header for i, header in enumerate(layout["headers"])}
        with pa.ipc.open_stream(io.BytesIO(stream)) as batches:
            frames = [pl.DataFrame(pl.from_arrow(pa.Table.from_batches([b]))).rename(names) for b in batches]
        return layout, frames, ended

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def _json(said: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(said))
    except ValueError:
        return {}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.end()


def _judge(reader: Reader, file: malformed.File) -> tuple[str, int]:
    """(read or refused, rows received); fails when a row is lost or a refusal says too little."""
    feed = CATALOG[file.feed]
    accepted = [h for column in feed.columns for h in column.headers] + list(feed.ignored_headers)
    layout, frames, _ = reader.read(file.content, accepted)
    if "code" in layout:
        assert layout["code"] == 3, (file.name, layout, "the reader crashed")
        assert layout["what"] and layout["cure"], file.name
        assert "读取程序出错" not in layout["what"], (file.name, layout)
        assert file.rows is None, (file.name, layout, "a sound table was refused")
        return "refused", 0
    headers = layout["headers"]
    assert len(set(headers)) == len(headers), file.name
    places = [place for frame in frames for place in frame["row_no"].to_list()]
    assert len(set(places)) == len(places), (file.name, "a row came twice")
    mapping = map_headers(headers, feed)
    if mapping.missing:  # the intake refuses it, naming the columns
        assert file.rows is None, (file.name, headers, mapping.missing)
        return "refused", 0
    received = 0
    for frame in frames:
        result = normalise(frame, feed, mapping, received_on=date(2026, 11, 20))
        bad = set(result.bad["row_no"].to_list())
        good = set(result.good["row_no"].to_list())
        assert not good & bad and good | bad <= set(frame["row_no"].to_list()), file.name
        assert len(good) == result.good.height, (file.name, "a row was taken in twice")
        assert result.good.height + len(bad) + result.blank == frame.height, (file.name, "a row was lost")
        assert set(result.bad["reason"].to_list()) <= CODES, file.name
        received += result.good.height + len(bad)
    assert file.rows is None or received == file.rows, (file.name, received, file.rows, headers)
    return "read", received


def _run(folder: Path, count: int, seed: int, most_rows: int = 12) -> dict[str, int]:
    """Two readers side by side, as a worker reads one file while it checks another."""
    found = {"read": 0, "refused": 0, "rows": 0}
    files = malformed.generate(CATALOG, count, seed=seed, most_rows=most_rows)

    def half(number: int) -> list[tuple[str, int]]:
        (folder / str(number)).mkdir(exist_ok=True)
        reader = Reader(folder / str(number))
        try:
            return [_judge(reader, file) for file in files[number::2]]
        finally:
            reader.end()

    with ThreadPoolExecutor(2) as pool:
        for outcome, rows in itertools.chain.from_iterable(pool.map(half, (0, 1))):
            found[outcome] += 1
            found["rows"] += rows
    print(f"seed {seed}: {found}")
    return found


def test_five_hundred_malformed_files(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print("seed", seed)
    found = _run(tmp_path, 500, seed, most_rows=6)
    assert found["read"] > 100 and found["refused"] > 100


def test_no_cell_stops_a_file() -> None:
    """Every odd cell in every column of every feed: each row is taken in, stands aside or is blank."""
    cells = [*malformed.WILD, *malformed.TOO_LARGE]
    for feed in CATALOG.values():
        headers = [column.headers[0] for column in feed.delivered]
        frame = pl.DataFrame(
            {**dict.fromkeys(headers, cells), "row_no": list(range(2, 2 + len(cells))), "ragged": [None] * len(cells)},
            schema={**dict.fromkeys(headers, pl.String), "row_no": pl.Int64, "ragged": pl.String},
        )  # fmt: skip
        result = normalise(frame, feed, map_headers(headers, feed), received_on=date(2026, 11, 20))
        bad = result.bad["row_no"].n_unique()
        assert result.good.height + bad + result.blank == len(cells), feed.code
        assert set(result.bad["reason"].to_list()) <= CODES, feed.code


@pytest.mark.drill
@pytest.mark.timeout(3600)
def test_ten_thousand_malformed_files_with_a_hundred_thousand_rows(tmp_path: Path) -> None:
    found = {"read": 0, "refused": 0, "rows": 0}
    for _ in range(10):
        seed = secrets.randbits(32)
        print("seed", seed)
        for name, value in _run(tmp_path, 1_000, seed, most_rows=50).items():
            found[name] += value
    assert found["read"] + found["refused"] == 10_000 and found["rows"] >= 100_000, found


def test_some_of_them_through_the_whole_intake(database: None) -> None:
    """Counts add up in the database, quarantined rows are kept, refused files leave nothing."""
    agreements()
    seed = secrets.randbits(32)
    print("seed", seed)
    live = {code: feed for code, feed in CATALOG.items() if feed.status == "live"}
    # A sound file first, so that the looks below have something to see whatever the seed.
    rows = [payment(citizen(1), "202609", "1e999999"), payment(citizen(2), "202609", "1")]
    sound = bring(PAYMENTS, sheet(PAYMENTS, rows))
    assert (sound.state, sound.received, sound.loaded, sound.quarantined) == ("landed", 2, 1, 1)
    states = [sound.state]
    for file in malformed.generate(live, 12, seed=seed):
        batch = bring(file.feed, io.BytesIO(file.content), name=file.name)
        states.append(batch.state)
        assert batch.state in ("landed", "held", "refused"), (file.name, batch.state)
        if batch.state != "landed":
            assert batch.problem["place"] and batch.problem["what"] and batch.problem["cure"], file.name
            continue
        assert batch.received == batch.loaded + batch.unchanged + batch.duplicate + batch.quarantined
        assert file.rows is None or batch.received == file.rows
        with connections["owner"].cursor() as cursor:
            cursor.execute("select count(*) from ingestion_quarantine where batch_id = %s", [batch.pk])
            assert cursor.fetchone() == (batch.quarantined,)
            cursor.execute("select count(*) from pg_tables where schemaname = 'staging'")
            assert cursor.fetchone() == (0,), "staging was left behind"
    assert len(states) == 13 and "landed" in states


def test_memory_does_not_grow_with_lines_of_json(reader: Reader) -> None:
    line = json.dumps(
        {"姓名": "赵样本", "公民身份号码": "1", "户口状态": "在籍", "备注": "甲" * 20}, ensure_ascii=False
    )
    last = json.dumps({"末列": "乙"}, ensure_ascii=False)
    peaks = []
    for count in (5_000, 120_000):
        layout, frames, ended = reader.read("\n".join([*[line] * count, last]).encode(), ["姓名"])
        assert sum(frame.height for frame in frames) == count + 1 and layout["headers"][-1] == "末列"
        assert frames[-1]["row_no"][-1] == count + 1 and frames[-1]["末列"][-1] == "乙"
        peaks.append(ended["memory"])
    # Held whole, they took a kilobyte each: more than a hundred megabytes here.
    assert peaks[1] - peaks[0] < 40 << 20, peaks


def test_uneven_records_keep_their_places_over_all_blocks(reader: Reader) -> None:
    draw = random.Random(secrets.randbits(32))
    uneven = [draw.random() < 0.6 for _ in range(120_000)]
    body = "".join("甲,1,在籍,多出的一格\n" if more else "甲,1,在籍\n" for more in uneven)
    _, frames, _ = reader.read(
        f"姓名,公民身份号码,户口状态\n{body}".encode(), ["姓名", "公民身份号码", "户口状态"]
    )
    found = pl.concat([frame.select("row_no", "ragged") for frame in frames]).sort("row_no")
    assert found["row_no"].to_list() == list(range(2, len(uneven) + 2))
    assert found["ragged"].is_not_null().to_list() == uneven


# ---- hostile files -----------------------------------------------------------------------------

_HEAD = b'<row r="1">' + b"".join(
    b'<c r="%s1" t="inlineStr"><is><t>%s</t></is></c>' % (place, text.encode())
    for place, text in ((b"A", "姓名"), (b"B", "公民身份号码"), (b"C", "户口状态"))
) + b"</row>"  # fmt: skip
_TAIL = b"</sheetData></worksheet>"


def _lying_zip() -> bytes:
    """A sheet that unpacks to 256 MiB while the directory says that it has a hundred bytes."""
    content = bytearray(malformed.sheet_of(malformed.SHEET + _HEAD + b" " * (256 << 20) + _TAIL))
    place = 0
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        directory = archive.start_dir
    while (place := content.find(b"PK\x01\x02", max(place, directory))) >= 0:
        length = struct.unpack_from("<H", content, place + 28)[0]
        if content[place + 46 : place + 46 + length] == b"xl/worksheets/sheet1.xml":
            struct.pack_into("<I", content, place + 24, 100)
        place += 4
    return bytes(content)


def _entities() -> bytes:
    names = "abcdefghij"
    lines = [f'<!ENTITY a "{"x" * 1000}">'] + [
        f'<!ENTITY {name} "{f"&{before};" * 20}">' for before, name in itertools.pairwise(names)
    ]
    row = b'<row r="1"><c r="A1" t="inlineStr"><is><t>&j;</t></is></c></row>'
    return f"<!DOCTYPE x [{''.join(lines)}]>".encode() + malformed.SHEET + row + _TAIL


def _far(place: str) -> bytes:
    row = int("".join(c for c in place if c.isdigit()))
    return b'<row r="%d"><c r="%s" t="inlineStr"><is><t>x</t></is></c></row>' % (row, place.encode())


_PASSWD = b'<!DOCTYPE x [<!ENTITY p SYSTEM "file:///etc/passwd">]>'
_HOSTILE: dict[str, tuple[bytes, str]] = {
    "zip bomb": (malformed.sheet_of(malformed.SHEET + b" " * (64 << 20)), "压缩炸弹"),
    "zip that lies about its size": (_lying_zip(), ""),
    "many parts": (malformed.sheet_of(malformed.SHEET + _TAIL, **{f"p{i}.xml": b"" for i in range(2100)}), "部件"),
    "far cell": (malformed.sheet_of(malformed.SHEET + _HEAD + _far("XFD1048576") + _TAIL), "远处"),
    "far column": (malformed.sheet_of(malformed.SHEET + _HEAD + _far("XFD2") + _TAIL), "远处"),
    "entity bomb": (malformed.sheet_of(_entities()), "XLSX"),
    "entity that reads a file": (malformed.sheet_of(_PASSWD + malformed.SHEET + _HEAD + _TAIL), "XLSX"),
    "macros": (malformed.sheet_of(malformed.SHEET + _TAIL, **{"xl/vbaProject.bin": b"x"}), "宏"),
    "a page called .xls": (b"<html><table><tr><td>x</td></tr></table></html>", "网页"),
    "an old workbook's head before nothing": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096), "XLS"),
    "a program": (b"MZ" + bytes(range(256)) * 64, ""),
    "ten thousand columns": (",".join(f"列{i}" for i in range(10_000)).encode() + b"\n" + b"," * 9_999, ""),
    "deep json": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "JSON"),
    "one endless line": (b"x" * (40 << 20), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(_HOSTILE))
def test_a_hostile_file_is_refused_within_its_caps(reader: Reader, name: str) -> None:
    content, says = _HOSTILE[name]
    feed = CATALOG["ps_population_death"]
    accepted = [h for column in feed.columns for h in column.headers]
    layout, _, ended = reader.read(content, accepted)
    assert ended["cpu"] < CAPS.cpu_seconds and ended["memory"] < CAPS.memory
    if "code" in layout:
        assert layout["code"] == 3 and layout["cure"], layout
        assert says in layout["what"] and "读取程序出错" not in layout["what"], layout
    else:
        # It opens as a table without harm; the intake refuses it because its columns are not the feed's.
        assert not says and map_headers(layout["headers"], feed).missing, layout


def test_names_that_lead_outside_and_formulas_do_nothing(reader: Reader, tmp_path: Path) -> None:
    """No member is ever extracted; a formula is text that ends in quarantine or in a cell, and is never computed."""
    outside = tmp_path.parent / "outside.txt"
    row = b'<row r="2"><c r="A2"><f>1+1</f></c><c r="B2" t="inlineStr"><is><t>=cmd|\' /C calc\'!A0</t></is></c></row>'
    sheet = malformed.sheet_of(
        malformed.SHEET + _HEAD + row + _TAIL, **{"../../outside.txt": b"x", "/outside.txt": b"x"}
    )
    layout, frames, _ = reader.read(sheet, ["姓名", "公民身份号码", "户口状态"])
    assert layout["headers"][:2] == ["姓名", "公民身份号码"]
    assert frames[0].rows()[0][:2] == (None, "=cmd|' /C calc'!A0")
    assert not outside.exists()
