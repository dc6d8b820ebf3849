"""The register of firms, taxes, drainage permits, and the procuratorate's own ledger of cases with firms."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random

from chuxiong.demo import identifiers, places
from chuxiong.demo.calendar import month_first, month_last
from chuxiong.demo.defects import Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.firms import Firm, firms
from chuxiong.demo.people import Person
from chuxiong.demo.truth import Class
from chuxiong.demo.world import World, iso, single

_CODES = {"建筑业": "E4790", "制造业": "C1399", "农业": "A0190", "服务业": "L7299"}
_SCOPES = {
    "建筑业": "房屋建筑工程施工；建筑劳务分包。",
    "制造业": "食品、化工产品生产与销售。",
    "农业": "农产品种植、初加工与销售。",
    "服务业": "物业管理；餐饮管理；道路货物运输。",
}


def write_trade(world: World, files: Deliveries) -> None:
    _register(world, files)
    _taxes(world, files)
    _drainage(world, files)
    _own_ledger(world, files)


# ---- register --------------------------------------------------------------------------------


def _register(world: World, files: Deliveries) -> None:
    dice, today = world.dice("register"), world.today
    rows = [_firm(world, dice, firm, world.owner(firm), n) for n, firm in enumerate(world.firms)]
    bodies = [*world.hospitals, *world.schools, *world.hotels]
    rows += [_firm(world, dice, b, world.unlisted(dice), len(rows) + n) for n, b in enumerate(bodies)]
    barred, replaced = _barred(world, dice)
    rows += _revoked(world, dice) + _sham_employers(world, dice)
    rows += _shells(world, dice, len(rows)) + barred + _garages(world, dice) + _eating_places(world, dice)
    day = today - timedelta(days=1)
    two = today - timedelta(days=2)
    files.table(
        "mr_enterprise",
        rows,
        period=f"{two:%Y%m%d}_全量",
        covers=two,
        spare=lambda r: bool(r.get("_planted")),
    )
    # A change is a new row of the same firm with its number in order.
    changed = [
        r | {"change_seq": "1", "change_item": "法定代表人变更", "legal_rep_name": who.name, "legal_rep_id": who.citizen_id,
             "legal_rep_since": iso(day), "approved_date": iso(day)}
        for r, who in ((row, world.unlisted(dice)) for row in rows[10:14])
        if len(r["uscc"]) == 18
    ]  # fmt: skip
    files.table("mr_enterprise", changed + replaced, period=f"{day:%Y%m%d}", covers=day, faults=False)


def _firm(world: World, dice: Random, firm: Firm, owner: Person, n: int) -> Row:
    founded = world.days_ago(dice, 300, 5000)
    dead = dice.random() < 0.06
    ended = founded + timedelta(days=dice.randint(60, 290))
    return {
        "uscc": firm.credit_code, "org_name": firm.name, "entity_type": "有限责任公司", "legal_rep_name": owner.name, "legal_rep_id": owner.citizen_id,
        "legal_rep_since": iso(founded), "registered_capital_wan": str(dice.randint(1, 100) * 10), "established_date": iso(founded),
        "approved_date": iso(ended if dead else founded), "term_end": "", "registrar": f"{places.COUNTIES[firm.county]}市场监督管理局",
        "status": "注销" if dead else "存续", "cancel_date": iso(ended) if dead else "",
        "address": f"云南省楚雄彝族自治州{places.COUNTIES[firm.county]}演示路{n % 300 + 1}号", "division_code": firm.county,
        "phone": identifiers.phone(30_000_000 + n), "agent_name": single(dice), "agent_phone": identifiers.phone(31_000_000 + n % 4000),
        "industry_code": _CODES.get(firm.industry, "O8190"), "business_scope": _SCOPES.get(firm.industry, "依法登记的业务。"),
        "shareholder_name": owner.name, "shareholder_id": owner.citizen_id, "subscribed_wan": "100", "change_seq": "0", "change_item": "",
    }  # fmt: skip


#: (kind, cases, place) of firms founded within weeks of one another; what became of them in the months after
_SHELLS = (("idle", 6, 0), ("insured", 2, 0), ("taxed", 2, 0), ("few", 3, 1), ("young", 5, 2))
_SHELL_VERDICTS: dict[str, tuple[Class, str]] = {
    "idle": ("hit", "同址、同电话、同代办人在一个月内成立，无社保无纳税"),
    "insured": ("near_miss", "同址同期成立，已为职工参保"),
    "taxed": ("near_miss", "同址同期成立，已纳税"),
    "few": ("near_miss", "同址只有三家"),
    "young": ("undecided", "成立不久，观察期未满"),
}


def _shells(world: World, dice: Random, start: int) -> list[Row]:
    """CR-11: one address, one telephone, one agent, many firms founded within weeks; nobody insured, no tax."""
    rows: list[Row] = []
    kinds = [(kind, place) for kind, count, place in _SHELLS for _ in range(count)]
    for number, (firm, (kind, place)) in enumerate(
        zip(firms(world.plan, len(kinds), "shells", "服务业"), kinds, strict=True)
    ):
        founded = world.today - timedelta(days=(40 if kind == "young" else 300) - number % 10)
        rows.append(
            _firm(world, dice, firm, world.take("workers"), start + number)
            | {
                "established_date": iso(founded), "approved_date": iso(founded), "legal_rep_since": "",
                "address": f"云南省楚雄彝族自治州楚雄市演示商务中心{8 + place}楼{place}08室", "phone": identifiers.phone(39_000_001 + place),
                "agent_name": "王演示", "agent_phone": identifiers.phone(39_000_101 + place), "status": "存续", "cancel_date": "",
                "division_code": "532301", "_planted": "1",
            }
        )  # fmt: skip
        world.shells.append((kind, firm))
        cls, why = _SHELL_VERDICTS[kind]
        world.truth.expect("shell_companies", kind, cls, "organisation", firm.credit_code, why)
    return rows


#: what sentenced people who run a firm come to (``register.barred``)
_SENTENCED: dict[str, tuple[Class, str]] = {
    "served_lately": ("hit", "职务侵占罪执行期满未逾五年，任法定代表人"),
    "probation_lately": ("hit", "行贿罪缓刑考验期满未逾二年，任法定代表人"),
    "served_long_ago": ("near_miss", "执行期满已逾五年"),
    "probation_long_ago": ("near_miss", "缓刑考验期满已逾二年"),
    "other_charge": ("near_miss", "罪名不限制任职"),
}


def _barred(world: World, dice: Random) -> tuple[list[Row], list[Row]]:
    """AD-02: debtors on the list and sentenced people as legal representatives: (first rows, changes)."""
    rows: list[Row] = []
    changes: list[Row] = []
    people = [*world.barred, *world.register.barred]
    for kind, person in world.register.barred:
        cls, why = _SENTENCED[kind]
        world.truth.expect("legal_representative_barred", kind, cls, "person", person.citizen_id, why)
    for number, (firm, (kind, person)) in enumerate(
        zip(firms(world.plan, len(people), "barred", "农业"), people, strict=True)
    ):
        since = world.days_ago(dice, 60, 900)
        row = _firm(world, dice, firm, person, 800_000 + number) | {"legal_rep_since": iso(since), "status": "存续", "cancel_date": "",
                    "established_date": iso(since), "approved_date": iso(since), "_planted": "1"}  # fmt: skip
        if kind == "closed":
            row |= {"status": "注销", "cancel_date": iso(world.today - timedelta(days=50))}
        if kind == "changed":
            now, day = world.unlisted(dice), world.today - timedelta(days=20)
            changes.append(
                row | {"change_seq": "1", "change_item": "法定代表人变更", "legal_rep_name": now.name, "legal_rep_id": now.citizen_id,
                       "legal_rep_since": iso(day), "approved_date": iso(day)}
            )  # fmt: skip
        rows.append(row)
    return rows, changes


#: (kind, cases, kind of firm that was revoked, months since, verdict, why)
_REVOKED: tuple[tuple[str, int, str, int, Class, str], ...] = (
    ("lately", 5, "有限责任公司", 14, "hit", "所任公司被吊销未逾三年，另任存续公司法定代表人"),
    ("twice", 1, "有限责任公司", 20, "hit", "两家公司被吊销未逾三年，另任存续公司法定代表人"),
    ("long_ago", 4, "有限责任公司", 50, "near_miss", "吊销已逾三年"),
    ("shop", 3, "个体工商户", 14, "near_miss", "被吊销的是个体工商户"),
    ("left_before", 3, "有限责任公司", 14, "near_miss", "吊销之前已变更法定代表人"),
    ("wound_up", 3, "有限责任公司", 14, "near_miss", "所任公司是自行注销"),
    ("undated", 3, "有限责任公司", 0, "undecided", "吊销日期未填写"),
)


def _revoked(world: World, dice: Random) -> list[Row]:
    """AD-02: people whose former firm lost its licence, and the firm that they run now."""
    rows: list[Row] = []
    cases = [
        (kind, sort, ago, cls, why) for kind, count, sort, ago, cls, why in _REVOKED for _ in range(count)
    ]
    made = iter(firms(world.plan, len(cases) * 2 + 1, "revoked", "农业"))
    for number, (kind, sort, ago, cls, why) in enumerate(cases):
        person = world.take("workers")
        revoked = iso(month_first(world.today, -ago) + timedelta(days=9)) if ago else ""
        for part in range(3 if kind == "twice" else 2):
            row = _firm(world, dice, next(made), person, 600_000 + number * 3 + part)
            row |= {
                "status": "存续",
                "cancel_date": "",
                "approved_date": row["established_date"],
                "_planted": "1",
            }
            if part and kind == "wound_up":
                row |= {"status": "注销", "cancel_date": revoked}
            elif part:
                row |= {"entity_type": sort, "status": "吊销", "revoke_date": revoked}
            if part and kind == "left_before":
                now = world.take("workers")
                row |= {
                    "legal_rep_name": now.name,
                    "legal_rep_id": now.citizen_id,
                    "shareholder_name": person.name,
                    "shareholder_id": person.citizen_id,
                }
            rows.append(row)
        world.truth.expect(
            "legal_representative_of_revoked_firm", kind, cls, "person", person.citizen_id, why
        )
    return rows


def _sham_employers(world: World, dice: Random) -> list[Row]:
    """CV-04: the register's rows of employers who agree to wages in bulk."""
    rows = []
    for number, (firm, _, _) in enumerate(world.market.sham):
        row = _firm(world, dice, firm, world.unlisted(dice), 650_000 + number)
        rows.append(
            row
            | {"status": "存续", "cancel_date": "", "approved_date": row["established_date"], "_planted": "1"}
        )
    return rows


