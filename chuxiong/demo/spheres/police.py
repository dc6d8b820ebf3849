"""Criminal cases, sealed penalties, hotel guests and road accidents."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from chuxiong.demo import names, places
from chuxiong.demo.defects import Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.firms import Firm
from chuxiong.demo.people import Person
from chuxiong.demo.spheres.filing import case_number, crash_rows, crime_row, of_refused, office
from chuxiong.demo.truth import Class
from chuxiong.demo.world import World, after, iso, moment

_ETHNIC = {"汉族": "01", "彝族": "07", "苗族": "06", "傈僳族": "20", "白族": "14", "傣族": "18", "回族": "03"}
_VIOLATIONS = ("殴打他人", "赌博", "盗窃", "吸毒", "阻碍执行职务", "未按规定登记住宿人员信息", "寻衅滋事")
_FORMS = ("追尾", "正面相撞", "侧面相撞", "刮撞行人", "翻车", "单车", "其他")


def write_police(world: World, files: Deliveries) -> None:
    _crimes(world, files)
    _penalties(world, files)
    _stays(world, files)
    _accidents(world, files)


# ---- criminal cases --------------------------------------------------------------------------


def _crimes(world: World, files: Deliveries) -> None:
    dice, today = world.dice("crimes"), world.today
    rows = [
        _of_docket(world, dice, row, n)
        for n, row in enumerate(world.docket.rows[: world.plan.size["crimes"]])
        if row["案件类别"] == "审查起诉"
    ]
    rows += [_open(world, dice, len(rows) + n) for n in range(world.plan.size["crimes"] // 4)]
    rows += _detained(world, dice, len(rows))
    rows += _on_bail(world, dice, len(rows))
    rows += _reported(world, dice, len(rows))
    rows += of_refused(world)
    day = today - timedelta(days=1)
    files.table(
        "ps_criminal_case", rows, period=f"{day:%Y%m%d}", covers=day, spare=lambda r: bool(r.get("_planted"))
    )
    # The state of the case comes later: the same rows once more, transferred meanwhile (D21).
    moved = [r | {"case_status": "移送起诉", "transfer_date": iso(day)} for r in rows if r.get("_open")][:5]
    files.table("ps_criminal_case", moved, period=f"{today:%Y%m%d}_补录", covers=day, faults=False)
    for at in range(len(moved)):
        world.truth.defect("ps_criminal_case", files.last_file, at + 2, "D21", "revised")


def _of_docket(world: World, dice: Random, case: Row, n: int) -> Row:
    """The police side of a case that the prosecutors have: same suspect, charge and amount."""
    accepted = date.fromisoformat(_day(case["受理日期"])) - timedelta(days=dice.randint(40, 110))
    county = next(
        (c for c, name in places.COUNTIES.items() if str(case["承办单位"]).startswith(name)), "532301"
    )
    measure = "取保" if case["强制措施"] == "取保候审" else "逮捕"
    return crime_row(world, dice, county, accepted, n, str(case["案由（罪名）"])) | {
        "suspect_no": str(case["当事人编号"]), "suspect_name": str(case["当事人姓名"]),
        "suspect_citizen_id": str(case["当事人证件号码"]), "victim_name": str(case["被害人姓名"]),
        "measure_type": measure, "case_status": "移送起诉", "transfer_date": str(_day(case["受理日期"])),
        "amount_cny": str(_number(case["涉案金额（元）"])),
    }  # fmt: skip


def _day(cell: object) -> str:
    """The docket's cell as a day; one that carries a planted fault is read as any day."""
    try:
        return date.fromisoformat(str(cell)).isoformat()
    except ValueError:
        return "2026-03-02"


def _number(cell: object) -> int:
    text = str(cell)
    return int(text) if text.isdigit() else 20_000


