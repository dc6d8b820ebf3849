"""Death certificates, social assistance rolls and medical-insurance settlements."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from chuxiong.demo import identifiers, places
from chuxiong.demo.calendar import month_first, month_last
from chuxiong.demo.defects import Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.people import Person
from chuxiong.demo.truth import Class
from chuxiong.demo.world import World, after, iso, moment, single

_ETHNIC = {"汉族": "01", "彝族": "07", "苗族": "06", "傈僳族": "20", "白族": "14", "傣族": "18", "回族": "03"}
_CAUSES = (
    ("脑血管病", "I64.x00"),
    ("慢性阻塞性肺疾病", "J44.900"),
    ("急性心肌梗死", "I21.900"),
    ("胃恶性肿瘤", "C16.900"),
)
_DIAGNOSES = (
    ("高血压", "I10.x00"),
    ("2型糖尿病", "E11.900"),
    ("上呼吸道感染", "J06.900"),
    ("慢性胃炎", "K29.500"),
    ("腰椎间盘突出", "M51.202"),
)


def write_welfare(world: World, files: Deliveries) -> None:
    _certificates(world, files)
    _assistance(world, files)
    _settlements(world, files)


# ---- deaths ----------------------------------------------------------------------------------


def _known_dead(world: World) -> list[tuple[Person, date, bool]]:
    """(person, day of death, planted): deaths that both other registers hold, and the background."""
    found = []
    for index in world.register.background_dead:
        day = month_first(world.today, int(world.register.death_month[index]) - world.plan.months)
        found.append((world.person(index), day + timedelta(days=int(world.register.death_day[index])), False))
    for part in world.register.parts.values():
        if part.death and part.police_death and part.cremated:
            found.append((part.person, part.death, True))
    return sorted(found, key=lambda item: (item[1], item[0].index))


def _certificates(world: World, files: Deliveries) -> None:
    """Two files: up to the month before last, and last month with some of the older ones that came late (D21)."""
    dice, today = world.dice("certificates"), world.today
    last = month_first(today, -1)
    rows = []
    for n, (person, day, planted) in enumerate(_known_dead(world)):
        if dice.random() < 0.25 and not planted:
            continue  # died at home, no certificate was entered
        rows.append(_certificate(world, dice, person, day, n) | {"_planted": planted})
    old = [r for r in rows if r["death_date"][:10] < last.isoformat()]
    new = [r for r in rows if r["death_date"][:10] >= last.isoformat()]
    late, old = old[-3:], old[:-3]
    files.table(
        "hh_death_certificate",
        old,
        period=f"至{month_first(today, -2):%Y%m}",
        covers=month_last(month_first(today, -2)),
        spare=lambda r: bool(r["_planted"]),
    )
    files.table(
        "hh_death_certificate", late + new, period=f"{last:%Y%m}", covers=month_last(last), faults=False
    )
    for at in range(len(late)):
        world.truth.defect("hh_death_certificate", files.last_file, at + 2, "D21", "mended")


def _certificate(world: World, dice: Random, person: Person, day: date, n: int) -> Row:
    cause, code = dice.choice(_CAUSES)
    hospital = next(h for h in world.hospitals if h.county == person.county)
    return {
        "cert_no": f"53{person.county[2:]}{day:%Y}{n:06d}", "person_name": person.name, "citizen_id": person.citizen_id,
        "gender": "1" if person.male else "2", "ethnicity": _ETHNIC.get(person.ethnicity, "01"), "birth_date": person.birth.isoformat(),
        "death_date": moment(day, dice, 0, 23), "death_place": dice.choice(["医疗机构", "家中", "家中"]), "underlying_cause": cause, "icd10": code,
        "household_address": person.address, "issuer": hospital.name, "issue_date": iso(day + timedelta(days=dice.randint(0, 2))),
        "relative_name": single(dice), "relative_phone": identifiers.phone(51_000_000 + n * 11),
    }  # fmt: skip


# ---- assistance ------------------------------------------------------------------------------


def _assistance(world: World, files: Deliveries) -> None:
    """Two months, the later in two county layouts (D33): 楚雄市 on its own, the other counties together."""
    today = world.today
    households = _households(world)
    old_age = _old_age(world)
    for back in (2, 1):
        first = month_first(today, -back)
        rows = [
            r | {"pay_month": f"{first:%Y%m}"}
            for r in households + old_age
            if r["_until"] >= first.isoformat()
        ]
        city = [r for r in rows if r["county_name"] == "楚雄市"]
        rest = [r for r in rows if r["county_name"] != "楚雄市"]
        halves = (("楚雄市", city), ("其他县市", rest)) if back == 1 else (("全州", rows),)
        for short, chosen in halves:
            if not chosen:
                continue
            files.table(
                "ca_social_assistance",
                chosen,
                period=f"{first:%Y%m}_{short}",
                covers=month_last(first),
                faults=back == 2,
                spare=lambda r: bool(r.get("_planted")),
            )
            if back == 1:
                world.truth.defect("ca_social_assistance", files.last_file, 0, "D33", "mended")


def _benefit(person: Person, head: Person, kind: str, relation: str, amount: int, count: int) -> Row:
    return {
        "county_name": places.COUNTIES[person.county], "township_name": person.town, "village_name": person.address.split(person.town)[-1].split("组")[0].rstrip("0123456789"),
        "head_name": head.name, "head_citizen_id": head.citizen_id, "person_name": person.name, "citizen_id": person.citizen_id,
        "relation_to_head": relation, "benefit_type": kind, "covered_persons": str(count), "amount_cny": str(amount), "account_name": person.name,
        "bank_account": identifiers.account(person.index * 101 + 5_000_011), "approve_date": "2025-03-01", "_until": "9999",
    }  # fmt: skip


def _households(world: World) -> list[Row]:
    """Households on the minimum living allowance, and people who serve a sentence."""
    dice = world.dice("assistance")
    rows: list[Row] = []
    # Behind those whose employers pay contributions: who is on assistance has no wages, unless it is planted.
    pool = world.workers[world.plan.size["insured"] : len(world.workers) * 2 // 3]
    wanted, at = min(world.plan.size["assisted"], len(pool) // 3), 0
    while len(rows) < wanted:
        head, size = world.person(pool[at]), dice.randint(1, 3)
        at += 3
        kind = "农村低保" if dice.random() < 0.8 else "城市低保"
        rows.append(_benefit(head, head, kind, "户主", 260 + dice.randint(0, 20) * 10, size))
        for k in range(1, size):
            member = world.person(pool[at - 3 + k])
            rows.append(
                _benefit(member, head, kind, "配偶" if k == 1 else "子女", 240, size)
                | {"county_name": rows[-1]["county_name"]}
            )
    return rows + _sentenced(world) + _on_wages(world)


_WAGES: dict[str, tuple[Class, str]] = {
    "well_paid": ("hit", "领低保的当月由单位按较高基数正常缴费"),
    "low_paid": ("near_miss", "缴费基数低于标准"),
    "stopped": ("near_miss", "当月低保已停发"),
    "paid_back": ("near_miss", "当月只有补缴，没有正常应缴"),
    "no_base": ("undecided", "缴费基数未填写"),
}


def _on_wages(world: World) -> list[Row]:
    """Allowance of people for whom an employer pays contributions (their side: labour)."""
    rows: list[Row] = []
    for kind, person in world.on_wages:
        row = _benefit(person, person, "农村低保", "户主", 310, 1) | {"_planted": "1"}
        if kind == "stopped":
            row |= {
                "amount_cny": "0",
                "stop_date": iso(world.today - timedelta(days=100)),
                "stop_reason": "就业",
            }
        rows.append(row)
        cls, why = _WAGES[kind]
        world.truth.expect("assistance_with_wages", kind, cls, "person", person.citizen_id, why)
    return rows


_AFTER_SENTENCE: dict[str, tuple[Class, str]] = {
    "serving": ("hit", "整月在刑期内仍领低保"),
    "stopped": ("near_miss", "服刑后已停发"),
    "community": ("near_miss", "社区矫正对象，未收监"),
    "released": ("near_miss", "发放时已刑满释放"),
    "just_admitted": ("near_miss", "只在收监当月及以前发放"),
}


def _sentenced(world: World) -> list[Row]:
    """Allowance of people who serve a sentence, and of those for whom nothing is wrong with it."""
    rows: list[Row] = []
    for kind, person in world.register.assisted:
        row = _benefit(person, person, "农村低保", "户主", 300, 1) | {"_planted": "1"}
        if kind == "stopped":
            row |= {
                "amount_cny": "0",
                "stop_date": iso(world.today - timedelta(days=200)),
                "stop_reason": "服刑",
            }
        rows.append(row)
        cls, why = _AFTER_SENTENCE[kind]
        world.truth.expect("assistance_while_serving", kind, cls, "person", person.citizen_id, why)
    return rows


def _old_age(world: World) -> list[Row]:
    """The allowance of people over eighty; with what is paid to the dead."""
    rows: list[Row] = []
    floor = world.today.year - 80
    old = [i for i in world.elders if world.person(i).birth.year < floor]
    for index in old[: world.plan.size["assisted"] // 3]:
        person = world.person(index)
        rows.append(_benefit(person, person, "高龄津贴", "户主", 80, 1))
    return rows + _after_death(world)


#: which benefit, its rule, what a month pays
_OF_THE_DEAD = (
    ("高龄津贴", "old_age_allowance_after_death", 80),
    ("农村低保", "assistance_after_death", 320),
)


def _after_death(world: World) -> list[Row]:
    """Benefits of people who have died: paid on, or stopped in time; of living people with a dead namesake; without a date."""
    parts = world.register.parts.values()
    dead = [p for p in parts if p.death and p.police_death and p.cremated]
    undated = [p for p in parts if p.police_status == "死亡注销" and not p.police_death]
    rows: list[Row] = []
    for at, (benefit, rule, amount) in enumerate(_OF_THE_DEAD):
        for number, part in enumerate(dead[at * 10 : at * 10 + 10]):
            died = part.death or world.today
            row = _benefit(part.person, part.person, benefit, "户主", amount, 1) | {"_planted": "1"}
            if number % 2 == 1:
                row |= {
                    "amount_cny": "0",
                    "stop_date": iso(month_last(died.replace(day=1))),
                    "stop_reason": "死亡",
                }
            rows.append(row)
            cls: Class = "near_miss" if number % 2 == 1 else "hit"
            why = "死亡当月停发" if number % 2 == 1 else f"死亡后仍发放{benefit}"
            kind = "stopped" if number % 2 == 1 else "paid_on"
            world.truth.expect(
                rule,
                kind,
                cls,
                "person",
                part.person.citizen_id,
                why,
                {"death_date": iso(died), "sources": 3},
            )
        for kind, person in world.register.alive[at::2]:
            rows.append(_benefit(person, person, benefit, "户主", amount, 1) | {"_planted": "1"})
            why = "同名同生日的另一人死亡" if kind == "namesake" else "误注销，更正文件已恢复在籍"
            world.truth.expect(rule, kind, "innocent", "person", person.citizen_id, f"{why}，本人健在")
        for part in undated[at * 3 : at * 3 + 3]:
            rows.append(_benefit(part.person, part.person, benefit, "户主", amount, 1) | {"_planted": "1"})
            world.truth.expect(
                rule,
                "no_death_date",
                "undecided",
                "person",
                part.person.citizen_id,
                "户口死亡注销而缺死亡日期",
            )
    return rows


# ---- settlements -----------------------------------------------------------------------------


def _settlements(world: World, files: Deliveries) -> None:
    dice, today = world.dice("settlements"), world.today
    rows = [_settlement(world, dice, n) for n in range(world.plan.size["settlements"])]
    rows += _third_party(world, dice, len(rows)) + _children(world, dice)
    for back in (2, 1):
        first = month_first(today, -back)
        month = [
            r
            for r in rows
            if r["settle_time"][:7] == f"{first:%Y-%m}"
            or (back == 2 and r["settle_time"][:10] < first.isoformat())
        ]
        files.table(
            "mi_settlement",
            month or rows[:1],
            period=f"{first:%Y%m}",
            covers=month_last(first),
            faults=back == 2,
            spare=lambda r: bool(r.get("_planted")),
        )


def _settlement(world: World, dice: Random, n: int) -> Row:
    person = world.anyone(dice, "elders" if dice.random() < 0.5 else "workers")
    hospital = dice.choice(world.hospitals)
    ward = dice.random() < 0.25
    first = month_first(world.today, -dice.randint(1, 2))
    begun = moment(first + timedelta(days=dice.randint(0, 20)), dice)
    ended = after(begun, dice, (3000, 9000)) if ward else after(begun, dice, (20, 90))
    name, code = dice.choice(_DIAGNOSES)
    total = dice.randint(3000, 12_000) if ward else dice.randint(40, 600)
    fund = int(total * 0.62)
    return {
        "settle_id": f"YB{first:%Y%m}{n:08d}", "person_name": person.name, "citizen_id": person.citizen_id, "insurance_type": "390" if person.index % 3 else "310",
        "provider_code": f"H{hospital.credit_code[4:12]}", "provider_name": hospital.name, "visit_type": "住院" if ward else "普通门诊",
        "visit_start": begun, "visit_end": ended, "department_name": "内科", "injury_flag": "0", "third_party_flag": "0",
        "diagnosis_code": code, "diagnosis_name": name, "total_cny": str(total), "fund_cny": str(fund), "account_cny": "0",
        "cash_cny": str(total - fund), "settle_time": ended, "refund_flag": "0",
    }  # fmt: skip


def _children(world: World, dice: Random) -> list[Row]:
    """MI-04: children seen with signs of harm, and others (``register.children``)."""
    rows = []
    for number, (kind, citizen, name, county) in enumerate(world.register.children):
        hospital = next(h for h in world.hospitals if h.county == county)
        begun = moment(world.visit_day, dice)
        code, diagnosis = ("J06.900", "急性上呼吸道感染") if kind == "ordinary" else ("O06.900", "流产")
        if kind == "not_reported":
            code, diagnosis = "Y04.900", "受他人攻击"
        rows.append(
            {
                "settle_id": f"YB{begun[:7].replace('-', '')}{70_000_000 + number:08d}", "person_name": name, "citizen_id": citizen,
                "insurance_type": "390", "provider_code": f"H{hospital.credit_code[4:12]}", "provider_name": hospital.name, "visit_type": "普通门诊",
                "visit_start": begun, "visit_end": after(begun, dice, (20, 90)), "department_name": "妇科", "injury_flag": "0", "third_party_flag": "0",
                "diagnosis_code": code, "diagnosis_name": diagnosis, "total_cny": "400", "fund_cny": "200", "account_cny": "0", "cash_cny": "200",
                "settle_time": after(begun, dice, (91, 120)), "refund_flag": "0", "_planted": "1",
            }
        )  # fmt: skip
    return rows


#: people whose compensation was mediated (``world.paid_twice``), by what the insurance did
_PAID_TWICE: dict[str, tuple[Class, str]] = {
    "paid_twice": ("hit", "调解获得赔偿，医保基金又支付了同次外伤费用"),
    "refunded": ("near_miss", "医保结算已退费"),
    "no_fund": ("near_miss", "医保基金没有支付"),
    "no_amount": ("undecided", "调解达成协议，赔偿金额未填写"),
}


def _third_party(world: World, dice: Random, start: int) -> list[Row]:
    """CR-06: hurt on the road by another who is liable, and the fund paid; or by one's own fault."""
    rows = []
    for number, ((citizen, name), day, own, _) in enumerate(world.injured[:60]):
        hospital = dice.choice(world.hospitals)
        begun = moment(day, dice)
        total = dice.randint(4000, 30_000)
        rows.append(
            {
                "settle_id": f"YB{day:%Y%m}{start + number + 50_000_000:08d}", "person_name": name, "citizen_id": citizen, "insurance_type": "390",
                "provider_code": f"H{hospital.credit_code[4:12]}", "provider_name": hospital.name, "visit_type": "住院", "visit_start": begun,
                "visit_end": after(begun, dice, (5000, 12_000)), "department_name": "骨科", "injury_flag": "1", "third_party_flag": "0",
                "diagnosis_code": "S82.200", "diagnosis_name": "胫骨骨折", "total_cny": str(total), "fund_cny": str(int(total * 0.6)), "account_cny": "0",
                "cash_cny": str(total - int(total * 0.6)), "settle_time": after(begun, dice, (12_001, 13_000)), "refund_flag": "0", "_planted": "1",
            }
        )  # fmt: skip
        twice = world.paid_twice.get(citizen, "")
        if twice == "refunded":
            rows[-1]["refund_flag"] = "1"
        if twice == "no_fund":
            rows[-1] |= {"fund_cny": "0", "cash_cny": str(total)}
        if twice:
            told, reason = _PAID_TWICE[twice]
            world.truth.expect(
                "medical_paid_twice",
                twice,
                told,
                "person",
                citizen,
                reason,
                {"settle": rows[-1]["settle_id"]},
            )
        # Settlements of the current month come with the next file.
        delivered = rows[-1]["settle_time"][:10] < iso(world.today.replace(day=1))
        cls, why = _burden(own, delivered, twice)
        world.truth.expect("injury_paid_for_third_party", "road_injury", cls, "person", citizen, why)
    return rows


def _burden(own: str, delivered: bool, twice: str) -> tuple[Class, str]:
    """Whether the fund bore what another was liable for."""
    if own == "全部":
        return "near_miss", "本人负全部责任"
    if twice in ("refunded", "no_fund"):
        return "near_miss", _PAID_TWICE[twice][1]
    if not delivered:
        return "near_miss", "结算尚未报送"
    return "hit", "交通事故由他人负责，医保基金支付了外伤费用"
