"""School staff, the hotline, cameras, and the procuratorates' own indicators."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from chuxiong.demo import places
from chuxiong.demo.calendar import month_first, month_last
from chuxiong.demo.defects import Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.firms import Firm
from chuxiong.demo.truth import Class
from chuxiong.demo.world import World, after, iso, moment

_INDICATORS = (
    ("XS01", "捕前认罪认罚适用率", "刑事"), ("XS02", "审查起诉平均办案时长（天）", "刑事"), ("XS03", "追赃挽损率", "刑事"), ("XS04", "退回补充侦查率", "刑事"),
    ("MS01", "民事检察支持起诉件数", "民事"), ("MS02", "民事再审检察建议采纳率", "民事"), ("XZ01", "行政违法行为监督件数", "行政"),
    ("GY01", "公益诉讼诉前整改率", "公益"), ("GY02", "公益诉讼立案件数", "公益"), ("WJ01", "未成年人附条件不起诉件数", "未检"), ("KS01", "控告申诉七日回复率", "控申"),
)  # fmt: skip
_CATEGORIES = ("欠薪", "环境", "市容", "食品", "物业", "道路")


def write_public(world: World, files: Deliveries) -> None:
    _staff(world, files)
    _hotline(world, files)
    _cameras(world, files)
    _indicators(world, files)


def _staff(world: World, files: Deliveries) -> None:
    """Each county sends its whole list in its own layout (D33); a person absent from the county's list has left."""
    dice, today = world.dice("staff"), world.today
    rows: list[Row] = []
    for n in range(world.plan.size["staff"]):
        school = world.schools[n % len(world.schools)]
        person = world.person(world.workers[n * 2 % (len(world.workers) * 2 // 3)])
        rows.append(_employed(world, dice, person.name, person.citizen_id, school, n))
    rows += _with_a_record(world, dice)
    rows = list({(r["citizen_id"], r["org_name"]): r for r in rows}.values())
    term = date(today.year if today.month >= 9 else today.year - 1, 9, 1)
    covers = max(term + timedelta(days=20), today - timedelta(days=150))
    city = [r for r in rows if r["division_code"] == "532301"]
    rest = [r for r in rows if r["division_code"] != "532301"]
    gone = [r for r in city if not r.get("_planted")][-1:]
    before = covers - timedelta(days=180)
    files.table(
        "ed_school_staff", city, period=f"{before:%Y%m}_楚雄市", covers=before, snapshot=True, faults=False
    )
    files.table(
        "ed_school_staff",
        rest,
        period=f"{covers:%Y%m}_其他县市",
        covers=covers,
        snapshot=True,
        spare=lambda r: bool(r.get("_planted")),
    )
    world.truth.defect("ed_school_staff", files.last_file, 0, "D33", "mended")
    left = {(r["citizen_id"], r["org_name"]) for r in gone}
    now = [r for r in city if (r["citizen_id"], r["org_name"]) not in left]
    files.table(
        "ed_school_staff", now, period=f"{covers:%Y%m}_楚雄市", covers=covers, snapshot=True, faults=False
    )
    world.truth.end("ed_school_staff", files.last_file, len(left))


_RECORDS: dict[str, tuple[Class, str]] = {
    "not_checked": ("hit", "有性侵害、虐待、拐卖或暴力伤害的判决而在岗，入职未作查询"),
    "found_and_kept": ("hit", "查询有记录而继续聘用"),
    "checked_before": ("hit", "入职查询在判决之前，此后未再查询"),
    "left": ("near_miss", "查询有记录后已离职"),
    "other_charge": ("near_miss", "所犯不属于应当查询的行为"),
    "no_answer": ("undecided", "是否查询、查询日期、查询结果都未填写"),
}


def _with_a_record(world: World, dice: Random) -> list[Row]:
    """People with a judgment in the register of sentences who work, or worked, in a school."""
    rows = []
    for number, (kind, person, judged) in enumerate(world.register.staff):
        school = world.schools[number * 3 % len(world.schools)]
        row = _employed(world, dice, person.name, person.citizen_id, school, 70_000 + number)
        hired = (
            judged - timedelta(days=300)
            if kind == "checked_before"
            else world.today - timedelta(days=100 + number)
        )
        checked = hired - timedelta(days=7)
        row |= {
            "hire_date": iso(hired),
            "background_checked": "否",
            "check_date": "",
            "check_no": "",
            "check_result": "",
            "_planted": "1",
        }
        if kind in ("found_and_kept", "left", "checked_before"):
            row |= {"background_checked": "是", "check_date": iso(checked), "check_no": f"CX7{number:06d}",
                    "check_result": "无记录" if kind == "checked_before" else "有记录"}  # fmt: skip
        if kind == "left":
            row["leave_date"] = iso(world.today - timedelta(days=30))
        if kind == "no_answer":
            row["background_checked"] = ""
        rows.append(row)
        cls, why = _RECORDS[kind]
        world.truth.expect(
            "school_staff_with_record", kind, cls, "person", person.citizen_id, why, {"school": school.name}
        )
    return rows


def _employed(world: World, dice: Random, name: str, number: str, school: Firm, n: int) -> Row:
    hired = world.days_ago(dice, 60, 3000)
    done = hired > world.today - timedelta(days=1000)
    return {
        "person_name": name, "citizen_id": number, "org_name": school.name, "org_type": "小学", "org_uscc": school.credit_code,
        "position_type": dice.choice(["教师", "教师", "工勤", "安保"]), "is_on_roll": "是", "teacher_cert_no": f"2015532{n:010d}", "hire_date": iso(hired),
        "background_checked": "是" if done else "否", "check_date": iso(hired - timedelta(days=7)) if done else "", "check_no": f"CX{n:07d}" if done else "",
        "check_result": "无记录" if done else "", "division_code": school.county,
    }  # fmt: skip


def _hotline(world: World, files: Deliveries) -> None:
    """Orders of the last weeks; a file a day for the last two days, and orders closed meanwhile (D21)."""
    dice, today = world.dice("hotline"), world.today
    rows = [_order(world, dice, n) for n in range(world.plan.size["hotline"])]
    rows.sort(key=lambda r: r["call_time"])
    day, before = today - timedelta(days=1), today - timedelta(days=2)
    early = [r for r in rows if r["call_time"][:10] <= before.isoformat()]
    late = [r for r in rows if r["call_time"][:10] == day.isoformat()]
    closed = [
        r | {"close_time": moment(day, dice), "result_text": "已处理。", "satisfaction": "满意"}
        for r in early
        if not r["close_time"]
    ][:6]
    files.table("um_hotline_12345", early, period=f"{before:%Y%m%d}", covers=before)
    files.table("um_hotline_12345", late + closed, period=f"{day:%Y%m%d}", covers=day, faults=False)
    for at in range(len(closed)):
        world.truth.defect("um_hotline_12345", files.last_file, len(late) + at + 1, "D21", "revised")


def _order(world: World, dice: Random, n: int) -> Row:
    person = world.anyone(dice)
    called = moment(world.days_ago(dice, 1, 40), dice, 7, 22)
    kind = dice.choice(_CATEGORIES)
    firm = world.firm(dice)
    done = called < (world.today - timedelta(days=9)).isoformat()
    return {
        "order_no": f"RX{called[:10].replace('-', '')}{n:06d}", "channel": dice.choice(["电话", "微信", "网站"]), "call_time": called,
        "caller_name": f"{person.name[0]}先生" if person.male else f"{person.name[0]}女士", "caller_phone": person.phone,
        "request_type": dice.choice(["投诉", "求助", "举报"]), "category": kind, "title": f"反映{kind}问题", "content": f"来电人反映{person.town}{kind}问题，请有关单位核实处理。",
        "incident_address": f"{places.COUNTIES[person.county]}{person.town}", "division_code": person.county, "lon": f"{101.4 + dice.random() * 0.5:.6f}",
        "lat": f"{25.0 + dice.random() * 0.5:.6f}", "target_org": firm.name, "handling_unit": f"{places.COUNTIES[person.county]}综合行政执法局",
        "deadline": after(called, dice, (10_080, 10_081)), "close_time": after(called, dice, (600, 9000)) if done else "", "redo_count": "0",
        "result_text": "已现场处理并回复。" if done else "", "satisfaction": "满意" if done else "",
    }  # fmt: skip


def _cameras(world: World, files: Deliveries) -> None:
    """Events of river and outfall cameras: some torn off in transit and sent again (D24), one clock ahead (D25)."""
    dice, today = world.dice("cameras"), world.today
    rows = []
    for n in range(world.plan.size["cameras"]):
        river = places.RIVERS[n % len(places.RIVERS)]
        for k in range(4):
            at = datetime.combine(today - timedelta(days=1 + k * 3), datetime.min.time()) + timedelta(
                hours=6 + k * 3, minutes=n % 60
            )
            event = dice.choice(["垃圾堆放", "漂浮物", "离线", "人工抓拍"])
            rows.append(
                {
                    "channel_id": f"{river[2]}0000131{n % 10_000_000:07d}", "device_id": f"{river[2]}00002000{n % 1_000_000:06d}", "channel_name": f"{river[0]}{n}号",
                    "scene": "河道", "owner_org": f"{places.COUNTIES[river[2]]}水务局", "civil_code": river[2], "address": f"{river[0]}沿岸", "lon": f"{river[3]:.6f}",
                    "lat": f"{river[4]:.6f}", "codec": "H.264", "online": "否" if event == "离线" else "是", "event_id": f"EV{at:%Y%m%d}{n:05d}{k}", "event_type": event,
                    "event_time": at.isoformat(sep=" "), "snapshot_url": "", "clip_ref": "", "confidence": f"{0.7 + dice.random() * 0.29:.2f}",
                    "disposal_status": dice.choice(["未处置", "已派单", "已处置", "误报"]), "work_order_no": "",
                }
            )  # fmt: skip
    rows.sort(key=lambda r: (r["event_time"], r["channel_id"]))
    day = today - timedelta(days=1)
    again = rows[5:8]
    files.table(
        "vd_enforcement_video", [r for r in rows if r not in again], period=f"{day:%Y%m%d}", covers=day
    )
    files.table("vd_enforcement_video", again, period=f"{day:%Y%m%d}_补传", covers=day, faults=False)
    for place in range(len(again)):
        world.truth.defect("vd_enforcement_video", files.last_file, place + 1, "D24", "mended")


def _indicators(world: World, files: Deliveries) -> None:
    """Eleven procuratorates, eleven indicators, two months. The last file has drifted: it is held (D29)."""
    dice, today = world.dice("indicators"), world.today
    for back in (2, 1):
        first = month_first(today, -back)
        rows = [
            _figure(dice, unit, name, indicator, first)
            for unit, name in _units()
            for indicator in _INDICATORS
        ]
        files.table(
            "pr_quality_indicator", rows, period=f"{first:%Y%m}", covers=month_last(first), faults=back == 2
        )
    files.table("pr_quality_indicator", [r | {"value": "0"} for r in rows], period=f"{month_first(today, -1):%Y%m}_新表样", covers=month_last(month_first(today, -1)),
                faults=False, lacks=("numerator", "denominator"), adds={"本期数": "1"})  # fmt: skip
    world.truth.defect("pr_quality_indicator", files.last_file, 0, "D29", "held")


def _units() -> list[tuple[str, str]]:
    return [
        ("532300", "楚雄彝族自治州人民检察院"),
        *((code, places.prosecutors(code)) for code in places.COUNTIES),
    ]


def _figure(dice: Random, unit: str, name: str, indicator: tuple[str, str, str], first: date) -> Row:
    code, title, line = indicator
    base = dice.randint(20, 90)
    part = int(base * (0.3 + dice.random() * 0.6))
    return {
        "unit_code": unit, "unit_name": name, "indicator_code": code, "indicator_name": title, "business_line": line, "period": f"{first:%Y%m}",
        "numerator": str(part), "denominator": str(base), "value": f"{part / base * 100:.2f}", "value_last_year": f"{part / base * 96:.2f}",
        "definition": f"{title}：分子除以分母", "source_report": "案件质量月报",
    }  # fmt: skip
