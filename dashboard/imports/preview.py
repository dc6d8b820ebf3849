"""What was read of a file, drawn for the page: columns to choose, problems with reason and cure, the first rows."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.desk.page import pick
from dashboard.imports.words import reason_said, why_words
from ingestion import selectors as ingestion
from ingestion.catalog.spec import FeedSpec
from ingestion.imports.columns import NOT_TAKEN
from ingestion.imports.selectors import not_covered
from ingestion.intake.normalising import Reason
from ingestion.models import ManualImport


def drawn(manual: ManualImport, document: dict[str, Any], typed: list[str] | None) -> dict[str, Any]:
    """Template context of a file whose feed is to be chosen or whose columns are."""
    context: dict[str, Any] = {
        "layout": {
            "sheet": document["sheet"],
            "header_row": document["header_row"],
            "encoding": {"utf-8": "UTF-8", "gb18030": "GB18030"}.get(
                document["encoding"], document["encoding"].upper()
            ),
            "columns": len(document["headers"]),
        }
    }
    if manual.state == ManualImport.State.CHOOSING:
        context["candidates"] = [_candidate(c) for c in document["candidates"]]
        context["found"] = list(zip(document["headers"], document["samples"], strict=False))
        return context
    feed = ingestion.catalog()[manual.feed]
    barred = not_covered(feed, on=timezone.localdate())
    chosen = list(manual.choices or [])
    shown = typed if typed is not None and len(typed) == len(chosen) else chosen
    lines = [
        _column(i, header, document, feed, shown[i], barred) for i, header in enumerate(document["headers"])
    ]
    missing = [c for c in feed.columns if c.required and c.name not in chosen]
    barred_chosen = [c for c in feed.delivered if c.name in barred and c.name in chosen]
    context |= {
        "feed": feed,
        "columns": lines,
        "options": _options(feed, barred),
        "undecided": sum(not c for c in chosen),
        "doubtful": sum(line["look"] == "soon" or not line["chosen"] for line in lines),
        "missing": [pick(c.zh, c.en) for c in missing],
        "barred": [pick(c.zh, c.en) for c in barred_chosen],
        "others": [_candidate(c) for c in document["others"][:1] if _fits_better(c, document, manual)],
        "problems": [_problem(p, document) for p in document["problems"]],
        "rows": [_row(r, document) for r in document["rows"]],
        "wrong": [_row(r, document) for r in document["wrong"]],
        "new_aliases": sum(
            bool(c) and c != p["choice"] for c, p in zip(chosen, document["proposals"], strict=True)
        ),
        "good": manual.tally["received"] - manual.tally["quarantined"],
    }
    return context


def _fits_better(other: dict[str, Any], document: dict[str, Any], manual: ManualImport) -> bool:
    """Another feed has more of the headers, and no more required columns are missing there."""
    own = sum(p["why"] in ("same", "variant", "alias") for p in document["proposals"])
    return other["hits"] > own and len(other["missing"]) <= manual.tally["missing"]


def _candidate(found: dict[str, Any]) -> dict[str, Any]:
    feed = ingestion.catalog()[found["feed"]]
    lacking = [pick(feed.column(n).zh, feed.column(n).en) for n in found["missing"]]
    fits = _("%(headers)s 个表头中 %(hits)s 个相符") % {"headers": found["headers"], "hits": found["hits"]}
    if lacking:
        rest = _("缺必填列：%(columns)s") % {"columns": pick("、", ", ").join(lacking[:4])}
    else:
        rest = _("必填列 %(n)s 个齐全") % {"n": found["required"]}
    return {
        "code": feed.code,
        "title": pick(feed.title.zh, feed.title.en),
        "agency": pick(feed.agency.zh, feed.agency.en),
        "reason": f"{fits}{pick('，', ', ')}{rest}",
    }


def _options(feed: FeedSpec, barred: set[str]) -> list[dict[str, Any]]:
    named = [
        {"name": c.name, "words": pick(c.zh, c.en), "required": c.required, "barred": c.name in barred}
        for c in feed.delivered
    ]
    return sorted(named, key=lambda o: not o["required"])


def _column(
    i: int, header: str, document: dict[str, Any], feed: FeedSpec, chosen: str, barred: set[str]
) -> dict[str, Any]:
    proposal = document["proposals"][i]
    look, words = why_words(proposal, feed)
    by_hand = bool(chosen) and chosen != proposal["choice"]
    if by_hand:
        look, words = "good", _("手工选择")
    if chosen in barred:
        look, words = "warn", _("协议未约定，不能接收")
    hint = "" if chosen else str(proposal["hint"])
    hinted = next((pick(c.zh, c.en) for c in feed.delivered if c.name == hint), "")
    return {
        "place": i + 1,
        "header": header,
        "samples": document["samples"][i] if i < len(document["samples"]) else [],
        "chosen": chosen,
        "look": look,
        "why": words,
        "hint": hint,
        "hinted": _("不接收") if hint == NOT_TAKEN else hinted,
        "wrong": sum(p["rows"] for p in document["problems"] if p["column"] == i and p["fails"]),
    }


def _problem(found: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reason, cure = reason_said(Reason[found["reason"].upper()])
    header = document["headers"][found["column"]] if found["column"] >= 0 else ""
    return {
        "header": header,
        "reason": reason,
        "cure": cure,
        **{k: found[k] for k in ("rows", "first", "fails")},
    }


def _row(row: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    marks: dict[int, dict[str, Any]] = {}
    said = []
    for place, code, fails in row["marks"]:
        reason, cure = reason_said(Reason[code.upper()])
        marks[place] = {"fails": fails, "reason": reason}
        header = document["headers"][place] if place >= 0 else ""
        said.append({"header": header, "reason": reason, "cure": cure, "fails": fails})
    return {
        "no": row["no"],
        "torn": row["torn"],
        "left_out": row["left_out"],
        "fails": any(s["fails"] for s in said),
        "cells": [{"text": text, "mark": marks.get(i)} for i, text in enumerate(row["cells"])],
        "said": said,
    }
