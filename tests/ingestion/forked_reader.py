"""The reader of untrusted files, many files long: one process that has its libraries ready and forks for each file.

Each file is read by the product's own code in a process of its own, under the product's own limits; what is saved is
the start of an interpreter per file. Run as a program: one JSON request a line in, one JSON line out.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

READER = Path(__file__).resolve().parents[2] / "ingestion" / "intake" / "reader_process.py"


def main() -> None:
    spec = importlib.util.spec_from_file_location("reader_process", READER)
    assert spec and spec.loader
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    sys.modules["pandas"] = types.ModuleType("pandas")
    sys.modules["pandas"].__version__ = "0"  # type: ignore[attr-defined]
    import numpy  # noqa: F401
    import openpyxl  # noqa: F401
    import pyarrow.csv  # noqa: F401
    import python_calamine  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        start, child = time.monotonic(), os.fork()
        if not child:
            _become(request, reader)
        _, status, usage = os.wait4(child, 0)
        print(
            json.dumps(
                {
                    "code": os.waitstatus_to_exitcode(status),
                    "seconds": time.monotonic() - start,
                    "cpu": usage.ru_utime + usage.ru_stime,
                    "memory": usage.ru_maxrss << 10,
                }
            ),
            flush=True,
        )


def _become(request: dict[str, Any], reader: Any) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    os.dup2(os.open(request["out"], flags), 1)
    os.dup2(os.open(request["said"], flags), 2)
    with os.fdopen(1, "wb") as out:
        reader.answer(request, out)


if __name__ == "__main__":
    main()
