"""Discharge permits, water quality, hazardous waste and water intakes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from chuxiong.demo import identifiers, places
from chuxiong.demo.calendar import month_first, month_last
from chuxiong.demo.defects import Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.firms import Firm
from chuxiong.demo.truth import Class
from chuxiong.demo.world import World, iso, single

#: section code, name, river, county, lon, lat, target class
SECTIONS = (
    ("532301A001", "西观桥", "龙川江", "532301", 101.546, 25.032, "Ⅳ"),
    ("532302A001", "星宿江水文站", "星宿江", "532302", 102.071, 25.152, "Ⅳ"),
    ("532328A001", "大湾子", "金沙江", "532328", 101.872, 26.052, "Ⅲ"),
    ("532328A002", "江边", "龙川江", "532328", 101.861, 25.981, "Ⅲ"),
    ("532322A001", "绿汁江口", "绿汁江", "532322", 101.641, 24.691, "Ⅲ"),
    ("532322A002", "礼社江口", "礼社江", "532322", 101.332, 24.652, "Ⅲ"),
    ("532324A001", "毛板桥水库", "龙川江", "532324", 101.271, 25.191, "Ⅲ"),
    ("532325A001", "地索村坡脚", "渔泡江", "532325", 101.152, 25.602, "Ⅲ"),
)
#: factor → usual value, mg/L, and the limits of classes Ⅰ to Ⅴ (GB 3838)
_FACTORS = {
    "w21003": (0.30, (0.15, 0.5, 1.0, 1.5, 2.0)),
    "w21011": (0.09, (0.02, 0.1, 0.2, 0.3, 0.4)),
    "w01019": (3.1, (2.0, 4.0, 6.0, 10.0, 15.0)),
    "w01009": (7.6, ()),
    "w01001": (7.8, ()),
}
_CLASSES = ("Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ", "Ⅴ")
_WASTES = (
    ("HW08", "900-214-08", "废矿物油"),
    ("HW31", "900-052-31", "废铅蓄电池"),
    ("HW49", "900-041-49", "沾染废物"),
)


def write_environment(world: World, files: Deliveries) -> None:
    _permits(world, files)
    _water(world, files)
    _waste(world, files)
    _intakes(world, files)


def _permits(world: World, files: Deliveries) -> None:
    """The whole list every month: outlets' owners first; three permits were cancelled since last month's list."""
    dice, today = world.dice("permits"), world.today
    rows = []
    owners = [*world.outlets.owners, *world.firms[: world.plan.size["permits"]]]
    for n, firm in enumerate({f.credit_code: f for f in owners}.values()):
        issued = world.days_ago(dice, 100, 1500)
        for outlet in range(2 if n % 6 == 0 else 1):
            rows.append(_permit(world, dice, firm, issued, n, outlet))
    last, before = month_first(today, -1), month_first(today, -2)
    files.table(
        "ee_discharge_permit",
        rows,
        period=f"{before:%Y%m}",
        covers=month_last(before),
        snapshot=True,
        faults=False,
    )
    gone = {r["permit_no"] for r in rows[-3:]}
    kept = [r for r in rows if r["permit_no"] not in gone]
    files.table("ee_discharge_permit", kept, period=f"{last:%Y%m}", covers=month_last(last), snapshot=True)
    world.truth.end("ee_discharge_permit", files.last_file, len(rows) - len(kept))


def _permit(world: World, dice: Random, firm: Firm, issued: date, n: int, outlet: int) -> Row:
    ends = issued + timedelta(days=1825)
    return {
        "permit_no": identifiers.permit(firm.credit_code, n % 900 + 1), "org_name": firm.name, "uscc": firm.credit_code,
        "mgmt_category": dice.choice(["重点", "简化", "登记"]), "industry": firm.industry, "address": f"云南省楚雄彝族自治州{places.COUNTIES[firm.county]}演示工业园{n}号",
        "lon": f"{101.2 + dice.random():.6f}", "lat": f"{24.8 + dice.random():.6f}", "issuer": "楚雄州生态环境局", "issue_date": iso(issued),
        "valid_from": iso(issued), "valid_to": iso(ends), "permit_status": "有效" if ends > world.today else "过期",
        "outlet_no": f"DW00{outlet + 1}", "pollutants": "化学需氧量、氨氮", "limit_text": "化学需氧量50mg/L；氨氮5mg/L",
        "emission_standard": "GB 18918-2002", "receiving_water": dice.choice(SECTIONS)[2],
    }  # fmt: skip


def _water(world: World, files: Deliveries) -> None:
    """Automatic stations every four hours, and the monthly laboratory rounds of three months."""
    dice, today = world.dice("water"), world.today
    auto: list[Row] = []
    for back in range(world.plan.size["water_days"], 0, -1):
        day = datetime.combine(today - timedelta(days=back), datetime.min.time())
        for hour in range(0, 24, 4):
            for section in SECTIONS:
                auto += _sample(world, dice, section, day + timedelta(hours=hour), "自动站")
    for back in (3, 2, 1):
        first = month_first(today, -back)
        at = datetime.combine(first, datetime.min.time()) + timedelta(days=4, hours=10)
        manual = [
            row
            for section in SECTIONS
            for row in _sample(world, dice, section, at, "手工", _FOUL.get((str(section[0]), back), ()))
        ]
        files.table(
            "ee_surface_water", manual, period=f"{first:%Y%m}_手工", covers=month_last(first), faults=False
        )
    _below_target(world)
    files.table(
        "ee_surface_water",
        auto,
        period=f"{today - timedelta(days=1):%Y%m%d}_自动站",
        covers=today - timedelta(days=1),
        spare=lambda r: r["section_code"] == SECTIONS[0][0],
    )


#: (section, months back) → factors foul in that month's laboratory round
_FOUL: dict[tuple[str, int], tuple[str, ...]] = {
    **{("532301A001", back): ("w21003", "w21011") for back in (3, 2, 1)},
    **{("532324A001", back): ("w21011", "w01019") for back in (3, 2, 1)},
    **{("532302A001", back): ("w21003",) for back in (2, 1)},
    **{("532325A001", back): ("w01019",) for back in (3, 1)},
    ("532322A001", 2): ("w21003",), ("532328A002", 3): ("w21011",),
}  # fmt: skip


def _below_target(world: World) -> None:
    """What the laboratory rounds come to: worse than the section's target in two rounds of one factor, or in one."""
    found: dict[tuple[str, str], list[int]] = {}
    for (section, back), factors in _FOUL.items():
        for factor in factors:
            found.setdefault((section, factor), []).append(back)
    for (section, factor), months in found.items():
        day = month_first(world.today, -max(months)) + timedelta(days=4)
        cls: Class = "hit" if len(months) > 1 else "near_miss"
        why = f"{len(months)} 次手工监测劣于水质目标"
        world.truth.expect(
            "section_below_target", "again" if cls == "hit" else "once", cls, "place", section, why,
            {"factor": factor, "rounds": len(months)}, bucket=f"{factor} {iso(day)}",
        )  # fmt: skip


