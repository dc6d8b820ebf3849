"""Reads an uploaded file through, as intake will, without taking anything in: what fits, what does not, and where.

Runs as a job on the intake connection. The file is opened by the capped reader; what is kept of it for the page is
masked and sealed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import polars as pl
from django.db import transaction
from django.utils import timezone

from chuxiong.audit.record import without_identifiers
from chuxiong.kit.problems import Problem
from chuxiong.work.bell import publish
from ingestion.catalog.spec import Column, FeedSpec
from ingestion.imports import columns, files
from ingestion.imports.bounds import bounds
from ingestion.imports.masking import masked, shown
from ingestion.imports.registered import aliases_of
from ingestion.intake.normalising import Mapping, Normalised, normalise
from ingestion.intake.reading import Limits, Refused, Table, read_table
from ingestion.intake.receive import standing
from ingestion.models import ImportFile, ManualImport
from ingestion.selectors import catalog

ALIAS = "intake"
State = ManualImport.State


class Superseded(Exception):
    """Somebody has chosen anew or cancelled: this check is no longer wanted."""


def check(manual_id: int, revision: int) -> None:
    """Check one upload; a check that was asked for again since, or is done, is left alone."""
    manual = (
        ManualImport.objects.using(ALIAS)
        .filter(pk=manual_id, revision=revision, state=State.CHECKING)
        .first()
    )
    if manual is None:
        return
    file = ImportFile.objects.using(ALIAS).get(manual_id=manual_id)
    try:
        if manual.feed and (earlier := standing(manual.feed, manual.digest)):
            _end(manual, state=State.REPEATED, batch=earlier, ended_at=timezone.now())
            return
        if manual.feed:
            _check_feed(manual, file, catalog()[manual.feed])
        else:
            _find_feed(manual, file)
    except Refused as refusal:
        _end(manual, state=State.UNREADABLE, problem=told(refusal.problem))
    except Superseded:
        return


def give_up(manual_id: int, revision: int, *, error: str) -> None:
    """The check failed for good: its uploader learns of it. ``error``: type and place, no message."""
    manual = ManualImport.objects.using(ALIAS).get(pk=manual_id)
    manual.revision = revision
    problem = Problem(
        manual.file_name,
        f"多次检查均未成功（{error}）",
        "文件未入库。请另存为 CSV 或 XLSX 后重新上传；仍不成的，请系统管理员按出错位置排除。",
        f"It failed every time it was checked ({error})",
        "Nothing of it was imported. Save it as CSV or XLSX and upload it again; if that fails too, ask a system administrator.",
    )
    with suppress(Superseded):
        _end(manual, state=State.UNREADABLE, problem=told(problem))


def told(problem: Problem) -> dict[str, str]:
    """A problem as it is kept: what it quotes of a file holds no number of a person."""
    parts = vars(problem)
    return {name: without_identifiers(masked(text)) for name, text in parts.items()}


def _end(manual: ManualImport, **changes: Any) -> None:
    """Write the outcome of this check, unless it has been overtaken."""
    with transaction.atomic(using=ALIAS):
        wanted = ManualImport.objects.using(ALIAS).filter(
            pk=manual.pk, revision=manual.revision, state=State.CHECKING
        )
        if not wanted.update(**changes):
            raise Superseded
        if changes["state"] == State.REPEATED:
            files.destroy(manual, using=ALIAS)
        transaction.on_commit(lambda: publish("import", manual=manual.pk), using=ALIAS)


def _keep(manual: ManualImport, file: ImportFile, document: dict[str, Any], progress: int) -> None:
    """Put the preview beside the file; it is only ever read by the uploader."""
    with transaction.atomic(using=ALIAS):
        wanted = ManualImport.objects.using(ALIAS).filter(
            pk=manual.pk, revision=manual.revision, state=State.CHECKING
        )
        if not wanted.update(progress=progress):
            raise Superseded
        ImportFile.objects.using(ALIAS).filter(pk=file.pk).update(preview=files.seal(document, file))


# ---- which feed -------------------------------------------------------------------------------


def _opened(manual: ManualImport, file: ImportFile, known: FeedSpec) -> Table:
    return read_table(
        files.path_of(file.store), known, limits=Limits(), name=manual.file_name, key=files.key_of(file)
    )


def _find_feed(manual: ManualImport, file: ImportFile) -> None:
    table = _opened(manual, file, columns.every_header(catalog()))
    try:
        first = next(iter(table.chunks()), None)
    finally:
        table.close()
    found = [asdict(c) for c in columns.candidates(table.headers, catalog())]
    document = {
        **_layout(table),
        "samples": _samples(first, table.headers, {}) if first is not None else [],
        "candidates": found,
    }
    _keep(manual, file, document, 0)
    _end(manual, state=State.CHOOSING, tally={"columns": len(table.headers), "header_row": table.header_row})


def _layout(table: Table) -> dict[str, Any]:
    return {
        "headers": [masked(h)[: bounds().cell_characters] for h in table.headers],
        "header_row": table.header_row,
        "sheet": table.sheet,
        "encoding": table.encoding,
    }


def _samples(chunk: pl.DataFrame, headers: Sequence[str], by_header: dict[str, Column]) -> list[list[str]]:
    """A few different values of each column."""
    most = bounds().samples
    head = chunk.head(500)
    return [
        [
            shown(v, by_header.get(h))
            for v in head[h].drop_nulls().unique(maintain_order=True).head(most).to_list()
        ]
        for h in headers
    ]


# ---- how the file fits its feed --------------------------------------------------------------------


def _check_feed(manual: ManualImport, file: ImportFile, feed: FeedSpec) -> None:
    aliases = aliases_of(feed.code, using=ALIAS)
    table = _opened(manual, file, columns.with_aliases(feed, aliases))
    try:
        _read_through(manual, file, table, feed, aliases)
    finally:
        table.close()


def _read_through(
    manual: ManualImport, file: ImportFile, table: Table, feed: FeedSpec, aliases: list[columns.Registered]
) -> None:
    headers = table.headers
    proposals = columns.propose(headers, feed, aliases)
    choices = [p.choice for p in proposals]
    mark = columns.fingerprint(headers, table.header_row)
    if manual.choices is not None and manual.tally.get("fingerprint") == mark:
        choices = manual.choices
    mapping = columns.mapping_of(headers, choices, feed)
    document = {
        **_layout(table),
        "proposals": [
            {
                "why": p.why,
                "choice": p.choice,
                "hint": p.hint,
                "by": p.registered.made_by_name if p.registered else "",
                "uses": p.registered.uses if p.registered else 0,
            }
            for p in proposals
        ],
        "others": [asdict(c) for c in columns.candidates(headers, catalog()) if c.feed != feed.code],
    }
    found = _Findings(table, feed, mapping)
    for chunk in table.chunks():
        found.add(chunk, timezone.localdate(manual.created_at))
        _keep(manual, file, {**document, **found.document()}, found.received)
    _keep(manual, file, {**document, **found.document()}, found.received)
    _end(
        manual,
        state=State.READY,
        choices=choices,
        tally={
            "columns": len(headers),
            "undecided": sum(not c for c in choices),
            "missing": len(mapping.missing),
            "received": found.received,
            "blank": found.blank,
            "quarantined": found.quarantined,
            "header_row": table.header_row,
            "fingerprint": mark,
        },
    )


class _Findings:
    """What the chunks add up to: counts of every problem, the first rows, and rows in which something is wrong."""

    def __init__(self, table: Table, feed: FeedSpec, mapping: Mapping) -> None:
        self.headers, self.feed, self.mapping = table.headers, feed, mapping
        self.columns = {h: feed.column(name) for h, name in mapping.columns.items()}
        self.received = self.blank = self.quarantined = 0
        self.samples: list[list[str]] = []
        self.first: list[dict[str, Any]] = []
        self.wrong: list[dict[str, Any]] = []
        self.rows: Counter[tuple[str, str, bool]] = Counter()
        self.row_of: dict[tuple[str, str, bool], int] = {}

    def add(self, chunk: pl.DataFrame, on: Any) -> None:
        if chunk.is_empty():
            return
        if self.mapping.columns:
            result = normalise(chunk, self.feed, self.mapping, received_on=on)
        else:
            result = self._unmatched(chunk)
        bad_rows = result.bad["row_no"].n_unique()
        self.received += chunk.height - result.blank
        self.blank += result.blank
        self.quarantined += bad_rows
        for frame, fails in ((result.bad, True), (result.notes, False)):
            counted = frame.group_by("column", "reason", maintain_order=True).agg(
                pl.len(), pl.col("row_no").min()
            )
            for column, reason, rows, first in counted.iter_rows():
                self.rows[column, reason, fails] += rows
                self.row_of.setdefault((column, reason, fails), first)
        if not self.samples:
            self.samples = _samples(chunk, self.headers, self.columns)
        self._show(chunk, result)

    def _unmatched(self, chunk: pl.DataFrame) -> Normalised:
        """Not one column is known yet: every row that holds something waits for a person, nothing is wrong with it."""
        filled = chunk.select(pl.any_horizontal(pl.col(*self.headers, "ragged").is_not_null())).to_series()
        none = pl.DataFrame(
            schema={"row_no": pl.Int64, "column": pl.String, "reason": pl.String, "raw": pl.String}
        )
        return Normalised(
            good=chunk.filter(filled).select("row_no"), bad=none, blank=int((~filled).sum()), notes=none
        )

    def _show(self, chunk: pl.DataFrame, result: Normalised) -> None:
        limit = bounds()
        early = chunk.head(max(0, limit.first_rows - len(self.first)))
        known = {row["no"] for row in self.first} | set(early["row_no"].to_list())
        open_places = limit.problem_rows - len(self.wrong)
        failing = result.bad["row_no"].unique(maintain_order=True)
        later = failing.filter(~failing.is_in(list(known))).head(max(0, open_places))
        wanted = pl.concat([early["row_no"], later])
        if not len(wanted):
            return
        marks: dict[int, list[list[Any]]] = {}
        for frame, fails in ((result.bad, True), (result.notes, False)):
            for row in frame.filter(pl.col("row_no").is_in(wanted.to_list())).iter_rows(named=True):
                place = self.headers.index(row["column"]) if row["column"] else -1
                marks.setdefault(row["row_no"], []).append([place, row["reason"], fails])
        kept = set(result.good.filter(pl.col("row_no").is_in(wanted.to_list()))["row_no"].to_list())
        for row in chunk.filter(pl.col("row_no").is_in(wanted.to_list())).iter_rows(named=True):
            number = row["row_no"]
            drawn = {
                "no": number,
                "cells": [shown(row[h], self.columns.get(h)) for h in self.headers],
                "marks": marks.get(number, []),
                "torn": masked(row["ragged"])[:200] if row.get("ragged") else "",
                "left_out": number not in kept and number not in marks,
            }
            (self.first if number in known else self.wrong).append(drawn)

    def document(self) -> dict[str, Any]:
        problems = [
            {
                "column": self.headers.index(column) if column else -1,
                "reason": reason,
                "fails": fails,
                "rows": rows,
                "first": self.row_of[column, reason, fails],
            }
            for (column, reason, fails), rows in self.rows.most_common()
        ]
        return {
            "samples": self.samples or [[] for _ in self.headers],
            "rows": self.first,
            "wrong": self.wrong,
            "problems": sorted(problems, key=lambda p: not p["fails"]),
        }