def _open(world: World, dice: Random, n: int) -> Row:
    """Cases still with the police, some without a known suspect."""
    accepted = world.days_ago(dice, 2, 60)
    person, charge = world.anyone(dice), dice.choice(["盗窃罪", "诈骗罪", "故意伤害罪", "危险驾驶罪"])
    row = crime_row(world, dice, person.county, accepted, 500_000 + n, charge) | {"_open": "1"}
    if dice.random() < 0.3:
        return row | {
            "filing_mode": "以事立案",
            "measure_no": "",
            "measure_type": "",
            "measure_date": "",
            "measure_until": "",
        }
    return row | {"suspect_no": "001", "suspect_name": person.name, "suspect_citizen_id": person.citizen_id}


def _detained(world: World, dice: Random, start: int) -> list[Row]:
    """CR-02: detained, released without a decision and never handed over; others were handed over or withdrawn."""
    rows = []
    for number in range(20):
        person = world.take("workers")
        kind: Class = ("hit", "near_miss", "near_miss", "near_miss")[number % 4]
        accepted = world.days_ago(dice, 800, 900) if number % 4 < 3 else world.days_ago(dice, 260, 360)
        row = crime_row(world, dice, person.county, accepted, 700_000 + start + number, "诈骗罪")
        held = date.fromisoformat(row["measure_date"])
        row |= {"suspect_no": "001", "suspect_name": person.name, "suspect_citizen_id": person.citizen_id,
                "measure_end_date": iso(held + timedelta(days=30)), "_planted": "cr02"}  # fmt: skip
        if number % 4 == 1:
            row |= {"case_status": "移送起诉", "transfer_date": iso(held + timedelta(days=70))}
        if number % 4 == 2:
            row |= {
                "case_status": "撤案",
                "withdraw_date": iso(held + timedelta(days=60)),
                "close_reason": "没有犯罪事实",
            }
        why = ("刑拘后二年未移送起诉，也未撤案", "已移送审查起诉", "已撤案", "未满二年")[number % 4]
        world.truth.expect(
            "detained_not_transferred", "detained", kind, "person", person.citizen_id, why,
            {"case": row["police_case_no"]},
        )  # fmt: skip
        rows.append(row)
    return rows


def _reported(world: World, dice: Random, start: int) -> list[Row]:
    """MI-04: cases with a child as the victim, reported around the visit to the hospital."""
    rows = []
    for number, (kind, citizen, name, county) in enumerate(world.register.children):
        if kind not in ("reported", "reported_before"):
            continue
        day = world.visit_day + timedelta(days=1 if kind == "reported" else -9)
        row = crime_row(world, dice, county, day, 800_000 + start + number, "强制猥亵、侮辱罪")
        row |= {
            "report_time": moment(day, dice), "reporter_identity": "医疗机构" if kind == "reported" else "近亲属",
            "victim_name": name, "victim_citizen_id": citizen, "victim_is_minor": "是", "filing_mode": "以事立案",
            "measure_no": "", "measure_type": "", "measure_date": "", "measure_until": "", "_planted": "mi04",
        }  # fmt: skip
        rows.append(row)
    return rows


#: (kind, cases, measure, days since the decision, what else the row says, verdict, why)
_MEASURES: tuple[tuple[str, int, str, tuple[int, int], str, Class, str], ...] = (
    ("bail_over", 5, "取保", (400, 600), "", "hit", "取保候审超过十二个月未解除"),
    ("watch_over", 3, "监视居住", (220, 330), "", "hit", "监视居住超过六个月未解除"),
    ("bail_running", 4, "取保", (200, 340), "", "near_miss", "取保候审未满十二个月"),
    ("watch_running", 3, "监视居住", (60, 170), "", "near_miss", "监视居住未满六个月"),
    ("lifted", 4, "取保", (400, 600), "measure_end_date", "near_miss", "期满已解除"),
    ("transferred", 3, "取保", (400, 600), "transfer_date", "near_miss", "期满前已移送审查起诉"),
    ("unnamed", 3, "", (400, 600), "", "undecided", "强制措施种类未填写"),
)


