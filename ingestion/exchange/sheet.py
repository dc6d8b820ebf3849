"""The hand-over sheet of a disc (pure): what the paper says of every file, compared with what was read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

FORMAT = "chuxiong-sheet/1"
#: so many digits of a digest are typed from paper at least; the rest may be left out
SHORTEST = 16
_LINE = re.compile(r"^(?P<name>.+?)[\s,，\t]+(?P<digest>[0-9a-fA-F ]{16,80})$")


class SheetFault(ValueError):
    """``place`` is the line or key at fault."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}：{what}")
        self.place, self.what = place, what


@dataclass(frozen=True)
class Line:
    """One file as the sheet has it; ``digest`` may be its beginning."""

    name: str
    digest: str
    feed: str = ""
    size: int | None = None
    covers_until: date | None = None
    #: a whole list; None where the sheet does not say
    snapshot: bool | None = None


class Read(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True)
class Mismatch:
    """``kind``: lost (on the sheet alone), stray (on the disc alone), digest, size."""

    name: str
    kind: str
    on_sheet: str = ""
    on_disc: str = ""


def typed(text: str) -> tuple[Line, ...]:
    """Lines typed from paper: name, then the digest or its first 16 digits. Raises ``SheetFault``."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _LINE.match(line.strip())
        digest = match["digest"].replace(" ", "").lower() if match else ""
        if match is None or not SHORTEST <= len(digest) <= 64:
            raise SheetFault(f"第 {number} 行", f"须为“文件名 摘要”，摘要至少前 {SHORTEST} 位")
        found.append(Line(match["name"].strip(), digest))
    return _once(found)


def document(raw: bytes) -> tuple[tuple[Line, ...], dict[str, Any]]:
    """The sheet as the packing page writes it: lines and hand-over data. Raises ``SheetFault``."""
    try:
        sheet = json.loads(raw.decode("utf-8-sig"))
        if sheet["format"] != FORMAT:
            raise SheetFault("format", f"应为 {FORMAT}")
        lines = [
            Line(
                name=str(f["name"]), digest=str(f["sha256"]).lower(), feed=str(f["feed"]), size=int(f["size"]),
                covers_until=date.fromisoformat(f["covers_until"]) if f.get("covers_until") else None,
                snapshot=_said(f.get("snapshot")),
            )
            for f in sheet["files"]
        ]  # fmt: skip
        hand_over = {k: str(v)[:200] for k, v in dict(sheet.get("hand_over", {})).items()}
        hand_over["agency"] = str(sheet["agency"])
    except SheetFault:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SheetFault("交接单文件", "不是打包页生成的交接单") from None
    for line in lines:
        if not re.fullmatch(r"[0-9a-f]{64}", line.digest):
            raise SheetFault(line.name, "摘要不是 64 位十六进制数")
    return _once(lines), hand_over


def _said(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise SheetFault("snapshot", "只能是 true 或 false")


def _once(lines: Sequence[Line]) -> tuple[Line, ...]:
    names = [line.name for line in lines]
    for name in names:
        if names.count(name) > 1:
            raise SheetFault(name, "交接单上出现两次")
    return tuple(lines)


def compare(lines: Iterable[Line], files: Iterable[Read]) -> list[Mismatch]:
    """What does not agree, in the order of the sheet, then what the sheet does not know."""
    read = {f.name: f for f in files}
    found = []
    for line in lines:
        file = read.pop(line.name, None)
        if file is None:
            found.append(Mismatch(line.name, "lost", on_sheet=line.digest))
        elif not file.digest.startswith(line.digest):
            found.append(Mismatch(line.name, "digest", line.digest, file.digest))
        elif line.size is not None and line.size != file.size:
            found.append(Mismatch(line.name, "size", str(line.size), str(file.size)))
    return found + [Mismatch(name, "stray", on_disc=file.digest) for name, file in read.items()]