_EATING_PLACES = (
    "龙川江烧烤城", "老灶台菌子火锅", "彝家长街宴酒楼", "河畔人家鱼庄", "滇味小锅米线店", "青山农家乐", "碧水湾饭店", "双柏黑山羊馆",
    "月亮湾快餐厅", "古镇过桥米线馆", "望江楼大排档", "金沙江土鸡庄", "樱花谷小吃铺", "石板桥豆花馆", "桃源里私房菜", "竹林深处酸汤店",
    "三岔口羊汤锅", "梨园春饺子坊", "凤凰台海鲜舫", "九龙池凉粉摊", "云岭牛肉馆", "马缨花宴会厅", "溪边柴火鸡", "老街坊包子铺",
)  # fmt: skip
#: (kind, cases, verdict, why)
_EATING: tuple[tuple[str, int, Class, str], ...] = (
    ("none", 5, "hit", "餐饮单位没有排水许可"),
    ("expired", 3, "hit", "排水许可已过期"),
    ("permitted", 4, "near_miss", "持有有效排水许可"),
    ("other_spelling", 3, "near_miss", "许可以相近名称办理，未填信用代码"),
    ("covered", 3, "innocent", "商场的排水许可已涵盖"),
    ("closed", 3, "near_miss", "已注销"),
    ("young", 3, "undecided", "成立未满宽限"),
)