def _on_bail(world: World, dice: Random, start: int) -> list[Row]:
    """CR-02: bail and residential surveillance during the investigation, lifted on expiry or not."""
    rows: list[Row] = []
    for kind, count, measure, (low, high), ended, cls, why in _MEASURES:
        for _ in range(count):
            person, decided = world.take("workers"), world.days_ago(dice, low, high)
            row = crime_row(
                world,
                dice,
                person.county,
                decided - timedelta(days=20),
                600_000 + start + len(rows),
                "诈骗罪",
            )
            row |= {"suspect_no": "001", "suspect_name": person.name, "suspect_citizen_id": person.citizen_id,
                    "measure_type": measure, "measure_date": iso(decided), "_planted": "cr02",
                    "measure_until": iso(decided + timedelta(days=365 if measure == "取保" else 180))}  # fmt: skip
            if ended:
                row[ended] = iso(decided + timedelta(days=300))
            if ended == "transfer_date":
                row["case_status"] = "移送起诉"
            world.truth.expect("bail_not_lifted", kind, cls, "person", person.citizen_id, why)
            rows.append(row)
    return rows


# ---- penalties -------------------------------------------------------------------------------


def _penalties(world: World, files: Deliveries) -> None:
    dice, today = world.dice("penalties"), world.today
    rows = []
    for n in range(world.plan.size["penalties"]):
        person = world.anyone(dice)
        decided = world.days_ago(dice, 12, 300)
        kind = dice.choice(_VIOLATIONS)
        hotel = dice.choice(world.hotels) if kind == "未按规定登记住宿人员信息" else None
        fine = dice.choice([200, 500, 1000]) if dice.random() < 0.7 else 0
        rows.append(
            {
                "decision_no": f"{places.COUNTIES[person.county][:1]}公（治）行罚决字〔{decided.year}〕{n + 1}号",
                "police_case_no": case_number(person.county, decided, n), "handling_unit": office(person.county),
                "handling_unit_code": f"{person.county}000000", "division_code": person.county, "party_name": hotel.name if hotel else person.name,
                "party_type": "单位" if hotel else "自然人", "party_id": hotel.credit_code if hotel else person.citizen_id,
                "birth_date": "" if hotel else person.birth.isoformat(), "is_minor": "否", "violation_type": kind,
                "violation_time": moment(decided - timedelta(days=dice.randint(1, 20)), dice, 0, 23), "violation_place": f"{places.COUNTIES[person.county]}{person.town}",
                "venue_name": hotel.name if hotel else "", "venue_uscc": hotel.credit_code if hotel else "",
                "violation_fact": f"违法行为人在{person.town}{kind}，有陈述、证人证言等证据证实。", "victim_is_minor": "否",
                "penalty_basis": "《中华人民共和国治安管理处罚法》", "penalty_type": "罚款" if fine else "行政拘留", "fine_cny": str(fine) if fine else "",
                "detention_days": "" if fine else str(dice.randint(3, 15)), "decision_date": iso(decided), "execution_status": "已执行",
                "transferred_criminal": "否", "sealed": "是",
            }
        )  # fmt: skip
    last = today.replace(day=1) - timedelta(days=1)
    old = [r for r in rows if r["decision_date"] <= last.isoformat()]
    files.table("ps_admin_penalty", old, period=f"{last:%Y%m}", covers=last)


# ---- hotels ----------------------------------------------------------------------------------


def _stays(world: World, files: Deliveries) -> None:
    """Two weekly extracts; a room shared by a minor and strangers now and then, registered late at times."""
    dice, today = world.dice("stays"), world.today
    rows: list[Row] = []
    for n in range(world.plan.size["stays"]):
        rows += _room(world, dice, n, world.days_ago(dice, 4, 17), minor=n % 5 == 0)
    rows += _unasked(world, dice, len(rows))
    _hotels_of_minors(world, rows)
    rows += _on_leave(world, dice, len(rows))
    rows.sort(key=lambda r: r["checkin_time"])
    for gap in (9, 2):
        until = today - timedelta(days=gap)
        since = until - timedelta(days=7)
        week = [
            r
            for r in rows
            if since.isoformat() < r["registered_at"][:10] <= until.isoformat()
            or (gap == 9 and r["registered_at"][:10] <= since.isoformat())
        ]
        files.table(
            "ps_hotel_stay",
            week or rows[:1],
            period=f"{until:%Y%m%d}",
            covers=until,
            faults=gap == 9,
            spare=lambda r: bool(r.get("_planted")),
        )


