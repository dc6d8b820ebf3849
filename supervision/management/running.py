"""The verbs of ``manage.py rule`` that run models: run, backtest, compare, runs."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from ingestion.selectors import catalog
from supervision.clues.lifecycle import OUTCOME_WORDS, STATE_WORDS
from supervision.matching import backtest, compare, engines, history
from supervision.matching.run import run_rule
from supervision.models import Run
from supervision.packs.card import LEVELS
from supervision.rulebook.load import LoadedRule, read_rule
from supervision.selectors import live_rules

_ASKED = history.Asked("命令行")
_SHOWN = 30
_MODES = dict(Run.Mode.choices)


def arguments(verbs: Any) -> None:
    """Declare the verbs on the command's subparsers."""

    def verb(name: str, words: str, *, optional: bool = True) -> ArgumentParser:
        parser: ArgumentParser = verbs.add_parser(name, help=words)
        parser.add_argument("rule", nargs="?" if optional else None)
        parser.add_argument(
            "--as-of", type=date.fromisoformat, help="判断日，默认今天 / the day that is judged on"
        )
        parser.add_argument("--json", action="store_true")
        return parser

    run = verb("run", "bring hits and clues up to date")
    run.add_argument("--full", action="store_true", help="compute everything anew")
    test = verb("backtest", "what a model or a draft would say on a day; changes nothing")
    test.add_argument("--file", type=Path, help="草稿的 YAML 文件 / a draft's YAML instead of a model's id")
    test.add_argument(
        "--known-on",
        type=date.fromisoformat,
        help="只用到这一天为止入库的数据 / only what had landed by that day",
    )
    for parser, default in ((run, "postgres"), (test, "duckdb")):
        parser.add_argument("--engine", choices=["postgres", "duckdb"], default=default)
    verb("compare", "both engines at the same landing: equal, or what differs")
    verb("runs", "the latest runs")


def run(
    command: BaseCommand, rules: list[str], *, as_of: date | None, full: bool, engine: engines.Engine, as_json: bool
) -> None:  # fmt: skip
    now, day = timezone.now(), as_of or timezone.localdate()
    results = []
    for one in rules or live_rules():
        with _told():
            results.append(run_rule(one, at=now, as_of=day, full=full, engine=engine, asked=_ASKED))
    lines = [
        f"{r.rule:<28}{_MODES.get(r.mode, r.mode)}  对象 {r.subjects}  变化 {r.changed}  新线索 {r.raised}  撤回 {r.withdrawn}"
        for r in results
    ]
    _say(command, as_json, [vars(r) for r in results], lines)


def run_backtest(
    command: BaseCommand,
    rule: LoadedRule,
    *,
    as_of: date | None,
    known_on: date | None,
    engine: engines.Engine,
    draft: bool,
    as_json: bool,
) -> None:
    """Each step is told on standard error as it begins; Ctrl-C cancels."""

    def tell(number: int) -> None:
        if not as_json:
            zh, en = history.BACKTEST_STEPS[number]
            command.stderr.write(f"[{number}/{len(history.BACKTEST_STEPS) - 1}] {zh} / {en}")

    landing = None
    if known_on is not None and not (landing := history.landing_of(known_on)):
        raise CommandError(f"到 {known_on} 还没有任何数据入库，请改选更晚的日期 / nothing had landed by then")
    with _told(), transaction.atomic():
        found = backtest.backtest(
            rule,
            at=timezone.now(),
            as_of=as_of or timezone.localdate(),
            engine=engine,
            asked=_ASKED,
            landing=landing,
            draft=draft,
            tell=tell,
        )
    document = {key: value for key, value in asdict(found).items() if key != "report"}
    _say(command, as_json, document, list(_backtest_lines(found)))


