"""Files as agencies write them, the folder they lie in, and the manifest of their order."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from chuxiong.demo import layout
from chuxiong.demo.defects import Fault, Places, Row, plant
from chuxiong.demo.plan import Plan
from chuxiong.demo.truth import Truth
from chuxiong.demo.workbook import Sheet as Sheet
from chuxiong.demo.workbook import runs, write_workbook

_SLICE = 50_000
_SEPARATORS = {"csv": ",", "tsv": "\t", "bar": "|", "semicolon": ";"}


@dataclass
class Deliveries:
    """Writes files below ``out`` and keeps the manifest; ``rows`` by feed counts data rows."""

    plan: Plan
    out: Path
    today: date
    truth: Truth
    rows: dict[str, int] = field(default_factory=dict)
    _manifest: list[dict[str, Any]] = field(default_factory=list)
    _sequence: dict[int, int] = field(default_factory=dict)

    # ---- whole files -------------------------------------------------------------------------

    def csv_frame(
        self,
        feed: str,
        frame: pl.DataFrame,
        *,
        day: int,
        period: str,
        covers: date,
        encoding: str,
        free: Sequence[int] = (),
        faults: bool = False,
        places: Places | None = None,
        snapshot: bool = False,
        unfit: Sequence[str] = (),
    ) -> Path:
        """A CSV of a frame of text columns under the agency's headers; ``free``: rows that may carry faults."""
        path = self._place(feed, day, period, "csv")
        planted: list[Fault] = []
        if faults and places:
            frame, planted = self._spoil_frame(feed, frame, free, places, unfit, day)
        with path.open("wb") as sink:
            for start in range(0, max(frame.height, 1), _SLICE):
                text = frame.slice(start, _SLICE).write_csv(include_header=start == 0, line_terminator="\r\n")
                sink.write(text.encode(encoding))
        self._note(feed, path, planted, header_rows=1)
        self._enter(feed, path, day, period, covers, frame.height, snapshot)
        return path

    def csv_rows(
        self,
        feed: str,
        rows: list[Row],
        *,
        day: int,
        period: str,
        covers: date,
        encoding: str,
        free: list[int] | None = None,
        places: Places | None = None,
        snapshot: bool = False,
        separator: str = ",",
    ) -> Path:
        path = self._place(feed, day, period, "csv" if separator in ",;" else "txt")
        rows, planted = self._spoil_rows(feed, rows, free, places, day)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n", delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
        path.write_bytes(text.getvalue().encode(encoding))
        self._note(feed, path, planted, header_rows=1)
        self._enter(feed, path, day, period, covers, len(rows), snapshot)
        return path

    def json_lines(
        self,
        feed: str,
        rows: list[Row],
        *,
        day: int,
        period: str,
        covers: date,
        free: list[int] | None = None,
        places: Places | None = None,
        snapshot: bool = False,
    ) -> Path:
        path = self._place(feed, day, period, "jsonl")
        rows, planted = self._spoil_rows(feed, rows, free, places, day)
        with path.open("w", encoding="utf-8", newline="\n") as sink:
            for row in rows:
                sink.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._note(feed, path, planted, header_rows=0)
        self._enter(feed, path, day, period, covers, len(rows), snapshot)
        return path

    def workbook(
        self,
        feed: str,
        rows: list[Row],
        sheet: Sheet,
        *,
        day: int,
        period: str,
        covers: date,
        free: list[int] | None = None,
        places: Places | None = None,
        snapshot: bool = False,
    ) -> Path:
        """An XLSX with text cells, apart from values that are numbers already (planted faults)."""
        path = self._place(feed, day, period, "xlsx")
        rows, planted = self._spoil_rows(feed, rows, free, places, day)
        merged = runs(rows, sheet)
        lost = {fault.at for fault in planted if fault.expected == "quarantined"}
        for first, last, column in merged:
            header = list(rows[0])[column]
            for at in sorted(set(range(first + 1, last + 1)) - lost):
                place = at + 1 + sheet.header_rows
                self.truth.defect(
                    feed, self._name(path), place, "D15", "mended", header, str(rows[at][header])
                )
        write_workbook(path, list(rows[0]), [list(row.values()) for row in rows], sheet, merged)
        self._note(feed, path, planted, header_rows=sheet.header_rows)
        name = self._name(path)
        if sheet.title or sheet.groups:
            self.truth.defect(feed, name, sheet.header_rows, "D10", "mended")
        for number in range(len(sheet.footer)):
            self.truth.defect(feed, name, sheet.header_rows + len(rows) + 1 + number, "D11", "mended")
        self._enter(feed, path, day, period, covers, len(rows), snapshot)
        return path

    def html_as_xls(self, feed: str, rows: list[Row], *, day: int, period: str, covers: date) -> Path:
        """A web page named .xls (D28): refused as a whole, so its rows are not counted."""
        path = self._place(feed, day, period, "xls")
        body = "".join("<tr>" + "".join(f"<td>{v}</td>" for v in row.values()) + "</tr>" for row in rows)
        head = "".join(f"<th>{h}</th>" for h in rows[0])
        path.write_text(f"<html><body><table><tr>{head}</tr>{body}</table></body></html>", encoding="utf-8")
        self.truth.defect(feed, self._name(path), 0, "D28", "refused")
        self._enter(feed, path, day, period, covers, 0, snapshot=False)
        return path

    def table(
        self,
        feed: str,
        rows: list[Row],
        *,
        day: int = 0,
        period: str,
        covers: date,
        faults: bool = True,
        snapshot: bool = False,
        spare: Callable[[Row], bool] | None = None,
        lacks: Sequence[str] = (),
        adds: Mapping[str, str] | None = None,
    ) -> Path:
        """Rows under catalogue names in the agency's own layout (``layouts.yaml``).

        ``spare``: rows that must stay clean, because a planted case rests on them. ``lacks`` and ``adds``: columns
        (by name) that this delivery drops, headers that it adds: a layout that drifted.
        """
        form, columns = layout.layouts()[feed], layout.catalogue()[feed].delivered
        heads = {c.name: layout.header(c, form) for c in columns if c.name not in lacks}
        free = [at for at, row in enumerate(rows) if not (spare and spare(row))] if faults else None
        listed: list[Row] = [
            {h: row.get(name, "") for name, h in heads.items()} | dict(adds or {}) for row in rows
        ]
        places = layout.places_of(feed)
        options: Any = {"day": day, "period": period, "covers": covers, "free": free, "places": places}
        if form.kind == "jsonl":
            return self.json_lines(feed, listed, **options, snapshot=snapshot)
        if form.kind == "xlsx":
            sheet = Sheet(form.title, form.groups, form.footer, tuple(heads[name] for name in form.merged))
            return self.workbook(feed, listed, sheet, **options, snapshot=snapshot)
        return self.csv_rows(
            feed,
            listed,
            **options,
            encoding=form.encoding,
            snapshot=snapshot,
            separator=_SEPARATORS[form.kind],
        )

    def write_manifest(self) -> int:
        """``manifest.jsonl`` in the order of delivery; returns the number of files."""
        self._manifest.sort(key=lambda line: (line["day"], line["seq"]))
        with (self.out / "manifest.jsonl").open("w", encoding="utf-8", newline="\n") as sink:
            for order, line in enumerate(self._manifest, start=1):
                sink.write(json.dumps({"order": order, **line}, ensure_ascii=False) + "\n")
        return len(self._manifest)

    @property
    def last_file(self) -> str:
        """The name of the file written last, as in the manifest."""
        return str(self._manifest[-1]["file"])

    # ---- parts -------------------------------------------------------------------------------

    def _place(self, feed: str, day: int, period: str, extension: str) -> Path:
        agency = layout.catalogue()[feed].agency.code
        self._sequence[day] = self._sequence.get(day, 0) + 1
        folder = f"{self.today + timedelta(days=day):%Y%m%d}_{self._sequence[day]:03d}"
        name = layout.layouts()[feed].name.format(period=period)
        path = self.out / folder / agency / f"{name}.{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _name(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()

    def _enter(
        self, feed: str, path: Path, day: int, period: str, covers: date, rows: int, snapshot: bool
    ) -> None:
        number = layout.agencies().index(layout.catalogue()[feed].agency.code) + 1
        self.rows[feed] = self.rows.get(feed, 0) + rows
        self._manifest.append(
            {
                "day": day,
                "seq": self._sequence[day],
                "feed": feed,
                "file": self._name(path),
                "period": period,
                "covers_until": covers.isoformat(),
                "snapshot": snapshot,
                "rows": rows,
                "agreement": f"演示协议-{number:03d}",
            }
        )

    def _note(self, feed: str, path: Path, faults: Iterable[Fault], *, header_rows: int) -> None:
        for fault in faults:
            place = fault.at + 1 + header_rows
            self.truth.defect(
                feed, self._name(path), place, fault.code, fault.expected, fault.column, fault.clean
            )

    def _wanted(self, feed: str, day: int) -> tuple[dict[str, int], Any]:
        return self.plan.defects(feed), self.plan.draw(f"defects {feed} {day} {self._sequence[day]}")

    def _spoil_rows(
        self, feed: str, rows: list[Row], free: list[int] | None, places: Places | None, day: int
    ) -> tuple[list[Row], list[Fault]]:
        if not rows:
            raise ValueError(f"{feed}: 没有可写的行")
        if not free or not places:
            return rows, []
        wanted, draw = self._wanted(feed, day)
        return plant(feed, rows, free, wanted, places, draw)

    def _spoil_frame(
        self,
        feed: str,
        frame: pl.DataFrame,
        free: Sequence[int],
        places: Places,
        unfit: Sequence[str],
        day: int,
    ) -> tuple[pl.DataFrame, list[Fault]]:
        """The same for a frame: a sample of free rows is spoiled and put back, copies are appended."""
        wanted, draw = self._wanted(feed, day)
        wanted = {code: count for code, count in wanted.items() if code not in unfit}
        size = min(len(free), 40 * sum(wanted.values()))
        sample = sorted(draw.choice(list(free), size, replace=False).tolist())
        before = frame[sample].rows(named=True)
        rows, faults = plant(feed, [dict(r) for r in before], list(range(size)), wanted, places, draw)
        for column in frame.columns:
            changed = [i for i in range(size) if rows[i][column] != before[i][column]]
            if changed:
                values = frame[column].scatter(
                    [sample[i] for i in changed], [rows[i][column] for i in changed]
                )
                frame = frame.with_columns(values.alias(column))
        height = frame.height
        if len(rows) > size:
            frame = pl.concat([frame, pl.DataFrame(rows[size:], schema=frame.schema)])
        moved = [replace(f, at=sample[f.at] if f.at < size else height + f.at - size) for f in faults]
        return frame, moved