#: (hotels, kind): what the desk did when a minor came
_DESKS = (("not_asked", 6), ("asked", 5), ("with_parent", 4), ("not_filled", 3))


def _unasked(world: World, dice: Random, start: int) -> list[Row]:
    """MI-01: a minor alone or with a stranger, asked or not; one with a parent; one of whom the record does not say."""
    rows: list[Row] = []
    desks = [kind for kind, count in _DESKS for _ in range(count)]
    for number, (hotel, kind) in enumerate(zip(world.hotels, desks, strict=False)):
        for time in range(3 if number < 2 else 1):
            guest = world.anyone(dice)
            came = moment(world.days_ago(dice, 4, 17), dice, 12, 23)
            code, name, birth = _minor(world, dice, guest)
            serial = f"{8_000_000 + start + number * 10 + time}0"
            row = _stay(world, dice, hotel, came, serial, guest, code, name, birth, True)
            row["inquiry_done"] = {"asked": "是", "not_filled": ""}.get(kind, "否")
            if kind == "with_parent":
                row |= {
                    "co_occupant_names": guest.name,
                    "co_occupant_ids": guest.citizen_id,
                    "co_occupant_relation": "父母",
                }
            rows.append(row | {"_planted": "mi01"})
    return rows


def _hotels_of_minors(world: World, rows: list[Row]) -> None:
    """What all stays of minors come to, hotel by hotel: article 57 asks the desk to inquire."""
    seen: dict[str, list[str]] = {}
    for row in rows:
        if row["is_minor"] == "是":
            asked = "是" if row.get("co_occupant_relation") == "父母" else row["inquiry_done"]
            seen.setdefault(row["hotel_uscc"], []).append(asked)
    for hotel, asked in seen.items():
        cls: Class = "hit" if "否" in asked else "undecided" if "" in asked else "near_miss"
        why = {
            "hit": "接待未成年人入住而未询问",
            "undecided": "是否询问未填写",
            "near_miss": "已询问，或者由父母陪同",
        }[cls]
        world.truth.expect(
            "hotel_minor_not_asked", "minors", cls, "organisation", hotel, why, {"stays": asked.count("否")}
        )


def _room(world: World, dice: Random, n: int, day: date, *, minor: bool) -> list[Row]:
    hotel = dice.choice(world.hotels)
    guests = [world.anyone(dice)] + ([world.anyone(dice)] if dice.random() < 0.5 or minor else [])
    came = moment(day, dice, 12, 23)
    rows = []
    for k, guest in enumerate(guests):
        young = minor and k == 0
        number, name, birth = guest.citizen_id, guest.name, guest.birth
        if young:
            number, name, birth = _minor(world, dice, guest)
        rows.append(_stay(world, dice, hotel, came, f"{n:07d}{k}", guest, number, name, birth, young))
    if len(rows) == 2:
        for row, other in zip(rows, reversed(rows), strict=True):
            row |= {"co_occupant_names": other["person_name"], "co_occupant_ids": other["citizen_id"],
                    "co_occupant_relation": "同学朋友"}  # fmt: skip
    return [row | {"_planted": "mi01"} for row in rows] if minor else rows


def _minor(world: World, dice: Random, like: Person) -> tuple[str, str, date]:
    """A child of sixteen from the same place, in nobody's register of adults."""
    from chuxiong.kit.citizen_id import check_digit

    birth = world.today.replace(day=1) - timedelta(days=365 * 16 + dice.randint(0, 300))
    while True:
        body = f"{like.citizen_id[:6]}{birth:%Y%m%d}{dice.randint(0, 999):03d}"
        number = body + check_digit(body)
        if number not in world.people.ids:
            world.people.ids.add(number)
            return number, dice.choice(names.HAN) + dice.choice(names.MALE + names.FEMALE), birth


