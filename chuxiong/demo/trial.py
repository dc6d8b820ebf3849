"""``manage.py demo score --scale county``: a prefecture written, delivered and scored on servers of its own.

Nothing of a centre that may run is read or touched; the servers and files are gone afterwards. Kept free of Django, as
the servers come first. The exit code is 0 when every rule meets its mark (``score.RuleScore.meets``) and every planted
fault of delivery was treated right.
"""

from __future__ import annotations

import argparse
import json
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from chuxiong.up import services
from chuxiong.up.children import ServiceFailed, dying_with_us

ROOT = Path(__file__).resolve().parents[2]
_PREPARE = (["migrate", "--database", "owner", "-v", "0"], ["front", "prepare"], ["office", "sync"], ["feed", "sync"],
            ["rule", "sync"], ["demo", "seed"])  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step of the trial: wall clock and processor seconds, and the greatest memory of a process so far (MiB)."""

    name: str
    seconds: float
    processor: float
    memory: int


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="manage.py demo score")
    parser.add_argument("--scale", choices=["small", "county", "prefecture"], required=True)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="cx-score-"))
    running = services.start(folder, durable=False)
    try:
        return _Trial(options, folder, running).run()
    except ServiceFailed as failure:
        Console(stderr=True).print(str(failure), markup=False)
        return 2
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(running.postgres.sockets, ignore_errors=True)


class _Trial:
    def __init__(self, options: argparse.Namespace, folder: Path, running: services.Services) -> None:
        self.options, self.folder, self.running = options, folder, running
        self.steps: list[Step] = []
        self.console = Console(highlight=False, soft_wrap=True)

    def run(self) -> int:
        files, scale, seed = self.folder / "files", self.options.scale, str(self.options.seed)
        self._say(f"种子 / seed {seed}，规模 / scale {scale}")
        self._step("准备 / prepared", "owner", *_PREPARE)
        self._step(
            "写出 / written",
            "worker",
            ["demo", "write", "--scale", scale, "--seed", seed, "--out", str(files)],
        )
        self._step("交付与运行 / delivered and run", "worker", ["demo", "deliver", str(files)], ["work"])
        told = self._step(
            "评分 / scored", "worker", ["demo", "score", "--truth", str(files / "truth.jsonl"), "--json"]
        )
        found: dict[str, Any] = json.loads(told)
        rules, faults = found["rules"], found["defects"]
        if self.options.json:
            document = {
                "seed": int(seed),
                "scale": scale,
                "steps": [asdict(step) for step in self.steps],
                **found,
            }
            print(json.dumps(document, ensure_ascii=False))  # noqa: T201
        for rule in rules:
            self._say(
                f"{'✓' if rule['meets'] else '✗'} {rule['rule']:<40}精确率 {rule['precision']:.4f}  召回率 {rule['recall']:.4f}"
                f"  命中 {rule['found']}/{rule['expected']}  未定 {rule['undecided_right']}/{rule['undecided_expected']}"
                f"  误伤 {rule['innocent_hits']}"
            )
            for line in (*rule["missed"][:5], *rule["wrong"][:5]):
                self._say(f"    {line}")
        short = [rule["rule"] for rule in rules if not rule["meets"]]
        wrong = [fault["code"] for fault in faults if not fault["exact"]]
        self._say(
            f"模型 {len(rules) - len(short)}/{len(rules)} 达标；植入差错 {sum(f['planted'] for f in faults)} 处，"
            f"处理正确 {sum(f['right'] for f in faults)} 处"
        )
        for name in (*short, *wrong):
            self._say(f"  未达标 / short: {name}")
        return 1 if short or wrong else 0

    def _step(self, name: str, role: str, *commands: list[str]) -> str:
        """Run the commands one after another; what the last one printed."""
        environment = self.running.of_duty(role)
        began, before, told = time.monotonic(), _processor(), ""
        for words in commands:
            done = subprocess.run(
                dying_with_us([sys.executable, "manage.py", *words]),
                cwd=ROOT, env=environment, capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode:
                raise ServiceFailed(
                    f"manage.py {' '.join(words)} 未成功：\n{(done.stderr or done.stdout)[-3000:]}"
                )
            told = done.stdout
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        step = Step(name, round(time.monotonic() - began, 1), round(_processor() - before, 1), memory)
        self.steps.append(step)
        self._say(
            f"  {name}  {step.seconds} s（处理器 / processor {step.processor} s，内存 / memory {step.memory} MiB）"
        )
        return told

    def _say(self, words: str) -> None:
        if not self.options.json:
            self.console.print(words, markup=False)


def _processor() -> float:
    """Seconds of the commands that have ended; the database's own processes are not counted."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
