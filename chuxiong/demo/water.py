"""The demo's rivers: two drawn lines with invented marks, the outfalls and a station on them, cameras beside them.

Nothing here is surveyed. The lines lead through the places that patrols and sections of the demo name; kilometres,
outfalls, flow and cameras are made up. What is written below ``register/`` is registered with the first delivery.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import pi, sin
from pathlib import Path
from typing import Any

import yaml

from chuxiong.demo import places
from chuxiong.demo.files import Deliveries
from chuxiong.demo.outfalls import FACTORS, HOUR_MEAN, Outlets
from chuxiong.kit.river_line import METRES_PER_DEGREE, Mark, RiverLine

FOLDER = "register"
SOURCE = "演示：手绘示意线和虚构桩号，非测绘数据"
STATION_MN = "53230000DE0000000000A001"
#: limit of the station's target class Ⅲ for COD, mg/L (GB 3838-2002)
_STATION_LIMIT = 20.0
_FACTOR = "w01018"

#: corners (longitude, latitude, kilometre mark or None)
_CORNERS: dict[str, tuple[tuple[float, float, float | None], ...]] = {
    "LCJ": (
        (101.10, 25.22, 0.0), (101.271, 25.191, 28.0), (101.40, 25.11, None), (101.546, 25.032, 72.0), (101.63, 25.08, None),
        (101.62, 25.20, None), (101.55, 25.31, 112.0), (101.66, 25.42, None), (101.78, 25.52, None), (101.87, 25.70, 168.0),
        (101.85, 25.84, None), (101.861, 25.981, 194.0), (101.845, 26.03, 200.0),
    ),
    "QLH": ((101.40, 25.27, 0.0), (101.44, 25.20, None), (101.48, 25.12, None), (101.53, 25.05, 33.0), (101.5415, 25.0345, 37.0)),
}  # fmt: skip
#: stretch of the patrols → river, first kilometre of its planted places, last one that may be used
STOPS = {
    "532324-LCJ-03": ("LCJ", 30.0, 50.0),
    "532301-LCJ-01": ("LCJ", 73.0, 94.0),
    "532323-LCJ-02": ("LCJ", 113.0, 138.0),
    "532328-LCJ-04": ("LCJ", 169.0, 192.0),
    "532301-QLH-01": ("QLH", 8.0, 32.0),
}


def _curved(corners: tuple[tuple[float, float, float | None], ...]) -> list[list[float]]:
    """Four more corners between any two, swinging to either side: a river is not straight. The corners stay."""
    found: list[list[float]] = []
    for number, (a, b) in enumerate(pairwise(corners)):
        found.append([a[0], a[1], a[2]] if a[2] is not None else [a[0], a[1]])
        dx, dy = b[0] - a[0], b[1] - a[1]
        for part in (0.2, 0.4, 0.6, 0.8):
            swing = 0.1 * sin(2 * pi * part) * (1 if number % 2 else -1)
            found.append([round(a[0] + dx * part - dy * swing, 5), round(a[1] + dy * part + dx * swing, 5)])
    last = corners[-1]
    return [*found, [last[0], last[1], last[2] or 0.0]]


def lines() -> dict[str, list[list[float]]]:
    """River code → corners as the register writes them."""
    return {code: _curved(corners) for code, corners in _CORNERS.items()}


def _drawn(code: str) -> RiverLine:
    return RiverLine(tuple(Mark(p[0], p[1], p[2] if len(p) > 2 else None) for p in lines()[code]))


def beside(code: str, km: float, off_m: float = 0.0) -> tuple[float, float]:
    """(longitude, latitude) some metres north of a kilometre mark."""
    lon, lat = _drawn(code).at(km)
    return round(lon, 6), round(lat + off_m / METRES_PER_DEGREE, 6)


def stop(stretch: str, step: int) -> tuple[float, float] | None:
    """The place of a patrol ``step`` kilometres down a stretch; None where no line is drawn so far."""
    river, first, last = STOPS.get(stretch, ("", 0.0, -1.0))
    km = first + step
    return beside(river, km, 40) if km <= last else None


@dataclass(frozen=True)
class _Outfall:
    mn: str
    name: str
    river: str
    km: float


#: kilometre marks given out to outfalls, by county
_SITES = {
    "532324": [("LCJ", km) for km in (12.5, 21.0, 35.5, 44.0)],
    "532301": [("QLH", 14.0), ("LCJ", 72.4), ("LCJ", 60.5), ("LCJ", 78.5), ("QLH", 25.5), ("LCJ", 66.0), ("LCJ", 84.0), ("LCJ", 90.5), ("QLH", 30.0)],
    "532323": [("LCJ", km) for km in (101.0, 108.5, 119.0, 131.0)],
    "532328": [("LCJ", km) for km in (147.0, 158.5, 174.0, 183.5)],
}  # fmt: skip
#: just below the outfall whose hour means peak on the last day
_PEAK_SITE, _STATION_KM = ("LCJ", 81.0), 88.0


def _outfalls(outlets: Outlets) -> list[_Outfall]:
    """One site for every outlet of a county on the rivers, as long as there are sites; the peaking one first."""
    owners = {row["设备唯一标识MN"]: row["企业名称"] for row in outlets.rows}
    free = {county: list(sites) for county, sites in _SITES.items()}
    peak = outlets.peaks[0]["设备唯一标识MN"] if outlets.peaks else ""
    found = [_Outfall(peak, owners[peak], *_PEAK_SITE)] if peak else []
    for mn, name in owners.items():
        county = next(
            (c for c, words in places.COUNTIES.items() if name.startswith(words.rstrip("县市"))), ""
        )
        if name.startswith("楚雄州"):
            county = "532301"
        if mn != peak and free.get(county):
            river, km = free[county].pop(0)
            found.append(_Outfall(mn, name, river, km))
    return found


def _outfall(n: int, outfall: _Outfall) -> dict[str, Any]:
    lon, lat = beside(outfall.river, outfall.km, 120 if n % 2 else -160)
    return {
        "code": f"PW5323{n:04d}",
        "zh": f"{outfall.name}总排口",
        "en": f"Main outlet {n}",
        "lon": lon,
        "lat": lat,
        "mn": outfall.mn,
        "organisation": outfall.name,
        # Every fifth permit is one that nobody has brought.
        **({} if n % 5 == 4 else {"factors": sorted(FACTORS), "standard": "GB 18918-2002", "grade": "1A"}),
        "source": SOURCE,
    }


def _flow(from_km: float, to_km: float, slow: float, fast: float) -> dict[str, Any]:
    return {
        "from_km": from_km,
        "to_km": to_km,
        "slow_ms": slow,
        "fast_ms": fast,
        "valid_from": "2022-06-01",
        "source": "演示：虚构流速",
    }


def _section(code: str, name: str, en: str, river: str, km: float, target: str) -> dict[str, Any]:
    lon, lat = beside(river, km)
    return {"code": code, "zh": name, "en": en, "lon": lon, "lat": lat, "target": target, "source": SOURCE}


def register(outlets: Outlets) -> dict[str, Any]:
    """The register of rivers, in the form that ``manage.py river register`` reads."""
    by_river: dict[str, list[dict[str, Any]]] = {"LCJ": [], "QLH": []}
    for n, outfall in enumerate(_outfalls(outlets), start=1):
        by_river[outfall.river].append(_outfall(n, outfall))
    mouth = beside("LCJ", 72.0)
    station = beside("LCJ", _STATION_KM)
    main = {
        "code": "LCJ", "zh": "龙川江（示意）", "en": "Longchuan River (schematic)", "names": ["龙川江"], "schematic": True, "source": SOURCE,
        "line": lines()["LCJ"],
        "stretches": [
            {"from_km": 0, "to_km": 52, "county": "532324", "zh": "南华段", "en": "Nanhua", "codes": ["532324-LCJ-03"]},
            {"from_km": 52, "to_km": 96, "county": "532301", "zh": "楚雄市段", "en": "Chuxiong City", "codes": ["532301-LCJ-01"]},
            {"from_km": 96, "to_km": 140, "county": "532323", "zh": "牟定段", "en": "Mouding", "codes": ["532323-LCJ-02"]},
            {"from_km": 140, "to_km": 200, "county": "532328", "zh": "元谋段", "en": "Yuanmou", "codes": ["532328-LCJ-04"]},
        ],
        "flow": [_flow(0, 96, 0.4, 0.9), _flow(96, 200, 0.5, 1.2)],
        "sections": [
            _section("532324A001", "毛板桥水库", "Maobanqiao Reservoir", "LCJ", 28.0, "Ⅲ"),
            _section("532301A001", "西观桥", "Xiguan Bridge", "LCJ", 73.0, "Ⅳ"),
            _section("YS532323D01", "牟定演示断面", "Mouding demo section", "LCJ", 126.0, "Ⅲ"),
            _section("YS532328D01", "元谋演示断面", "Yuanmou demo section", "LCJ", 163.0, "Ⅲ"),
            _section("532328A002", "江边", "Jiangbian", "LCJ", 194.0, "Ⅲ"),
        ],
        "stations": [
            {"code": "YS532301Z01", "zh": "演示水质自动站", "en": "Demo water station", "lon": station[0], "lat": station[1], "mn": STATION_MN, "target": "Ⅲ", "source": SOURCE}
        ],
        "tributaries": [{"code": "QLH-LCJ", "zh": "青龙河", "en": "Qinglong River", "lon": mouth[0], "lat": mouth[1], "river": "QLH", "source": SOURCE}],
        "outfalls": by_river["LCJ"],
    }  # fmt: skip
    side = {
        "code": "QLH", "zh": "青龙河（示意）", "en": "Qinglong River (schematic)", "names": ["青龙河"], "schematic": True, "source": SOURCE,
        "line": lines()["QLH"],
        "stretches": [{"from_km": 0, "to_km": 37, "county": "532301", "zh": "楚雄市段", "en": "Chuxiong City", "codes": ["532301-QLH-01"]}],
        "flow": [_flow(0, 37, 0.3, 0.7)],
        "sections": [_section("YS532301D02", "青龙河演示断面", "Qinglong demo section", "QLH", 34.5, "Ⅳ")],
        "outfalls": by_river["QLH"],
    }  # fmt: skip
    return {"rivers": [main, side]}


def cameras(agreement: str) -> dict[str, Any]:
    """Cameras of the drawn picture, one through a gateway that is not there, one suspended."""
    made: list[dict[str, Any]] = []
    sites = (
        ("LCJ", 29.0, "毛板桥下游", "Below Maobanqiao", "demo", "in_service", True),
        ("LCJ", 73.2, "西观桥", "Xiguan Bridge", "demo", "in_service", True),
        ("QLH", 26.0, "青龙河排口", "Qinglong outlet", "demo", "in_service", False),
        ("LCJ", 88.4, "自动站上游", "Above the station", "demo", "in_service", False),
        ("LCJ", 119.5, "牟定河段", "Mouding", "gateway", "in_service", False),
        ("LCJ", 174.6, "元谋河段", "Yuanmou", "demo", "suspended", False),
    )
    for n, (river, km, zh, en, provider, status, public) in enumerate(sites, start=1):
        lon, lat = beside(river, km, 60)
        made.append(
            {
                "code": f"5323000013132{n:07d}",
                "zh": f"{zh}（演示）",
                "en": f"{en} (demo)",
                "place": f"{zh}岸边立杆",
                "lon": lon,
                "lat": lat,
                "river": river,
                "owner": "演示水务局",
                "agreement": agreement,
                "public": public,
                "approval": "演示：水务局同意" if public else "",
                "status": status,
                "provider": provider,
                "source": SOURCE,
            }
        )
    return {"cameras": made}


def write_water(outlets: Outlets, files: Deliveries) -> None:
    """The registers, and the station's hour means of the last evening: above class Ⅲ after an outlet's peak."""
    folder = Path(files.out) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in (("rivers", register(outlets)), ("cameras", cameras(""))):
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8", newline="\n")
    if not outlets.peaks:
        return
    yesterday = outlets.today - timedelta(days=1)
    rows = []
    for hour in range(24):
        moment = datetime.combine(yesterday, datetime.min.time()) + timedelta(hours=hour)
        value = 31.0 if hour == 23 else 11.0 + hour * 0.1
        rows.append(
            outlets.peaks[0]
            | {
                "设备唯一标识MN": STATION_MN, "系统编码ST": "21", "命令编码CN": HOUR_MEAN, "数据时间": moment.isoformat(sep=" "),
                "因子编码": _FACTOR, "最小值": f"{value * 0.9:.3f}", "平均值": f"{value:.3f}", "最大值": f"{value * 1.1:.3f}",
                "企业名称": "演示水质自动站", "统一社会信用代码": "", "排放口编号": "", "排放口名称": "", "标准限值": f"{_STATION_LIMIT:g}",
                "是否超标": "是" if value > _STATION_LIMIT else "否",
                "报文接收时间": (moment + timedelta(hours=1, minutes=2)).isoformat(sep=" "),
            }
        )  # fmt: skip
    files.csv_rows(
        "ee_auto_monitor",
        rows,
        day=0,
        period=f"{yesterday:%Y%m%d}_水质站",
        covers=yesterday,
        encoding="utf-8",
    )
    outlets.truth.alarm("discharge_reading", STATION_MN, _FACTOR, yesterday, 31.0 / _STATION_LIMIT)
