"""One form for all benches: a table on the terminal, ``var/bench/<name>.json`` for comparison."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Figure:
    """One measured figure. ``ok`` is None where there is no target."""

    name: str
    value: float
    unit: str
    target: float | None = None
    ok: bool | None = None
    peer: float | None = None


def at_most(name: str, value: float, unit: str, target: float) -> Figure:
    return Figure(name, value, unit, target, value <= target)


def at_least(name: str, value: float, unit: str, target: float) -> Figure:
    return Figure(name, value, unit, target, value >= target)


def processor_of(root: int) -> float:
    """Processor seconds of a process and all below it that live."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(place.name))
            ticks[int(place.name)] = int(fields[11]) + int(fields[12])
    found, left = 0, [root]
    while left:
        number = left.pop()
        found += ticks.get(number, 0)
        left += children.get(number, [])
    return found / os.sysconf("SC_CLK_TCK")


def write(name: str, figures: list[Figure], *, notes: dict[str, object] | None = None) -> int:
    """Print and store the figures; returns the exit code (0 when every target was met)."""
    table = Table("figure", "value", "unit", "peer", "target", "ok", title=name)
    for figure in figures:
        row = (figure.value, figure.unit, figure.peer, figure.target, figure.ok)
        words = [f"{v:,.3f}".rstrip("0").rstrip(".") if isinstance(v, float) else str(v) for v in row]
        table.add_row(figure.name, *("" if word == "None" else word for word in words))
    Console().print(table)
    target = ROOT / "var" / "bench" / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "figures": [asdict(figure) for figure in figures],
        "machine": _machine() | (notes or {}),
        "commit": _commit(),
    }
    target.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return int(any(figure.ok is False for figure in figures))


def _machine() -> dict[str, object]:
    memory = Path("/proc/meminfo")
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memory_mib": int(memory.read_text().split()[1]) // 1024 if memory.is_file() else None,
        "load_at_end": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()