def _backtest_lines(found: backtest.Backtest) -> Iterable[str]:
    yield (
        f"{found.rule} 第 {found.version} 版，判断日 {found.as_of}，数据截止入库 {found.landing}，{found.engine}，"
        f"{found.seconds} 秒，内存增长 {found.memory_mb} MB"
    )
    for step in found.funnel:
        told = "" if step.yes is None else f"  成立 {step.yes:,}  不成立 {step.no:,}  未定 {step.undecided:,}"
        yield f"{'    ' if step.step == 'condition' else '  '}{step.zh}  {step.rows:,}{told}"
    levels = "、".join(f"{LEVELS[level][0]} {count:,}" for level, count in found.levels.items()) or "—"
    yield f"命中 {found.hits:,}（{levels}）  未定 {found.undecided:,}"
    words = {"same": "仍然命中", "new": "新增命中", "gone": "不再命中"}
    for kind, verdicts in found.against.items():
        people = "  ".join(f"{_said(verdict)} {count:,}" for verdict, count in verdicts.items())
        yield f"{words[kind]} {sum(verdicts.values()):,}  {people}"


def _said(verdict: str) -> str:
    """What people made of a clue, in words: its outcome, else its state."""
    if not verdict:
        return "无线索"
    if verdict in OUTCOME_WORDS:
        return OUTCOME_WORDS[verdict].zh
    return next((words.zh for state, words in STATE_WORDS.items() if state.value == verdict), verdict)


def run_compare(command: BaseCommand, rules: list[LoadedRule], *, as_of: date | None, as_json: bool) -> None:
    found, now, day = [], timezone.now(), as_of or timezone.localdate()
    for rule in rules:
        with _told():
            found.append(compare.in_transaction(rule, at=now, as_of=day, asked=_ASKED))
    lines = [
        f"{c.rule:<28}{'一致' if c.equal else '不一致'}  结果 {c.results:,}  PostgreSQL {c.seconds_postgres} 秒"
        f"  DuckDB {c.seconds_duckdb} 秒"
        + (
            ""
            if c.equal
            else f"  只有 PostgreSQL {c.only_a:,}  只有 DuckDB {c.only_b:,}  内容不同 {c.different:,}"
            + "".join(f"\n    {where}：{'、'.join(columns) or '—'}" for where, columns in c.examples)
        )
        for c in found
    ]
    _say(command, as_json, [vars(c) | {"equal": c.equal} for c in found], lines)
    if not all(c.equal for c in found):
        raise CommandError("两个引擎的结果不一致，见上 / the engines differ, see above")


def run_history(command: BaseCommand, rule: str | None, *, as_json: bool) -> None:
    entries = Run.objects.defer("report")
    entries = entries.filter(rule=rule) if rule else entries
    rows = [
        {
            "run": r.pk, "rule": r.rule, "mode": r.mode, "engine": r.engine, "state": r.state,
            "landing": r.landing, "as_of": r.as_of, "started_at": r.started_at, "seconds": r.seconds,
            "hits": r.hits, "raised": r.raised, "withdrawn": r.withdrawn, "told": r.told,
        }
        for r in entries[:_SHOWN]
    ]  # fmt: skip
    lines = [
        f"{r['run']:>7}  {timezone.localtime(r['started_at']):%m-%d %H:%M:%S}  {r['rule']:<28}{_MODES.get(r['mode'], r['mode'])}  "
        f"{r['engine']:<9}{Run.State(r['state']).label:<6}{r['seconds'] if r['seconds'] is not None else '—'} 秒  {r['told'].get('zh', '')}"
        for r in rows
    ]
    _say(command, as_json, rows, lines or ["还没有运行过 / no run yet"])


def draft(path: Path) -> LoadedRule:
    """A rule document outside the rulebook; raises ``CommandError`` naming every problem with its cure."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"读不到 {path}：{error.strerror}；检查路径 / cannot be read") from error
    rule, problems = read_rule(text, path.name, catalog())
    if rule is None:
        raise CommandError("\n".join(str(p) for p in problems))
    return rule


class _told:
    """A run that was stopped says why, as an error of the command."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, history.RunStopped):
            raise CommandError(str(error)) from error


def _say(command: BaseCommand, as_json: bool, document: Any, lines: list[str]) -> None:
    command.stdout.write(
        json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
    )
