"""``manage.py demo``: write, seed, history, deliver, score."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from chuxiong.work.jobs import enqueue, work_off

if TYPE_CHECKING:
    from chuxiong.demo.score import RuleScore
    from chuxiong.demo.score_defects import DefectScore, FeedCount


class Command(BaseCommand):
    help = "演示州：write | seed | history | deliver | score"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")
        verbs = parser.add_subparsers(dest="verb", required=True)
        write = verbs.add_parser("write", help="agency files in the agencies' own formats, and truth.jsonl")
        write.add_argument("--scale", choices=["small", "county", "prefecture"], default="small")
        write.add_argument("--seed", type=int)
        write.add_argument("--out", type=Path, required=True)
        seed = verbs.add_parser("seed", help="people, agreements, agency clients; log-ins printed once")
        seed.add_argument("--accounts-only", action="store_true")
        history = verbs.add_parser("history", help="invented past checks, so that chances are known")
        history.add_argument("--clues", type=int, default=400)
        history.add_argument("--seed", type=int)
        deliver = verbs.add_parser("deliver", help="import the written files in the manifest's order")
        deliver.add_argument("folder", type=Path)
        deliver.add_argument("--day", type=int, action="append")
        deliver.add_argument("--no-wait", action="store_true")
        score = verbs.add_parser("score", help="precision and recall per rule against the planted truth")
        score.add_argument(
            "--truth", type=Path, help="what was planted, for the files that this centre took in"
        )
        # Without --truth: written, delivered and scored on servers of its own, before Django begins (manage.py).
        score.add_argument("--scale", choices=["small", "county", "prefecture"])
        for verb in (write, seed, history, deliver, score):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _write(self, *, scale: str, seed: int | None, out: Path, json: bool, **_: Any) -> None:
        from chuxiong.demo.write import write

        drawn = seed if seed is not None else secrets.randbelow(2**31)
        summary = write(scale=scale, seed=drawn, out=out, today=timezone.localdate())
        self._say(
            json,
            {"seed": drawn, "out": str(out), "rows": summary.rows},
            [f"种子 {drawn}，{summary.rows} 行 → {out}"],
        )

    def _history(self, *, clues: int, seed: int | None, json: bool, **_: Any) -> None:
        from chuxiong.demo.history import write_history

        drawn = seed if seed is not None else secrets.randbelow(2**31)
        made = write_history(clues=clues, seed=drawn, at=timezone.now())
        enqueue("rank", "next", priority=4)
        enqueue("calibrate", "history", priority=7, delay_seconds=20)
        self._say(json, {"seed": drawn, "clues": made}, [f"种子 {drawn}，既往核查结论 {made} 条（虚构）"])

    def _seed(self, *, json: bool, accounts_only: bool, **_: Any) -> None:
        from chuxiong.demo.seed import seed

        made = seed(today=timezone.localdate())
        lines = [f"{login.kind}  {login.name:<18}{login.secret}  {login.about}" for login in made]
        head = ["以下登录信息只显示这一次，请记下 / shown once, write them down:"] if made else []
        self._say(json, [vars(login) for login in made], [*head, *lines])

    def _deliver(self, *, folder: Path, day: list[int] | None, no_wait: bool, json: bool, **_: Any) -> None:
        from chuxiong.demo.deliver import deliver

        if not (folder / "manifest.jsonl").is_file():
            raise CommandError(f"{folder}: 没有 manifest.jsonl；请先运行 demo write --out {folder}")
        say = None if json else self.stdout.write
        batches = deliver(folder, days=set(day) if day else None, wait=not no_wait, say=say)
        if not no_wait:
            work_off()
        self._say(
            json,
            [{"id": b.pk, "feed": b.feed, "state": b.state} for b in batches],
            [f"{len(batches)} 个文件"],
        )

    def _score(self, *, truth: Path | None, json: bool, **_: Any) -> None:
        if truth is None or not truth.is_file():
            raise CommandError(
                f"{truth or '--truth'}: 没有这个文件；写明演示文件夹里的 truth.jsonl，或者用 --scale small|county 另行写出、交付并评分"
            )
        from chuxiong.demo.score import score
        from chuxiong.demo.score_defects import feed_counts, score_defects

        results, defects, counts = score(truth), score_defects(truth), feed_counts()
        document = {
            "rules": [
                {
                    **{k: v for k, v in vars(r).items() if k != "classes"},
                    "classes": dict(r.classes),
                    "precision": r.precision,
                    "recall": r.recall,
                    "meets": r.meets,
                }
                for r in results
            ],
            "defects": [{**vars(d), "treated": dict(d.treated), "exact": d.exact} for d in defects],
            "feeds": [{**vars(c), "adds_up": c.adds_up} for c in counts],
        }
        self._say(json, document, [*_of_rules(results), "", *_of_defects(defects), "", *_of_feeds(counts)])

    def _say(self, as_json: bool, document: Any, lines: list[str]) -> None:
        self.stdout.write(
            json.dumps(document, ensure_ascii=False, default=str) if as_json else "\n".join(lines)
        )


def _of_rules(results: list[RuleScore]) -> list[str]:
    lines = [
        f"{r.rule:<28}精确率 {r.precision:.4f}  召回率 {r.recall:.4f}  命中 {r.found}/{r.expected}"
        f"  未定 {r.undecided_right}/{r.undecided_expected}  误伤 {r.innocent_hits}  级别 {r.level_right}/{r.right}"
        for r in results
    ]
    lines += [f"  漏 {missed}" for r in results for missed in r.missed[:10]]
    return lines + [f"  误 {wrong}" for r in results for wrong in r.wrong[:10]]


def _of_defects(defects: list[DefectScore]) -> list[str]:
    right, planted = sum(d.right for d in defects), sum(d.planted for d in defects)
    lines = [
        f"植入差错 {planted} 处，处理正确 {right} 处 / {right} of {planted} planted faults treated right"
    ]
    for d in defects:
        treated = "、".join(f"{kind} {count}" for kind, count in d.treated.items())
        lines.append(f"{d.code:<14}{d.right}/{d.planted}  {treated}")
    return lines + [f"  错 {wrong}" for d in defects for wrong in d.wrong[:10]]


def _of_feeds(counts: list[FeedCount]) -> list[str]:
    lines = [f"数据源 {sum(bool(c.files) for c in counts)}/{len(counts)} 个有数据 / feeds with data"]
    for c in counts:
        lines.append(
            f"{c.feed:<24}文件 {c.files:>3}  接收 {c.received} = 入库 {c.loaded} + 未变 {c.unchanged}"
            f" + 重复 {c.duplicate} + 隔离 {c.quarantined}{'' if c.adds_up else '  ✗'}"
            f"{f'  终止 {c.removed}' if c.removed else ''}{f'  暂扣 {c.waiting}' if c.waiting else ''}"
        )
    return lines