def _stay(
    world: World, dice: Random, hotel: Firm, came: str, serial: str, guest: Person, number: str, name: str, birth: date, young: bool
) -> Row:  # fmt: skip
    late = dice.random() < 0.05
    return {
        "stay_no": f"LK{came[:10].replace('-', '')}{serial}", "hotel_code": f"{hotel.county}{hotel.credit_code[8:12]}", "hotel_name": hotel.name,
        "hotel_uscc": hotel.credit_code, "hotel_type": "电竞酒店" if "电竞" in hotel.name else "宾馆", "division_code": hotel.county,
        "hotel_address": f"{places.COUNTIES[hotel.county]}城区演示街", "person_name": name, "gender": "1" if int(number[16]) % 2 else "2",
        "ethnicity": _ETHNIC.get(guest.ethnicity, "01"), "birth_date": birth.isoformat(), "is_minor": "是" if young else "否",
        "id_type": "身份证", "citizen_id": number, "household_address": guest.address, "phone": "" if young else guest.phone,
        "room_no": f"{serial[3:6].lstrip('0') or '1'}", "checkin_time": came, "checkout_time": after(came, dice, (600, 1800)),
        "inquiry_done": "是", "reported_police": "否", "register_mode": "补录" if late else "现场核验",
        "registered_at": after(came, dice, (60, 600)) if late else after(came, dice, (1, 5)),
        "guardian_phone": "",
    }  # fmt: skip


#: kind of ``register.away`` → verdict and why
_NIGHTS: dict[str, tuple[Class, str]] = {
    "away": ("hit", "未请假在执行地以外县市住宿"),
    "at_home": ("near_miss", "在执行地县市内住宿"),
    "on_leave": ("near_miss", "请假期间在外住宿"),
    "released": ("near_miss", "已解除矫正"),
    "not_covered": ("undecided", "请假数据尚未报送"),
}


def _on_leave(world: World, dice: Random, start: int) -> list[Row]:
    """CR-10: community-correction subjects in hotels of another county without leave, and with leave."""
    rows: list[Row] = []
    for number, (kind, person, night) in enumerate(world.register.away):
        county = (
            person.county if kind == "at_home" else next(c for c in places.COUNTIES if c != person.county)
        )
        hotel = next(h for h in world.hotels if h.county == county)
        came, serial = moment(night, dice, 18, 21), f"{9_000_000 + start + number}0"
        stay = _stay(
            world, dice, hotel, came, serial, person, person.citizen_id, person.name, person.birth, False
        )
        # Registered at once: a late entry might miss the file.
        stay |= {"registered_at": after(came, dice, (1, 5)), "register_mode": "现场核验", "_planted": "cr10"}
        rows.append(stay)
        cls, why = _NIGHTS[kind]
        world.truth.expect(
            "correction_away_without_leave",
            kind,
            cls,
            "person",
            person.citizen_id,
            why,
            {"stay": stay["stay_no"]},
        )
    return rows


# ---- roads -----------------------------------------------------------------------------------


def _accidents(world: World, files: Deliveries) -> None:
    """Weekly, and this week's is late; liability is added later."""
    dice, today = world.dice("accidents"), world.today
    rows: list[Row] = []
    for n in range(world.plan.size["accidents"]):
        rows += _accident(world, dice, n)
    rows += crash_rows(world)
    late = today - timedelta(days=20)
    old = [r for r in rows if r["accident_time"][:10] <= late.isoformat()]
    files.table(
        "ps_traffic_accident",
        old,
        period=f"{late:%Y%m%d}",
        covers=late,
        spare=lambda r: bool(r.get("_planted")),
    )
    settled = [
        r
        | {"liability": "同等", "determination_no": f"RD{r['accident_no']}", "determination_date": iso(late)}
        for r in old
        if not r["liability"]
    ][:4]
    if settled:
        files.table(
            "ps_traffic_accident", settled, period=f"{late:%Y%m%d}_认定补录", covers=late, faults=False
        )
        for at in range(len(settled)):
            world.truth.defect("ps_traffic_accident", files.last_file, at + 2, "D21", "revised")