def _eating_places(world: World, dice: Random) -> list[Row]:
    """PI-02: eating places; ``world.eating`` says which permit they hold (``_drainage``)."""
    rows: list[Row] = []
    kinds = [(kind, cls, why) for kind, count, cls, why in _EATING for _ in range(count)]
    for number, (firm, (kind, cls, why)) in enumerate(
        zip(firms(world.plan, len(kinds), "eating places", "服务业"), kinds, strict=True)
    ):
        named = replace(firm, name=f"{places.COUNTIES[firm.county]}{_EATING_PLACES[number]}")
        founded = world.days_ago(dice, 20, 90) if kind == "young" else world.days_ago(dice, 500, 2000)
        closed = iso(world.days_ago(dice, 20, 200)) if kind == "closed" else ""
        rows.append(
            _firm(world, dice, named, world.unlisted(dice), 700_000 + number)
            | {
                "entity_type": "个体工商户", "established_date": iso(founded), "approved_date": iso(founded), "legal_rep_since": iso(founded),
                "status": "注销" if closed else "存续", "cancel_date": closed, "industry_code": "H6210", "business_scope": "餐饮服务；酒类零售。", "_planted": "1",
            }
        )  # fmt: skip
        world.eating.append((kind, named))
        world.truth.expect(
            "catering_without_drainage_permit", kind, cls, "organisation", named.credit_code, why
        )
    return rows


