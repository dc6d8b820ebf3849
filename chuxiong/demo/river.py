"""River patrols and the rubbish they find."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import cos, radians
from typing import Any

from chuxiong.demo import identifiers, names, places, water
from chuxiong.demo.calendar import between
from chuxiong.demo.defects import Places, Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.plan import Plan
from chuxiong.demo.truth import Class, Truth

RULE = "river_rubbish"
_PATROLS = Places(names=("巡河人",), dates=("整改期限",), moments=("开始时间",), axes=("经度", "纬度"))
_METRES_PER_DEGREE = 111_000
#: distance between planted places on one river, so that no two fall within one radius
_STEP = 1_000


@dataclass
class Patrols:
    plan: Plan
    today: date
    truth: Truth
    rows: list[Row] = field(default_factory=list)
    resolved: list[Row] = field(default_factory=list)
    planted: int = 0
    _stops: int = 0

    def __post_init__(self) -> None:
        self.draw = self.plan.draw("river")
        self.limits = self.plan.boundaries["river"]

    def stop(self) -> tuple[tuple[str, str, str, float, float], float, float]:
        """(river, lon, lat) of a place that no other case uses."""
        river = places.RIVERS[self._stops % len(places.RIVERS)]
        step = self._stops // len(places.RIVERS)
        self._stops += 1
        if found := water.stop(river[1], step):
            return river, *found
        lon = river[3] + (step % 60) * _STEP / _METRES_PER_DEGREE / cos(radians(river[4]))
        return river, lon, river[4] + (step // 60) * _STEP / _METRES_PER_DEGREE


_WHY: dict[str, tuple[Class, str]] = {
    "open_long": ("hit", "同一处垃圾在 200 米、72 小时内两次以上被发现，逾期未整改"),
    "reopened": ("hit", "同一处垃圾两次以上被发现，整改复核多次不通过"),
    "resolved": ("near_miss", "已按期整改"),
    "young": ("near_miss", "发现不久，未到整改期限"),
    "other_class": ("near_miss", "问题不是垃圾（河长牌）"),
    "resolved_by_correction": ("innocent", "更正文件：两次发现的问题均已及时整改"),
    "no_place": ("undecided", "巡河问题没有坐标，不能判断是否同一处"),
}


def cast_river(patrols: Patrols) -> None:
    for kind in _WHY:
        for number in range(patrols.plan.cases(RULE, kind)):
            _case(patrols, kind, number)
    patrols.planted = len(patrols.rows)


def _case(patrols: Patrols, kind: str, number: int) -> None:
    draw, limits = patrols.draw, patrols.limits
    river, lon, lat = patrols.stop()
    age = between(draw, *limits["young_open_days" if kind == "young" else "hit_open_days"])
    first = datetime.combine(patrols.today - timedelta(days=age), datetime.min.time()) + timedelta(
        hours=between(draw, 8, 11)
    )
    sightings = 3 if kind == "open_long" and number % 3 == 0 else 2
    sort = "河长牌" if kind == "other_class" else ("河岸垃圾", "河面漂浮物")[number % 2]
    found: list[Row] = []
    for n in range(sightings):
        moment = first + timedelta(hours=n * between(draw, 26, 30))
        offset = n * between(draw, 20, 55) / _METRES_PER_DEGREE
        row = _row(patrols, river, moment, len(patrols.rows))
        row |= _problem(row, river, sort, moment, lon + offset, lat)
        if kind == "reopened":
            row |= {"处理状态": "复核不通过", "退回整改次数": str(limits["min_reopened"] + number % 2)}
        if kind in ("resolved", "other_class"):
            row |= _done(moment + timedelta(days=2))
        if kind == "no_place":
            row |= {"经度": "", "纬度": ""}
        if kind == "resolved_by_correction":
            patrols.resolved.append(row | _done(moment + timedelta(days=2)))
        patrols.rows.append(row)
        found.append(row)
    cls, why = _WHY[kind]
    measures: dict[str, Any] = {
        "river_code": river[1],
        "problem_ids": [r["问题编号"] for r in found],
        "problem_type": sort,
        "first_found": first.isoformat(sep=" "),
        "lon": found[0]["经度"],
        "lat": found[0]["纬度"],
    }
    # A place is a stretch of river; the first sighting names the occurrence on it.
    patrols.truth.expect(RULE, kind, cls, "place", river[1], why, measures, bucket=found[0]["问题编号"])


def _row(patrols: Patrols, river: tuple[str, str, str, float, float], moment: datetime, number: int) -> Row:
    draw = patrols.draw
    return {
        "巡河记录编号": f"XH{river[2]}{moment:%Y%m%d}{number:06d}",
        "巡河人": names.single(draw),
        "河长级别": str(draw.choice(["县", "乡", "村"])),
        "联系电话": identifiers.phone(70_000_000 + number * 3),
        "河流（河段）名称": river[0],
        "河段编码": river[1],
        "行政区划": river[2],
        "开始时间": (moment - timedelta(minutes=between(draw, 10, 50))).isoformat(sep=" "),
        "结束时间": (moment + timedelta(minutes=between(draw, 10, 90))).isoformat(sep=" "),
        "巡河里程（km）": f"{draw.uniform(0.8, 6):.1f}",
        "轨迹": "",
        "问题编号": "",
        "问题类型": "",
        "问题描述": "",
        "问题发现时间": "",
        "经度": "",
        "纬度": "",
        "照片": "",
        "责任单位": "",
        "整改期限": "",
        "处理状态": "已整改",
        "退回整改次数": "",
        "整改完成时间": "",
    }


def _problem(
    row: Row, river: tuple[str, str, str, float, float], sort: str, moment: datetime, lon: float, lat: float
) -> Row:
    text = {
        "河岸垃圾": "河岸堆放生活垃圾约2方",
        "河面漂浮物": "河面有塑料袋、枯枝等漂浮物",
        "河长牌": "河长公示牌破损",
    }
    return {
        "问题编号": f"WT{row['巡河记录编号'][2:]}",
        "问题类型": sort,
        "问题描述": text[sort],
        "问题发现时间": moment.isoformat(sep=" "),
        "经度": f"{lon:.6f}",
        "纬度": f"{lat:.6f}",
        "责任单位": f"{places.COUNTIES[river[2]]}水务局",
        "整改期限": (moment.date() + timedelta(days=7)).isoformat(),
        "处理状态": "处理中",
        "退回整改次数": "0",
    }


def _done(moment: datetime) -> Row:
    return {"处理状态": "已整改", "整改完成时间": moment.isoformat(sep=" ")}


def _background(patrols: Patrols) -> None:
    """Patrols without a problem, and now and then a small one put right within three days."""
    draw = patrols.draw
    for number in range(patrols.plan.size["patrols"]):
        river = places.RIVERS[int(draw.integers(0, len(places.RIVERS)))]
        moment = datetime.combine(patrols.today - timedelta(days=between(draw, 5, 120)), datetime.min.time())
        moment += timedelta(hours=between(draw, 7, 18), minutes=between(draw, 0, 59))
        row = _row(patrols, river, moment, len(patrols.rows))
        if draw.random() < 0.06 or number < 6:
            # South of the planted places: never within their radius.
            lat = river[4] - float(draw.uniform(0.05, 0.15))
            row |= _problem(row, river, "河岸垃圾", moment, river[3] + float(draw.uniform(-0.1, 0.1)), lat)
            row |= _done(moment + timedelta(days=between(draw, 1, 3)))
        patrols.rows.append(row)


def write_river(patrols: Patrols, files: Deliveries) -> None:
    """Day 0: patrols and a correction; day 2: one more day."""
    feed, today, yesterday = "wr_river_patrol", patrols.today, patrols.today - timedelta(days=1)
    _background(patrols)
    files.csv_rows(
        feed,
        patrols.rows,
        day=0,
        period=f"{yesterday:%Y%m%d}",
        covers=yesterday,
        encoding="utf-8-sig",
        free=list(range(patrols.planted, len(patrols.rows))),
        places=_PATROLS,
    )
    files.csv_rows(
        feed, patrols.resolved, day=0, period=f"{today:%Y%m%d}_更正", covers=yesterday, encoding="utf-8-sig"
    )
    noon = datetime.combine(today, datetime.min.time()) + timedelta(hours=9)
    fresh = [_row(patrols, places.RIVERS[n], noon, len(patrols.rows) + n) for n in range(4)]
    files.csv_rows(feed, fresh, day=2, period=f"{today:%Y%m%d}", covers=today, encoding="utf-8-sig")