#: the first accidents: what the injured received and what the insurance paid (its side: settlements)
_PAID_TWICE = ("paid_twice",) * 6 + ("refunded",) * 4 + ("no_fund",) * 3 + ("no_amount",) * 3


def _accident(world: World, dice: Random, n: int) -> list[Row]:
    kind = _PAID_TWICE[n] if n < len(_PAID_TWICE) else ""
    # Who pays twice and who is alone at fault are there in every prefecture, whatever chance gives.
    alone = not kind and n % 8 == 3
    sure = bool(kind) or alone
    happened = moment(world.days_ago(dice, 60 if sure else 21, 300), dice, 0, 23)
    county = world.county(dice)
    day = datetime.fromisoformat(happened).date()
    hurt = dice.random() < 0.45 or sure
    liability = dice.choice(
        [("全部", "无责"), ("主要", "次要"), ("同等", "同等"), *([] if sure else [("", "")])]
    )
    if alone:
        liability = ("无责", "全部")
    shared = {
        "accident_no": f"{county}{day:%Y}{n:07d}", "alarm_time": after(happened, dice, (1, 20)), "accident_time": happened,
        "accident_place": f"{places.COUNTIES[county]}演示路{n % 60 + 1}公里处", "division_code": county,
        "lon": f"{101.5 + dice.random() * 0.6:.6f}", "lat": f"{25.0 + dice.random() * 0.6:.6f}",
        "accident_class": "伤人事故" if hurt else "财产损失事故", "accident_form": dice.choice(_FORMS),
        "procedure": "一般" if hurt else "简易", "handling_unit": f"{office(county)}交通警察大队",
    }  # fmt: skip
    rows = []
    for k in range(2):
        # Who is hurt is in no other accident.
        person = world.take("workers") if hurt and k == 1 else world.anyone(dice)
        walks = k == 1 and shared["accident_form"] == "刮撞行人"
        injured = hurt and k == 1
        rows.append(
            shared
            | {
                "party_no": str(k + 1), "person_name": person.name, "citizen_id": person.citizen_id, "phone": person.phone,
                "travel_mode": "步行" if walks else "驾驶机动车", "plate_type": "" if walks else "02", "plate_no": "" if walks else world.plate(person),
                "owner_name": "" if walks else person.name, "liability": liability[k], "injury_level": "轻伤" if injured else "无伤",
                "hospital_name": dice.choice(world.hospitals).name if injured else "", "property_loss_cny": str(dice.randint(2, 90) * 100),
                "violation_text": "未按规定让行" if k == 0 else "", "hit_and_run": "否", "insurer_name": "演示财产保险股份有限公司",
                "determination_no": f"RD{shared['accident_no']}" if liability[0] else "", "determination_date": iso(day + timedelta(days=12)) if liability[0] else "",
                "bac_mg_100ml": "0", "mediation_result": "未申请",
            }
        )  # fmt: skip
    if kind:
        # Mediated by the traffic police: the other side has paid for the injury.
        rows[0]["_planted"] = rows[1]["_planted"] = "1"
        paid = "" if kind == "no_amount" else str(dice.randint(60, 400) * 100)
        rows[1] |= {"mediation_result": "达成协议", "compensation_cny": paid}
        world.paid_twice[rows[1]["citizen_id"]] = kind
    if hurt and liability[0]:
        rows[0]["_planted"] = rows[1]["_planted"] = "1"
        world.injured.append((world_person(rows[1]), day, rows[1]["liability"], rows[0]["liability"]))
    return rows


def world_person(row: Row) -> tuple[str, str]:
    """(number, name) of an injured party."""
    return row["citizen_id"], row["person_name"]
