"""Rows for ``bench/intake.py``: a payment register as an agency exports it. Seeded; nobody is meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECK = np.array(list("10X98765432"))
_COUNTIES = np.array(
    ["532301", "532302", "532322", "532323", "532324", "532325", "532326", "532327", "532328", "532329"]
)
_FAMILY = np.array(list("样示例试演模范拟虚构甲乙丙丁戊己庚辛壬癸"))
_GIVEN = np.array(list("一二三四五六七八九十百千万东西南北中山水木金火土春夏秋冬"))
_TOWNS = np.array(["示例镇", "样本乡", "演示镇", "模拟乡", "虚构镇"])
_BANKS = np.array(["示例农村商业银行", "样本银行楚雄分行", "演示村镇银行"])
_STATES = np.array(["正常", "正常", "正常", "1", "暂停", "3"])
_REMARKS = np.array(["", "", "", "按季度发放，含上月补差", "本人到场确认", "由村委会代为核对后发放"])
#: one row of this many has a fault
FAULTY = 100
_BLOCK = 250_000


def write(path: Path, rows: int, *, seed: int, persons: int, first_month: int = 0) -> int:
    """A GB18030 CSV of ``rows`` payments to ``persons`` people; returns its size in bytes.

    Person n is paid in rows n, n + persons, …, a month later each time: ``first_month`` shifts all of them, so that
    two files name the same people and no payment twice. One row of a hundred has a wrong check character.
    """
    with open(path, "wb") as out:
        for start in range(0, rows, _BLOCK):
            count = min(_BLOCK, rows - start)
            text = _block(start, count, seed=seed, persons=persons, first_month=first_month)
            body = text.write_csv(include_header=start == 0)
            out.write(body.encode("gb18030"))
    return path.stat().st_size


def _block(start: int, count: int, *, seed: int, persons: int, first_month: int) -> pl.DataFrame:
    row = np.arange(start, start + count, dtype=np.int64)
    person = row % persons
    month = row // persons + first_month
    draw = np.random.default_rng([seed, start, first_month])
    number = _numbers(person, seed)
    faulty = draw.integers(0, FAULTY, count) == 0
    last = number.astype("U18")
    wrong = np.where(
        faulty, np.char.add(last.astype("U17"), np.where(last.view("U1")[17::18] == "0", "1", "0")), last
    )
    fen = draw.integers(5_000, 900_000, count)
    day = np.datetime64("2026-01-05") + draw.integers(0, 20, count).astype("timedelta64[D]")
    year, of_year = 2019 + month // 12, month % 12 + 1
    columns: dict[str, Any] = {
        "姓名": np.char.add(_FAMILY[person % 20], np.char.add(_GIVEN[person // 20 % 28], _GIVEN[person // 560 % 28])),
        "公民身份号码": wrong,
        "联系电话": np.char.add("13", _digits(person * 7 + seed % 1_000_003, 9)),
        "家庭住址": np.char.add(
            np.char.add("云南省楚雄彝族自治州", _TOWNS[person % 5]), np.char.add(_digits(person % 3_000, 1), "号")
        ),
        "行政区划代码": _COUNTIES[person % 10],
        "发放年月": np.char.add(year.astype("U4"), np.char.add("年", np.char.add(of_year.astype("U2"), "月"))),
        "发放日期": day.astype("U10"),
        "发放金额（元）": np.char.add((fen // 100).astype("U8"), np.char.add(".", _digits(fen % 100, 2))),
        "调整金额（元）": np.where(fen % 5 == 0, (fen // 1000).astype("U8"), ""),
        "家庭人口数": (person % 8 + 1).astype("U2"),
        "发放状态": _STATES[draw.integers(0, len(_STATES), count)],
        "开户银行": _BANKS[person % 3],
        "银行账号": np.char.add("6223690", _digits(person + seed % 900_000_007, 12)),
        "更新时间": np.char.add(day.astype("U10"), " 09:30:00"),
        "说明": _REMARKS[draw.integers(0, len(_REMARKS), count)],
    }  # fmt: skip
    return pl.DataFrame(
        {name: pl.Series(name, values.tolist(), dtype=pl.String) for name, values in columns.items()}
    )


def _numbers(person: Any, seed: int) -> Any:
    """Valid citizen numbers, one a person: ten counties, births from 1931 on, sequence numbers."""
    shuffled = (person * 611_953 + seed % 1_000_003) % 250_000_000
    sequence, rest = shuffled % 1_000, shuffled // 1_000
    days = rest % 25_000
    county = _COUNTIES[rest // 25_000 % 10]
    born = (np.datetime64(date(1931, 1, 1)) + days.astype("timedelta64[D]")).astype("U10")
    body = np.char.add(county, np.char.add(np.char.replace(born, "-", ""), _digits(sequence, 3)))
    matrix = body.astype("S17").view(np.uint8).reshape(-1, 17).astype(np.int64) - 48
    return np.char.add(body, _CHECK[(matrix @ _WEIGHTS) % 11])


def _digits(values: Any, width: int) -> Any:
    return np.char.zfill(values.astype("U19"), width)