def _sample(
    world: World, dice: Random, section: tuple[object, ...], at: datetime, method: str, fouled: tuple[str, ...] = ()
) -> list[Row]:  # fmt: skip
    code, name, river, county, lon, lat, target = section
    foul = code == SECTIONS[0][0] and at.date() >= world.today - timedelta(days=2)
    rows = []
    for factor, (usual, limits) in _FACTORS.items():
        value = (
            usual
            * (0.8 + dice.random() * 0.4)
            * (8.0 if factor in fouled else 6.0 if foul and factor == "w21003" else 1.0)
        )
        found = (
            next((c for c, limit in zip(_CLASSES, limits, strict=True) if value <= limit), "劣Ⅴ")
            if limits
            else ""
        )
        low = factor == "w21011" and dice.random() < 0.04 and not fouled
        rows.append(
            {
                "section_code": code, "section_name": name, "river_name": river, "section_level": "国控", "division_code": county, "lon": f"{lon:.6f}",
                "lat": f"{lat:.6f}", "target_class": target, "monitor_time": at.isoformat(sep=" "), "method": method, "factor": factor,
                "value": "0.01L" if low else f"{value:.3f}", "unit": "mg/L", "quality_class": "" if low else found, "station_status": "正常",
            }
        )  # fmt: skip
    return rows


