"""What was planted: expected verdicts, planted defects, and what judgments say.

``truth.jsonl`` holds the final state, one object a line:

- verdict: ``{"rule", "class", "subject_kind", "subject", "bucket", "level", "why", "measures", "kind"}``;
  ``class`` is hit, near_miss, innocent, undecided or quarantined (its own row cannot be loaded, so no verdict).
- defect: ``{"feed", "file", "row", "defect", "expected"}``; ``row`` counts from 1 = first line of the file,
  0 = the whole file; ``expected`` is mended, quarantined, duplicate, kept, revised, told, refused or held. ``column``
  (the file's header) and ``clean`` (how the cell reads once mended, empty: nothing) where one cell was spoilt.
- ended: ``{"feed", "file", "ended"}``: how many records the whole list in this file ends.
- planned: as a verdict, with ``planned`` (a model of the catalogue that is not shipped yet) instead of ``rule``.
- alarm: ``{"alarm", "subject", "series", "day", "multiple"}``: readings above their limit that ask for somebody.
- judgment: ``{"judgment", "case_no", "measures"}``: amounts and orders stated in the text.

``truth.day0.jsonl`` and ``truth.day1.jsonl`` hold the verdicts as they stand after the deliveries of that day.
The clear identifiers stand in these files and nowhere else but the agencies' files.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

Class = Literal["hit", "near_miss", "innocent", "undecided", "quarantined"]
LAST_DAY = 2


@dataclass
class Truth:
    """Collects what the writers plant."""

    _verdicts: dict[tuple[str, str, str], dict[int, dict[str, Any]]] = field(default_factory=dict)
    _defects: list[dict[str, Any]] = field(default_factory=list)
    _judgments: list[dict[str, Any]] = field(default_factory=list)
    _alarms: list[dict[str, Any]] = field(default_factory=list)
    _planned: list[dict[str, Any]] = field(default_factory=list)
    _ended: list[dict[str, Any]] = field(default_factory=list)

    def expect(
        self,
        rule: str,
        kind: str,
        cls: Class | None,
        subject_kind: str,
        subject: str,
        why: str,
        measures: dict[str, Any] | None = None,
        *,
        bucket: str = "",
        from_day: int = 0,
    ) -> None:
        """The verdict that holds from ``from_day`` on. ``cls`` None: nothing is known of the subject yet."""
        line = {
            "rule": rule, "class": cls, "subject_kind": subject_kind, "subject": subject, "bucket": bucket,
            "level": None, "why": why, "measures": measures or {}, "kind": kind,
        }  # fmt: skip
        days = self._verdicts.setdefault((rule, subject, bucket), {})
        if from_day in days:
            raise ValueError(f"{rule} {kind}: 同一主体植入了两次（{days[from_day]['kind']}）")
        days[from_day] = line

    def defect(
        self,
        feed: str,
        file: str,
        row: int,
        code: str,
        expected: str,
        column: str = "",
        clean: str | None = None,
    ) -> None:
        line = {"feed": feed, "file": file, "row": row, "defect": code, "expected": expected}
        self._defects.append(line | ({"column": column, "clean": clean} if clean is not None else {}))

    def end(self, feed: str, file: str, count: int) -> None:
        """A whole list that no longer holds ``count`` records."""
        self._ended.append({"feed": feed, "file": file, "ended": count})

    def plan(
        self, model: str, kind: str, cls: str, subject_kind: str, subject: str, why: str, **measures: Any
    ) -> None:
        """A case for a model of the catalogue that is not shipped yet."""
        line = {
            "planned": model,
            "class": cls,
            "subject_kind": subject_kind,
            "subject": subject,
            "kind": kind,
        }
        self._planned.append(line | {"why": why, "measures": measures})

    def alarm(self, definition: str, subject: str, series: str, day: date, multiple: float) -> None:
        line = {"subject": subject, "series": series, "day": day.isoformat(), "multiple": multiple}
        self._alarms.append({"alarm": definition, **line})

    def judgment(self, doc_id: str, case_no: str, measures: dict[str, Any]) -> None:
        self._judgments.append({"judgment": doc_id, "case_no": case_no, "measures": measures})

    def verdicts(self, day: int) -> list[dict[str, Any]]:
        """The verdicts after the deliveries of ``day``, in the order planted."""
        found = []
        for days in self._verdicts.values():
            known = [d for d in days if d <= day]
            if known and (line := days[max(known)])["class"]:
                found.append(line)
        return found

    def classes(self) -> dict[str, dict[str, int]]:
        """Final cases by rule and class."""
        counts: dict[str, Counter[str]] = {}
        for line in self.verdicts(LAST_DAY):
            counts.setdefault(line["rule"], Counter())[line["class"]] += 1
        return {rule: dict(counter) for rule, counter in counts.items()}

    def planned_counts(self) -> dict[str, dict[str, int]]:
        counts: dict[str, Counter[str]] = {}
        for line in self._planned:
            counts.setdefault(line["planned"], Counter())[line["class"]] += 1
        return {model: dict(counter) for model, counter in sorted(counts.items())}

    def defect_counts(self) -> dict[str, int]:
        return dict(sorted(Counter(line["defect"] for line in self._defects).items()))

    def write(self, out: Path) -> None:
        for day in range(LAST_DAY):
            _lines(out / f"truth.day{day}.jsonl", self.verdicts(day))
        _lines(
            out / "truth.jsonl",
            [
                *self.verdicts(LAST_DAY),
                *self._defects,
                *self._judgments,
                *self._alarms,
                *self._ended,
                *self._planned,
            ],
        )


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as sink:
        for row in rows:
            sink.write(json.dumps(row, ensure_ascii=False) + "\n")