def _garages(world: World, dice: Random) -> list[Row]:
    """Motor repair shops; some have closed since."""
    rows = []
    for number, (firm, kind) in enumerate(world.garages):
        founded, ended = world.days_ago(dice, 900, 4000), world.days_ago(dice, 20, 300)
        closed = kind == "closed"
        rows.append(
            _firm(world, dice, firm, world.unlisted(dice), 900_000 + number)
            | {
                "established_date": iso(founded), "approved_date": iso(ended if closed else founded), "legal_rep_since": iso(founded),
                "status": "注销" if closed else "存续", "cancel_date": iso(ended) if closed else "", "industry_code": "O8111",
                "business_scope": "机动车维修；汽车零配件零售；润滑油销售。", "_planted": "1",
            }
        )  # fmt: skip
    return rows


# ---- taxes -----------------------------------------------------------------------------------


def _taxes(world: World, files: Deliveries) -> None:
    """The last two quarters; the farmland tax of those who paid it (PI-04) and arrears of some."""
    dice, today = world.dice("taxes"), world.today
    quarter = date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    for back in (2, 1):
        first = month_first(quarter, -3 * back)
        rows = [
            _levy(world, dice, firm, first, n)
            for n, firm in enumerate(world.firms[: world.plan.size["levies"]])
        ]
        if back == 1:
            rows += [
                _occupation(firm, area, decided, first)
                for firm, area, decided, paid in world.occupied
                if paid
            ]
        if back == 2:
            rows += [
                _levy(world, dice, firm, first, 60_000_000 + n)
                | {"levy_item": "增值税", "tax_paid_cny": "1200", "_planted": "1"}
                for n, (kind, firm) in enumerate(world.shells)
                if kind == "taxed"
            ]
        ends = month_last(month_first(first, 2))
        files.table(
            "tx_levy",
            rows,
            period=f"{first.year}年第{first.month // 3 + 1}季度",
            covers=ends,
            faults=back == 2,
            spare=lambda r: r["levy_item"] == "耕地占用税" or bool(r.get("_planted")),
        )


def _levy(world: World, dice: Random, firm: Firm, first: date, n: int) -> Row:
    due = dice.randint(1, 300) * 100
    owing = dice.random() < 0.05
    item, sub = dice.choice([("环境保护税", "水污染物"), ("水资源税", "地表水"), ("增值税", "一般货物")])
    ends = month_last(month_first(first, 2))
    return {
        "taxpayer_uscc": firm.credit_code, "taxpayer_name": firm.name, "register_seq": f"1023{n:010d}", "levy_item": item, "levy_subitem": sub,
        "source_no": f"SY{n:08d}", "period_start": iso(first), "period_end": iso(ends), "tax_base": str(due * 10), "unit_tax_cny": "0.1",
        "tax_payable_cny": str(due), "tax_reduced_cny": "0", "tax_paid_cny": "0" if owing else str(due), "arrears_cny": str(due) if owing else "0",
        "late_fee_cny": "0", "paid_date": "" if owing else iso(ends + timedelta(days=14)), "tax_office": f"国家税务总局{places.COUNTIES[firm.county]}税务局",
        "taxpayer_status": "正常",
    }  # fmt: skip


def _occupation(firm: Firm, area: int, decided: date, first: date) -> Row:
    return {
        "taxpayer_uscc": firm.credit_code, "taxpayer_name": firm.name, "levy_item": "耕地占用税", "levy_subitem": "其他占用", "source_no": f"GD{area:07d}",
        "land_location": f"{places.COUNTIES[firm.county]}演示村", "land_occupied_date": iso(decided - timedelta(days=90)), "period_start": iso(first),
        "period_end": iso(month_last(month_first(first, 2))), "tax_base": str(area), "unit_tax_cny": "25", "tax_payable_cny": str(area * 25),
        "tax_paid_cny": str(area * 25), "arrears_cny": "0", "paid_date": iso(month_last(first)), "tax_office": f"国家税务总局{places.COUNTIES[firm.county]}税务局",
        "taxpayer_status": "正常",
    }  # fmt: skip


# ---- drainage --------------------------------------------------------------------------------