def _waste(world: World, files: Deliveries) -> None:
    """Producers of every trade, and the garages; last month's revised."""
    dice, today = world.dice("waste"), world.today
    rows = []
    for n in range(world.plan.size["waste"]):
        firm, receiver = world.firms[n * 2 % len(world.firms)], world.firms[n * 5 % len(world.firms)]
        category, code, name = _WASTES[n % len(_WASTES)]
        planned = dice.randint(5, 400) / 10
        row = {
            "producer_name": firm.name, "producer_uscc": firm.credit_code, "industry": firm.industry, "division_code": firm.county,
            "address": f"{places.COUNTIES[firm.county]}演示路{n}号", "plan_year": str(today.year), "mgmt_category": "登记管理", "plan_no": f"JH{today.year}{n:06d}",
            "plan_filed_date": f"{today.year}-01-{n % 27 + 1:02d}", "waste_category": category, "waste_code": code, "waste_name": name,
            "planned_generate_qty": f"{planned:g}", "planned_transfer_qty": f"{planned:g}", "stored_qty": "0", "plan_unit": "吨",
            "contact_name": single(dice), "phone": identifiers.phone(61_000_000 + n),
        }  # fmt: skip
        if n % 7 == 3:
            rows.append(row | {"_planted": "1"})
            world.truth.expect(
                "repair_waste_not_handed_over", "other_trade", "near_miss", "organisation", firm.credit_code,
                "有危废管理计划而没有转移联单，但不是机动车维修企业",
            )  # fmt: skip
            continue
        for k in range(2):
            moved = world.days_ago(dice, 30, 300)
            rows.append(
                row
                | {
                    "manifest_no": f"{today.year}5323{n:06d}{k}", "manifest_status": "办结", "transfer_date": iso(moved), "transferred_qty": f"{planned / 2:.3f}",
                    "transfer_unit": "吨", "carrier_name": "楚雄演示危货运输有限公司", "plate_no": world.plate(world.person(world.workers[n % 60])),
                    "receiver_name": receiver.name, "receiver_uscc": receiver.credit_code, "receiver_licence_no": f"YN{n % 9:04d}", "disposal_method": "R9",
                    "receive_date": iso(moved + timedelta(days=1)), "received_qty": f"{planned / 2:.3f}", "cross_province": "否",
                }
            )  # fmt: skip
    rows += _garages(world, dice)
    last = month_first(today, -1)
    files.table(
        "ee_hazardous_waste",
        rows,
        period=f"{last:%Y%m}",
        covers=month_last(last),
        spare=lambda r: bool(r.get("_planted")),
    )
    revised = [r | {"received_qty": f"{float(r['received_qty']) * 0.98:.3f}"} for r in rows if _plain(r)][-2:]
    files.table(
        "ee_hazardous_waste", revised, period=f"{last:%Y%m}_更正", covers=month_last(last), faults=False
    )
    for at in range(len(revised)):
        world.truth.defect("ee_hazardous_waste", files.last_file, at + 2, "D21", "revised")


_GARAGE_SAYS: dict[str, tuple[Class, str]] = {
    "kept": ("hit", "备案危废管理计划后一年内没有转移联单"),
    "handed_over": ("near_miss", "一年内有转移联单"),
    "closed": ("near_miss", "已注销"),
    "no_waste": ("near_miss", "计划产生量为零"),
    "young": ("undecided", "备案未满一年，联单数据尚未覆盖"),
}


def _garages(world: World, dice: Random) -> list[Row]:
    """PI-05: motor repair shops that filed a plan: what became of their oil within a year."""
    covers = month_last(month_first(world.today, -1))
    rows = []
    for n, (firm, kind) in enumerate(world.garages):
        filed = covers - timedelta(days=100 + n if kind == "young" else 380 + n * 3)
        planned = 0 if kind == "no_waste" else dice.randint(5, 80) / 10
        row = {
            "producer_name": firm.name, "producer_uscc": firm.credit_code, "industry": "机动车修理", "division_code": firm.county,
            "address": f"{places.COUNTIES[firm.county]}演示汽修街{n + 1}号", "plan_year": str(filed.year), "mgmt_category": "登记管理",
            "plan_no": f"JH{filed.year}8{n:05d}", "plan_filed_date": iso(filed), "waste_category": "HW08", "waste_code": "900-214-08",
            "waste_name": "废矿物油", "planned_generate_qty": f"{planned:g}", "planned_transfer_qty": f"{planned:g}", "stored_qty": "0",
            "plan_unit": "吨", "contact_name": single(dice), "phone": identifiers.phone(62_000_000 + n), "_planted": "1",
        }  # fmt: skip
        if kind == "handed_over":
            moved = filed + timedelta(days=30 + n * 20)
            row |= {
                "manifest_no": f"{moved.year}53238{n:05d}0", "manifest_status": "办结", "transfer_date": iso(moved), "transferred_qty": f"{planned:.3f}",
                "transfer_unit": "吨", "carrier_name": "楚雄演示危货运输有限公司", "receiver_name": world.firms[0].name, "receiver_uscc": world.firms[0].credit_code,
                "receiver_licence_no": "YN0001", "disposal_method": "R9", "receive_date": iso(moved + timedelta(days=1)), "received_qty": f"{planned:.3f}",
                "cross_province": "否",
            }  # fmt: skip
        rows.append(row)
        cls, why = _GARAGE_SAYS[kind]
        world.truth.expect("repair_waste_not_handed_over", kind, cls, "organisation", firm.credit_code, why)
    return rows


