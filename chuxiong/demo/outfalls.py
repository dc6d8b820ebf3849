"""Means of sewage outlets as the monitoring platform exports them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from chuxiong.demo.calendar import between
from chuxiong.demo.defects import Places, Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.firms import Firm, firms
from chuxiong.demo.plan import Plan
from chuxiong.demo.truth import Class, Truth

RULE = "discharge_exceedance"
DAY_MEAN, HOUR_MEAN = "2031", "2061"
#: factor → limit, mg/L
FACTORS = {"w01018": 50.0, "w21003": 5.0}
_SYSTEMS = {"32": "地表水体污染源"}
_MONITOR = Places(codes={"系统编码ST": _SYSTEMS}, floors=("平均值",))
_MARKS = ("M", "C", "F", "D")


@dataclass
class Outlets:
    plan: Plan
    today: date
    truth: Truth
    rows: list[Row] = field(default_factory=list)
    resent: list[Row] = field(default_factory=list)
    peaks: list[Row] = field(default_factory=list)
    #: rows of clean outlets
    free: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = self.plan.draw("outlets")
        count = self.plan.size["outlets"] + sum(self.plan.cases(RULE, kind) for kind in _WHY)
        self.owners = firms(self.plan, count, "outlets")
        self.firms = iter(self.owners)
        self.days = self.plan.boundaries["discharge"]["delivered_days"]


_WHY: dict[str, tuple[Class, str]] = {
    "three_days": ("hit", "30 天内至少 3 天日均值超标"),
    "double": ("hit", "有一天日均值达到限值的两倍以上"),
    "two_days": ("near_miss", "30 天内只有 2 天超标"),
    "below_double": ("near_miss", "只有一天超标，且不到两倍"),
    "invalid_marks": ("near_miss", "超标数据带维护、校准、停运或故障标记"),
    "corrected": ("innocent", "补传的数据更正为达标"),
    "hourly_peak": ("near_miss", "数小时读数超标而日均值达标：只有预警，没有线索"),
    "no_limit": ("undecided", "数值很高而缺标准限值"),
}


def cast_outfalls(outlets: Outlets) -> None:
    for kind in _WHY:
        for number in range(outlets.plan.cases(RULE, kind)):
            _case(outlets, kind, number)
    for _ in range(outlets.plan.size["outlets"]):
        start = len(outlets.rows)
        outlets.rows += _means(outlets, _mn(outlets), next(outlets.firms), {}, "N", limit=True)
        outlets.free += range(start, len(outlets.rows))


def _mn(outlets: Outlets) -> str:
    return "53230000" + "".join(str(outlets.draw.choice(list("0123456789ABCDEF"))) for _ in range(16))


def _case(outlets: Outlets, kind: str, number: int) -> None:
    """One outlet; ``high``: days ago → multiple of the limit, for the first factor."""
    draw, mn, firm = outlets.draw, _mn(outlets), next(outlets.firms)
    start = between(draw, 3, 12)
    spread = between(draw, 1, 3)
    high = {
        "three_days": {start + spread * n: 1.25 + 0.1 * n for n in range(4 + number % 2)},
        "double": {start: 2.6},
        "two_days": {start + spread * n: 1.3 for n in range(2)},
        "below_double": {start: 1.6},
        "invalid_marks": {start + n: 2.8 for n in range(6)},
        "corrected": {start + n: 1.5 for n in range(5)},
        "hourly_peak": {},
        "no_limit": {start + n: 3.5 for n in range(6)},
    }[kind]
    mark = _MARKS[number % len(_MARKS)] if kind == "invalid_marks" else "N"
    rows = _means(outlets, mn, firm, high, mark, limit=kind != "no_limit")
    outlets.rows += rows
    factor = next(iter(FACTORS))
    if kind == "corrected":
        moments = {_stamp(outlets.today - timedelta(days=d)) for d in high}
        outlets.resent += [
            row
            | {
                "平均值": f"{FACTORS[factor] * 0.6:.3f}",
                "最大值": f"{FACTORS[factor] * 0.8:.3f}",
                "是否超标": "否",
            }
            for row in rows
            if row["因子编码"] == factor and row["数据时间"] in moments
        ]
    cls, why = _WHY[kind]
    if kind == "hourly_peak":
        outlets.peaks += _peaks(outlets, [r for r in rows if r["因子编码"] == factor], number)
    measures = {
        "factor": factor,
        "exceed_days": len(high),
        "max_multiple": max(high.values(), default=0),
        "mark": mark,
        "credit_code": firm.credit_code,
        "outlet_no": "DW001",
    }
    # The first day above the limit names the occurrence; what stays undecided has no such day.
    bucket = (
        f"{factor} {outlets.today - timedelta(days=max(high)):%Y-%m-%d}"
        if cls != "undecided" and high
        else ""
    )
    outlets.truth.expect(RULE, kind, cls, "outfall", mn, why, measures, bucket=bucket)


def _peaks(outlets: Outlets, rows: list[Row], number: int) -> list[Row]:
    """Three hour means above the limit late on the last day, whose day mean stays below."""
    yesterday = outlets.today - timedelta(days=1)
    (mean,) = (row for row in rows if row["数据时间"] == _stamp(yesterday))
    multiple = (1.1, 1.5, 2.4)[number % 3]
    outlets.truth.alarm("discharge_reading", mean["设备唯一标识MN"], mean["因子编码"], yesterday, multiple)
    peaks = []
    for hour in (20, 21, 22):
        moment = datetime.combine(yesterday, datetime.min.time()) + timedelta(hours=hour)
        value = float(mean["标准限值"]) * (multiple if hour == 21 else multiple * 0.95)
        peaks.append(
            mean
            | {
                "命令编码CN": HOUR_MEAN,
                "数据时间": moment.isoformat(sep=" "),
                "平均值": f"{value:.3f}",
                "最大值": f"{value * 1.1:.3f}",
                "是否超标": "是",
                "报文接收时间": (moment + timedelta(hours=1, minutes=2)).isoformat(sep=" "),
            }
        )
    return peaks


def _stamp(day: date) -> str:
    return f"{day:%Y-%m-%d} 00:00:00"


def _means(
    outlets: Outlets, mn: str, firm: Firm, high: dict[int, float], mark: str, *, limit: bool
) -> list[Row]:
    draw, rows = outlets.draw, []
    for place, (factor, bound) in enumerate(FACTORS.items()):
        for ago in range(outlets.days, 0, -1):
            day = outlets.today - timedelta(days=ago)
            exceeds = place == 0 and ago in high
            mean = bound * (high[ago] if exceeds else float(draw.uniform(0.25, 0.75)))
            rows.append(
                {
                    "设备唯一标识MN": mn,
                    "系统编码ST": "32",
                    "命令编码CN": DAY_MEAN,
                    "数据时间": _stamp(day),
                    "因子编码": factor,
                    "最小值": f"{mean * 0.8:.3f}",
                    "平均值": f"{mean:.3f}",
                    "最大值": f"{mean * 1.15:.3f}",
                    "累计值": "",
                    "实时值": "",
                    "数据标记": mark if exceeds else "N",
                    "企业名称": firm.name,
                    "统一社会信用代码": firm.credit_code,
                    "排放口编号": "DW001",
                    "排放口名称": "废水总排口",
                    "标准限值": f"{bound:g}" if limit else "",
                    "是否超标": ("是" if exceeds else "否") if limit else "",
                    "报文接收时间": f"{day + timedelta(days=1):%Y-%m-%d} 00:05:{between(draw, 0, 59):02d}",
                    "到报情况": "",
                }
            )
    return rows


def _hours(outlets: Outlets) -> list[Row]:
    """Hour means of the last day of clean outlets, well below the limits."""
    last = [
        outlets.rows[i]
        for i in outlets.free
        if outlets.rows[i]["数据时间"] == _stamp(outlets.today - timedelta(days=1))
    ]
    rows = []
    for row in last:
        start = datetime.fromisoformat(row["数据时间"])
        for hour in range(24):
            moment = start + timedelta(hours=hour)
            received = moment + timedelta(hours=1, minutes=2)
            rows.append(
                row
                | {
                    "命令编码CN": HOUR_MEAN,
                    "数据时间": moment.isoformat(sep=" "),
                    "报文接收时间": received.isoformat(sep=" "),
                }
            )
    return rows


def write_outfalls(outlets: Outlets, files: Deliveries) -> None:
    """Day 0: forty days of day means and a day of hour means, then re-sent means; day 1: one more day."""
    feed, today, yesterday = "ee_auto_monitor", outlets.today, outlets.today - timedelta(days=1)
    skewed, gaps = _skew(outlets), _gaps(outlets)
    rows = [row for at, row in enumerate(outlets.rows) if at not in gaps]
    skewed_ids = {id(outlets.rows[at]) for at in skewed}
    gone = {id(outlets.rows[at]) for at in gaps}
    free_ids = {id(outlets.rows[at]) for at in outlets.free} - skewed_ids - gone
    late = [outlets.rows[at] for at in sorted(gaps)]
    rows += _hours(outlets) + outlets.peaks
    free = [at for at, row in enumerate(rows) if id(row) in free_ids]
    marked = [at for at, row in enumerate(rows) if id(row) in skewed_ids]
    wanted_places = _MONITOR
    files.csv_rows(
        feed,
        rows,
        day=0,
        period=f"{yesterday:%Y%m%d}",
        covers=yesterday,
        encoding="utf-8",
        free=free,
        places=wanted_places,
    )
    for at in marked:
        outlets.truth.defect(feed, files.last_file, at + 2, "D25", "mended")
    resent = outlets.resent + late
    files.csv_rows(feed, resent, day=0, period=f"{today:%Y%m%d}_补传", covers=yesterday, encoding="utf-8")
    for at in range(len(outlets.resent), len(resent)):
        outlets.truth.defect(feed, files.last_file, at + 2, "D24", "mended")
    newest = [
        row | {"数据时间": _stamp(today), "报文接收时间": f"{today + timedelta(days=1):%Y-%m-%d} 00:05:10"}
        for row in rows
        if row["数据时间"] == _stamp(yesterday) and row["命令编码CN"] == DAY_MEAN
        if not row["平均值"].startswith("-")
    ]
    files.csv_rows(feed, newest, day=1, period=f"{today:%Y%m%d}", covers=today, encoding="utf-8")


def _skew(outlets: Outlets) -> list[int]:
    """D25: the device's clock is ahead, so the data is younger than its reception."""
    count = outlets.plan.defects("ee_auto_monitor").get("D25", 0)
    chosen = outlets.free[3 : 3 + count]
    for at in chosen:
        stamp = datetime.fromisoformat(outlets.rows[at]["数据时间"])
        outlets.rows[at]["报文接收时间"] = (stamp - timedelta(minutes=37)).isoformat(sep=" ")
    return chosen


def _gaps(outlets: Outlets) -> set[int]:
    """D24: means missing from the first file that come with the re-sent ones."""
    count = outlets.plan.defects("ee_auto_monitor").get("D24", 0)
    return set(outlets.free[10 : 10 + count])
