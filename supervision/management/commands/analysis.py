"""``manage.py analysis enterprise-risk``: pictures of many cases, as a table or as JSON. Raises no clue."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from chuxiong.accounts.models import Office
from ingestion.selectors import catalog
from supervision.analyses.enterprise_risk import Analysis, Definition, definition
from supervision.analyses.reading import NotPermitted, enterprise_risk


class Command(BaseCommand):
    help = "专题分析：enterprise-risk（涉企案件风险，EN-01）；只作分析，不产生线索"

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        risk = verbs.add_parser("enterprise-risk", help="cause × industry × county over five years")
        risk.add_argument("--until", type=date.fromisoformat, help="last day of the window, today by default")
        risk.add_argument("--all", action="store_true", help="every cell, not only those that stand out")
        risk.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with_ = definition()
        try:
            found = enterprise_risk(options["until"] or timezone.localdate(), with_)
        except NotPermitted as refused:
            raise CommandError(str(refused)) from refused
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found), ensure_ascii=False, default=str))
            return
        self.stdout.write("\n".join(_lines(found, with_, every=options["all"])))


def _lines(found: Analysis, with_: Definition, *, every: bool) -> list[str]:
    counties = dict(Office.objects.values_list("code", "short_zh"))
    lines = [
        f"{with_.title.zh}（{with_.code}）{found.since}—{found.until}：{found.cases} 件"
        f"；日期不明 {found.undated} 件，窗口之外 {found.outside} 件；反复涉案企业 {found.often} 家",
        "  ".join(f"{year}年 {count}" for year, count in found.by_year.items()),
        "来源  "
        + "  ".join(f"{catalog()[feed].title.zh} {count}" for feed, count in found.by_source.items()),
    ]
    lines += [f"没有协议、未计入：{catalog()[feed].title.zh}" for feed in found.missing]
    for name, counts in (("角色", found.by_role), ("环节", found.by_stage), ("风险点", found.by_risk)):
        lines.append(f"{name}  " + "  ".join(f"{word} {count}" for word, count in counts.items()))
    lines.append(f"提示 {len(found.flagged)} 处（案由 × 行业 × 县市）：")
    for cell in found.cells if every else found.flagged:
        grew = "新出现" if cell.growth is None else f"同比 {cell.growth:+.1f}%"
        lift = "" if cell.lift is None else f"  为全部企业占比的 {cell.lift} 倍"
        lines.append(
            f"  {cell.cause or '案由未填'} × {with_.industries[cell.industry].zh} × {counties.get(cell.county, cell.county or '属地不明')}："
            f"{cell.cases} 件，近一年 {cell.last} 件（{grew}）{lift}"
        )
    drafts = [(risk, with_.advice[risk].zh) for risk in found.by_risk if risk in with_.advice]
    if drafts:
        lines += ["防控建议（草稿，须经承办人改定）：", *(f"  {risk}：{words}" for risk, words in drafts)]
    return lines