def _drainage(world: World, files: Deliveries) -> None:
    """The whole list, late this month: last month's is still the newest. PI-02: eating places without a permit."""
    dice, today = world.dice("drainage"), world.today
    rows = []
    for n, firm in enumerate(world.firms[::3][: world.plan.size["drainage"]]):
        issued = world.days_ago(dice, 100, 1700)
        ends = issued + timedelta(days=1825)
        owner = world.owner(firm)
        rows.append(
            {
                "permit_no": f"{firm.county}排字第{n:05d}号", "decision_no": f"楚建排许〔{issued.year}〕{n + 1}号", "holder_name": firm.name, "holder_uscc": firm.credit_code,
                "legal_rep_name": owner.name, "phone": owner.phone, "holder_type": dice.choice(["餐饮", "工业", "洗车", "其他"]), "is_key_discharger": "否",
                "address": f"{places.COUNTIES[firm.county]}演示路{n % 300 + 1}号", "division_code": firm.county, "lon": f"{101.3 + dice.random() * 0.7:.6f}",
                "lat": f"{24.9 + dice.random() * 0.7:.6f}", "outlet_no": "P1", "connection_point": "W01检查井", "sewer_route": "演示路污水管网",
                "treatment_plant": f"{places.COUNTIES[firm.county]}污水处理厂", "volume_m3_day": str(dice.randint(2, 90)), "limit_text": "GB/T 31962 B级",
                "pretreatment": dice.choice(["隔油池", "化粪池", "沉淀池"]), "separation_status": dice.choice(["已改造", "未改造"]),
                "issuer": f"{places.COUNTIES[firm.county]}住房和城乡建设局", "issue_date": iso(issued), "valid_from": iso(issued), "valid_to": iso(ends),
                "permit_status": "有效" if ends > today else "过期", "covered_households": "",
            }
        )  # fmt: skip
    rows += _of_eating_places(world, rows[0])
    covers = today - timedelta(days=57)
    files.table(
        "um_drainage_permit",
        rows,
        period=f"{covers:%Y%m}",
        covers=covers,
        snapshot=True,
        spare=lambda r: bool(r.get("_planted")),
    )


def _of_eating_places(world: World, like: Row) -> list[Row]:
    """PI-02: permits under the number, under another spelling of the name, and one of a market for its shops."""
    rows, today = [], world.today
    for number, (kind, firm) in enumerate(world.eating):
        county = places.COUNTIES[firm.county]
        ends = today - timedelta(days=60) if kind == "expired" else today + timedelta(days=700)
        row = like | {
            "permit_no": f"{firm.county}排字第{90_000 + number}号", "decision_no": f"楚建排许〔{ends.year - 5}〕{90_000 + number}号",
            "holder_name": firm.name, "holder_uscc": firm.credit_code, "holder_type": "餐饮", "division_code": firm.county,
            "issuer": f"{county}住房和城乡建设局", "address": f"{county}演示路{number + 1}号", "issue_date": iso(ends - timedelta(days=1825)),
            "valid_from": iso(ends - timedelta(days=1825)), "valid_to": iso(ends), "permit_status": "过期" if kind == "expired" else "有效",
            "_planted": "1",
        }  # fmt: skip
        if kind == "other_spelling":
            row |= {"holder_name": f"{firm.name.removeprefix(county)}（{county}）", "holder_uscc": ""}
        if kind == "covered":
            row |= {
                "holder_name": f"{county}演示商业广场管理处",
                "holder_uscc": "",
                "covered_households": f"{county}演示超市、{firm.name}",
            }
        if kind in ("expired", "permitted", "other_spelling", "covered"):
            rows.append(row)
    return rows


# ---- the procuratorate -----------------------------------------------------------------------


def _own_ledger(world: World, files: Deliveries) -> None:
    dice, today = world.dice("ledger"), world.today
    rows = []
    for n, case in enumerate(world.docket.rows[: world.plan.size["ledger"]]):
        firm = world.firms[n * 7 % len(world.firms)]
        rows.append(
            {
                "unified_case_no": str(case["统一受案号"]), "unit_name": str(case["承办单位"]), "org_name": firm.name, "division_code": firm.county,
                "uscc": firm.credit_code, "org_scale": dice.choice(["小", "微", "中"]), "ownership": "民营", "industry": firm.industry,
                "role": dice.choice(["被害人", "犯罪主体", "被告"]), "case_category": "刑", "case_stage": "审查起诉", "charge": str(case["案由（罪名）"]),
                "person_position": dice.choice(["员工", "高管", "法定代表人"]), "filing_date": iso(world.days_ago(dice, 30, 300)), "is_pending": "否",
                "seized_cny": str(dice.randint(0, 60) * 1000), "compliance_flag": "否", "result": "起诉", "risk_category": dice.choice(["合同", "用工", "融资"]),
                "advice_text": "完善印章、合同和财务管理制度。",
            }
        )  # fmt: skip
    rows = list({(r["unified_case_no"], r["uscc"]): r for r in rows}.values())
    last = month_first(today, -1)
    files.table("pr_enterprise_case", rows, period=f"{last:%Y%m}", covers=month_last(last))