def _plain(row: Row) -> bool:
    return str(row.get("received_qty", "")).replace(".", "").isdigit() and bool(row.get("manifest_no"))


#: every second intake is planted, in this order; "above" holds a permit that a year's sum would exceed
_INTAKES = (
    "none",
    "expired",
    "none",
    "household",
    "expired",
    "idle",
    "none",
    "above",
    "unmetered",
    "ends_now",
)
_INTAKE_SAYS: dict[str, tuple[Class, str]] = {
    "none": ("hit", "有取水口和取水量而没有许可证"),
    "expired": ("hit", "许可证过期后继续取水"),
    "household": ("near_miss", "家庭生活取水，无需许可"),
    "idle": ("near_miss", "没有许可证，也没有取水"),
    "above": ("near_miss", "持有效许可证，取水量超过许可水量"),
    "unmetered": ("undecided", "没有许可证，取水量未填写"),
    "ends_now": ("near_miss", "许可证在最后一个计量月之内到期"),
}


def _intakes(world: World, files: Deliveries) -> None:
    """Six months a file, one row an intake and month; some without a permit in force."""
    dice, today = world.dice("intakes"), world.today
    intakes = []
    for n in range(world.plan.size["intakes"]):
        firm = world.firms[n * 3 % len(world.firms)]
        kind = _INTAKES[n // 2 % len(_INTAKES)] if n % 2 == 1 else ""
        intakes.append((_intake(world, dice, firm, n, kind), kind))
        if kind:
            code = intakes[-1][0]["intake_code"]
            cls, why = _INTAKE_SAYS[kind]
            world.truth.expect(
                "water_without_permit", kind, cls, "place", code, why, {"holder": firm.credit_code}
            )
    for half in (1, 0):
        rows = []
        for back in range(3 * half + 3, 3 * half, -1):
            first = month_first(today, -back)
            for row, kind in intakes:
                volume = 20_000.0 / 12 * (0.5 + dice.random() * 0.4) * (4 if kind == "above" else 1)
                volume = 0.0 if kind == "idle" else volume
                rows.append(
                    row
                    | {
                        "meter_month": f"{first:%Y%m}",
                        "actual_volume_m3": "" if kind == "unmetered" else f"{volume:.1f}",
                        "paid_cny": f"{volume * 0.2:.2f}",
                        "_planted": kind,
                    }
                )
        last = month_first(today, -3 * half - 1)
        files.table(
            "wr_water_abstraction",
            rows,
            period=f"{month_first(today, -3 * half - 3):%Y%m}至{last:%Y%m}",
            covers=month_last(last),
            faults=bool(half),
            spare=lambda r: bool(r["_planted"]),
        )


def _intake(world: World, dice: Random, firm: Firm, n: int, kind: str) -> Row:
    issued = world.days_ago(dice, 400, 1500)
    row = {
        "intake_code": f"{firm.county}G{n:05d}", "intake_name": f"{places.COUNTIES[firm.county]}取水口{n}", "holder_name": firm.name,
        "holder_uscc": firm.credit_code, "address": f"{places.COUNTIES[firm.county]}演示河段", "division_code": firm.county, "source_type": "地表水",
        "usage": "工业", "industry": firm.industry, "designed_flow_m3h": "30", "meter_type": "在线", "issuer": f"{places.COUNTIES[firm.county]}水务局",
    }  # fmt: skip
    if kind == "household":
        row["usage"] = "家庭生活"
    if kind in ("none", "household", "idle", "unmetered"):
        return row
    ends = {
        "expired": world.today - timedelta(days=200),
        "ends_now": month_first(world.today, -1) + timedelta(days=9),
    }.get(kind, issued + timedelta(days=3650))
    return row | {
        "permit_no": f"D{firm.county}G{issued.year}-{n:04d}",
        "permit_volume_wan_m3": "2",
        "valid_from": iso(issued),
        "valid_to": iso(ends),
    }
