"""Enforcement of judgments, the public list of debtors, and what the internet says of the same assets."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from random import Random

from chuxiong.demo import identifiers, places
from chuxiong.demo.defects import Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.people import Person
from chuxiong.demo.truth import Class
from chuxiong.demo.world import World, after, court, iso, moment

_CLASSES = ("民商事", "民商事", "民商事", "刑事涉财产", "行政非诉")


def normal(case_no: str) -> str:
    """A case number with half-width brackets, as the pool holds it."""
    return case_no.replace("（", "(").replace("）", ")")


def write_courts(world: World, files: Deliveries) -> None:
    dice = world.dice("enforcement")
    enforced = [_enforcement(world, dice, n) for n in range(world.plan.size["enforcements"])]
    enforced += _false_leases(world, len(enforced)) + _dead_debtors(world, 90_000)
    enforced += _barred_debtors(world, 95_000) + _sham_employers(world, 96_000)
    enforced += _listings(world, 91_000) + _property_parts(world, 92_000) + _handed_over(world, 93_000)
    _overdue_listings(world, [r for r in enforced if r.get("_planted") == "cv12"])
    world.listed |= {row["respondent_id"] for row in enforced if row.get("dishonest_listed_date")}
    today, weekly = world.today, world.today - timedelta(days=1)
    older = [r for r in enforced if r["filing_date"] < (today - timedelta(days=40)).isoformat()]
    newer = [r for r in enforced if r not in older] if len(enforced) < 2000 else enforced[len(older) :]
    files.table(
        "ct_enforcement",
        older,
        period=f"{weekly - timedelta(days=7):%Y%m%d}",
        covers=weekly - timedelta(days=7),
        spare=_planted,
    )
    files.table(
        "ct_enforcement",
        newer or older[:1],
        period=f"{weekly:%Y%m%d}",
        covers=weekly,
        spare=_planted,
        faults=False,
    )
    _dishonest(world, files, enforced)
    _open_info(world, files, enforced)


def _planted(row: Row) -> bool:
    return bool(row.get("_planted"))


def _enforcement(world: World, dice: Random, n: int) -> Row:
    debtor, creditor = world.anyone(dice), world.anyone(dice)
    filed = world.days_ago(dice, 4, 700)
    kind = dice.choice(_CLASSES)
    owed = dice.randint(3, 900) * 1000
    done = dice.random() < 0.55 and filed < world.today - timedelta(days=60)
    closed = filed + timedelta(days=dice.randint(30, 58)) if done else None
    end = dice.choice(["执行完毕", "终结本次", "终结执行"]) if done else ""
    asset = dice.random() < 0.45
    row = _case(world, debtor, filed, n, kind, owed)
    row |= {
        "applicant": creditor.name if kind != "刑事涉财产" else court(debtor.county),
        "applicant_id": creditor.citizen_id if kind != "刑事涉财产" else "",
        "recovered_amount_cny": str(owed if end == "执行完毕" else dice.randint(0, owed // 3000) * 1000),
        "close_type": end,
        "close_date": iso(closed),
        "auction_status": "",
        "rent_payment": "",
    }
    if end == "终结本次" and closed:
        row |= {"dishonest_listed_date": iso(closed), "dishonest_until": iso(closed + timedelta(days=730))}
        row |= {"restriction_date": iso(closed - timedelta(days=10))}
    if asset:
        row |= _asset(world, dice, debtor, filed)
    return row


def _case(world: World, debtor: Person, filed: date, n: int, kind: str, owed: int) -> Row:
    code = places.court_code(debtor.county)
    basis = "刑初" if kind == "刑事涉财产" else "民初"
    return {
        "case_no": f"（{filed.year}）{code}执{n + 1}号",
        "case_class": kind,
        "basis_doc_no": f"（{filed.year}）{code}{basis}{(n * 7) % 4000 + 1}号",
        "court_name": court(debtor.county),
        "transfer_date": iso(filed - timedelta(days=5)) if kind == "刑事涉财产" else "",
        "transfer_unit": f"{court(debtor.county)}刑事审判庭" if kind == "刑事涉财产" else "",
        "filing_date": filed.isoformat(),
        "respondent": debtor.name,
        "respondent_id": debtor.citizen_id,
        "target_kind": "罚金" if kind == "刑事涉财产" else "金钱债权",
        "target_amount_cny": str(owed),
        "asset_no": "",
    }


def _asset(world: World, dice: Random, debtor: Person, filed: date) -> Row:
    seized = filed + timedelta(days=dice.randint(3, 20))
    house = dice.random() < 0.7
    return {
        "asset_no": "1",
        "asset_type": "不动产" if house else "车辆",
        "parcel_unit_no": world.home(debtor) if house else "",
        "asset_address": debtor.address if house else "",
        "seizure_date": iso(seized),
        "seizure_until": iso(seized + timedelta(days=1095)),
        "has_lease": "否",
        "lease_claim_result": "未提出",
        "auction_status": dice.choice(["一拍", "二拍", "流拍", "成交", "撤回"]),
    }


def _false_leases(world: World, start: int) -> list[Row]:
    """CV-02: a lease that turns up after the seizure, long and paid at once, to kin; and honest leases beside it."""
    dice, found = world.dice("false leases"), []
    for number in range(12 * min(world.plan.size["times"], 8)):
        debtor, lessee = world.take("workers"), world.take("workers")
        filed = world.days_ago(dice, 130, 400)
        owed = dice.randint(80, 600) * 1000
        row = _case(world, debtor, filed, start + number, "民商事", owed) | _asset(world, dice, debtor, filed)
        seized = date.fromisoformat(row["seizure_date"])
        honest = number % 2 == 1
        signed = (
            seized - timedelta(days=dice.randint(300, 700))
            if honest
            else seized + timedelta(days=dice.randint(5, 40))
        )
        years = 3 if honest else 20
        rent = 14_400 if honest else 1_200
        row |= {
            "applicant": "楚雄演示农村商业银行股份有限公司", "applicant_id": "", "asset_type": "不动产", "has_lease": "是",
            "parcel_unit_no": world.home(debtor), "asset_address": debtor.address,
            "lessee_name": lessee.name, "lessee_id": lessee.citizen_id, "lease_sign_date": iso(signed),
            "lease_period": f"{signed.year}年至{signed.year + years}年", "annual_rent_cny": str(rent),
            "rent_payment": "按年" if honest else "一次性", "lease_claim_result": "审查中", "auction_status": "撤回",
            "_planted": "cv02", "_honest": "1" if honest else "",
        }  # fmt: skip
        found.append(row)
        world.leases.append((debtor, lessee, signed, years, rent, honest))
        kind = "lease_before_seizure" if honest else "lease_after_seizure"
        cls: Class = "near_miss" if honest else "hit"
        why = (
            "查封前一年已备案的租赁，租金按年支付"
            if honest
            else "查封之后才签订、一次付清、低租二十年的租赁，阻碍拍卖"
        )
        world.truth.expect(
            "lease_against_execution", kind, cls, "case", normal(row["case_no"]), why,
            {"seized": iso(seized), "signed": iso(signed)},
        )  # fmt: skip
    return found


#: (kind, cases, way of closing, days since closing, days since the term ended, removed, verdict, why)
_LISTINGS: tuple[tuple[str, int, str, int, int, bool, Class, str], ...] = (
    ("completed", 6, "执行完毕", 120, -400, False, "hit", "执行完毕四个月，仍列失信"),
    ("expired", 5, "终结本次", 790, 60, False, "hit", "失信期限届满两个月，仍未删除"),
    ("removed", 4, "执行完毕", 120, -400, True, "near_miss", "执行完毕后已删除"),
    ("expired_removed", 3, "终结本次", 790, 60, True, "near_miss", "期限届满后已删除"),
    ("just_closed", 3, "执行完毕", 6, -400, False, "near_miss", "刚刚结案，宽限未满"),
    ("running", 4, "终结本次", 300, -430, False, "near_miss", "终结本次执行，失信期限未满"),
    ("undated", 3, "执行完毕", 0, -400, False, "undecided", "执行完毕，结案日期未填写"),
)


def _listings(world: World, start: int) -> list[Row]:
    """CV-11: who stays on the list of dishonest debtors although the case is done or the term is over."""
    dice, today, found = world.dice("listings"), world.today, list[Row]()
    for kind, count, end, closed, over, removed, cls, why in _LISTINGS:
        for _ in range(count):
            debtor = world.take("workers")
            until = today - timedelta(days=over)
            listed = min(until - timedelta(days=730), today - timedelta(days=closed + 30))
            row = _case(world, debtor, listed - timedelta(days=60), start + len(found), "民商事", dice.randint(20, 90) * 1000) | {
                "applicant": "楚雄演示农村商业银行股份有限公司", "close_type": end, "close_date": iso(today - timedelta(days=closed)) if closed else "",
                "dishonest_listed_date": iso(listed), "dishonest_until": iso(until), "_planted": "cv11",
                "dishonest_removed_date": iso(today - timedelta(days=40)) if removed else "",
            }  # fmt: skip
            world.truth.expect(
                "dishonest_listing_not_removed", kind, cls, "case", normal(row["case_no"]), why
            )
            found.append(row)
    return found


def _overdue_listings(world: World, rows: list[Row]) -> None:
    """Listings of the dead whose term happens to be over too."""
    for row in rows:
        if not row.get("dishonest_until"):
            continue
        over = (world.today - date.fromisoformat(row["dishonest_until"])).days
        if not row["dishonest_removed_date"] and over >= 14:
            world.truth.expect(
                "dishonest_listing_not_removed",
                "expired",
                "hit",
                "case",
                normal(row["case_no"]),
                "失信期限届满未删除",
            )


#: (kind, cases, days from hand-over to filing or none, verdict, why)
_PROPERTY_PARTS: tuple[tuple[str, int, int | None, Class, str], ...] = (
    ("late", 6, 45, "hit", "移送后四十五日才立案"),
    ("in_time", 5, 6, "near_miss", "移送后六日立案"),
    ("undated", 3, None, "undecided", "移送日期未填写"),
)


def _handed_over(world: World, start: int) -> list[Row]:
    """CR-09: the property parts that the criminal division handed over, filed at once."""
    dice, found = world.dice("handed over"), list[Row]()
    for person, judgment_no, filed in world.docket.handed_over:
        row = _case(world, person, filed, start + len(found), "刑事涉财产", dice.randint(2, 50) * 1000)
        row |= {
            "applicant": court(person.county),
            "applicant_id": "",
            "basis_doc_no": judgment_no,
            "_planted": "cr09",
        }
        found.append(row)
    return found


def _property_parts(world: World, start: int) -> list[Row]:
    """CR-09: how long the property part of a judgment waited between hand-over and filing."""
    dice, found = world.dice("property parts"), list[Row]()
    for kind, count, waited, cls, why in _PROPERTY_PARTS:
        for _ in range(count):
            debtor, filed = world.take("workers"), world.days_ago(dice, 60, 500)
            row = _case(world, debtor, filed, start + len(found), "刑事涉财产", dice.randint(2, 50) * 1000)
            handed = "" if waited is None else iso(filed - timedelta(days=waited))
            row |= {
                "applicant": court(debtor.county),
                "applicant_id": "",
                "transfer_date": handed,
                "_planted": "cr09",
            }
            world.truth.expect("property_penalty_filed_late", kind, cls, "case", normal(row["case_no"]), why)
            found.append(row)
    return found


#: what the court did before or after the death, one after another
_DEAD = ("listed", "lifted", "restricted", "listed", "lifted", "listed_after", "listed", "restricted", "lifted",
         "listed", "restriction_lifted", "listed_after", "listed", "lifted")  # fmt: skip


def _dead_debtors(world: World, start: int) -> list[Row]:
    """CV-12: a debtor who has died and still stands in the list or under the restriction; others were released."""
    dice, found = world.dice("dead debtors"), list[Row]()
    parts = list(world.register.parts.values())
    longest = world.today - timedelta(days=75)
    dead = [
        p
        for p in parts
        if p.death and p.death < longest and p.police_status == "死亡注销" and p.police_death and p.cremated
    ]
    undated = [p for p in parts if p.police_status == "死亡注销" and not p.police_death and not p.cremated]
    kinds = [(kind, part) for kind, part in zip(_DEAD, dead, strict=False)]
    kinds += [("no_death_date", part) for part in undated[:3]]
    for number, (kind, part) in enumerate(kinds):
        died = part.death or world.today - timedelta(days=200)
        filed = died - timedelta(days=dice.randint(200, 500))
        row = _case(world, part.person, filed, start + number, "民商事", dice.randint(20, 90) * 1000) | {
            "applicant": "楚雄演示农村商业银行股份有限公司", "close_type": "终结本次", "close_date": iso(filed + timedelta(days=90)), "_planted": "cv12",
        }  # fmt: skip
        if kind in ("restricted", "restriction_lifted"):
            lifted = iso(died + timedelta(days=30)) if kind == "restriction_lifted" else ""
            row |= {"restriction_date": iso(filed + timedelta(days=70)), "restriction_lifted_date": lifted}
        else:
            listed = died + timedelta(days=20) if kind == "listed_after" else filed + timedelta(days=80)
            row |= {
                "dishonest_listed_date": iso(listed),
                "dishonest_until": iso(listed + timedelta(days=730)),
            }
            row["dishonest_removed_date"] = (
                iso(died + timedelta(days=40)) if kind in ("lifted", "listed_after") else ""
            )
        found.append(row)
        cls: Class = "undecided" if kind == "no_death_date" else "near_miss" if "lifted" in kind else "hit"
        why = {
            "listed": "被执行人已死亡，仍在失信名单", "restricted": "被执行人已死亡，仍限制消费", "listed_after": "死亡之后才列入失信",
            "lifted": "死亡后已屏蔽失信信息", "restriction_lifted": "死亡后已解除限制消费", "no_death_date": "户口死亡注销而缺死亡日期",
        }[kind]  # fmt: skip
        world.truth.expect(
            "debtor_dead_still_listed",
            kind,
            cls,
            "case",
            normal(row["case_no"]),
            why,
            {"death": iso(part.death)},
        )
    return found


#: (kind, cases, debt in thousand yuan, listing removed, its term over, verdict, why)
_BARRED: tuple[tuple[str, int, int, bool, bool, Class, str], ...] = (
    ("listed", 6, 60, False, False, "hit", "列为失信被执行人，仍任法定代表人"),
    ("removed", 3, 60, True, False, "near_miss", "失信信息已屏蔽"),
    ("expired", 3, 60, False, True, "near_miss", "失信期限已届满"),
    ("small_debt", 3, 2, False, False, "near_miss", "债务数额不大"),
    ("closed", 3, 60, False, False, "near_miss", "企业已注销"),
    ("changed", 3, 60, False, False, "near_miss", "法定代表人已变更为他人"),
)


def _barred_debtors(world: World, start: int) -> list[Row]:
    """AD-02: debtors who run a firm (``trade``): still listed, or not any more."""
    dice, found = world.dice("barred debtors"), list[Row]()
    for kind, count, debt, removed, over, cls, why in _BARRED:
        for _ in range(count):
            person = world.take("workers")
            listed = world.today - timedelta(days=735 if over else dice.randint(200, 300))
            row = _case(world, person, listed - timedelta(days=80), start + len(found), "民商事", debt * 1000) | {
                "applicant": "楚雄演示农村商业银行股份有限公司", "close_type": "终结本次", "close_date": iso(listed), "_planted": "ad02",
                "dishonest_listed_date": iso(listed), "dishonest_until": iso(listed + timedelta(days=730)),
                "dishonest_removed_date": iso(world.today - timedelta(days=40)) if removed else "",
            }  # fmt: skip
            world.truth.expect("legal_representative_barred", kind, cls, "person", person.citizen_id, why)
            world.barred.append((kind, person))
            found.append(row)
    return found


def _sham_employers(world: World, start: int) -> list[Row]:
    """CV-04: what a creditor has to get from employers who agree to wages in bulk."""
    dice, found = world.dice("sham employers"), list[Row]()
    for firm, filed, closed in world.market.sham:
        row = _case(world, world.anyone(dice), filed, start + len(found), "民商事", 800_000) | {
            "applicant": "楚雄演示农村商业银行股份有限公司", "respondent": firm.name, "respondent_id": firm.credit_code, "court_name": court(firm.county),
            "close_type": closed, "close_date": iso(filed + timedelta(days=50)) if closed else "", "_planted": "cv04",
        }  # fmt: skip
        found.append(row)
    return found


def _dishonest(world: World, files: Deliveries, enforced: list[Row]) -> None:
    """The public page: numbers masked (D04), the whole list every day; today's list lacks who was removed."""
    dice = world.dice("dishonest")
    today = world.today
    listed = []
    for row in enforced:
        if not row.get("dishonest_listed_date"):
            continue
        number = row["respondent_id"]
        listed.append(
            {
                "name": row["respondent"], "card_num_masked": f"{number[:10]}****{number[14:]}",
                "gender": "男" if int(number[16]) % 2 else "女", "age": str(today.year - int(number[6:10])),
                "court_name": row["court_name"], "area_name": "云南", "basis_doc_no": row["basis_doc_no"],
                "basis_unit": row["court_name"], "filing_date": row["filing_date"], "case_no": row["case_no"],
                "duty": f"支付{row['target_amount_cny']}元及利息。", "performance": dice.choice(["全部未履行", "部分未履行"]),
                "behavior_type": dice.choice(["有能力而拒不履行", "违反财产报告制度"]),
                "publish_date": row["dishonest_listed_date"], "list_type": dice.choice(["失信", "失信", "限高"]),
                "removed_date": row.get("dishonest_removed_date", ""),
            }
        )  # fmt: skip
    day = today - timedelta(days=1)
    before = today - timedelta(days=2)
    files.table(
        "net_dishonest", listed, period=f"{before:%Y%m%d}", covers=before, snapshot=True, faults=False
    )
    gone = max(1, len(listed) // 30)
    files.table("net_dishonest", listed[gone:], period=f"{day:%Y%m%d}", covers=day, snapshot=True)
    world.truth.end("net_dishonest", files.last_file, gone)


def _open_info(world: World, files: Deliveries, enforced: list[Row]) -> None:
    dice, today = world.dice("open info"), world.today
    rows: list[Row] = []
    for row in enforced:
        if row.get("auction_status") in ("一拍", "二拍", "撤回") and row.get("asset_type") == "不动产":
            rows.append(_auction(world, dice, row, len(rows)))
    kinds = ("租售房源", "行政处罚公示", "行政许可公示", "招聘", "舆情", "招投标", "电商")
    while len(rows) < world.plan.size["open_info"]:
        rows.append(_page(world, dice, dice.choice(kinds), len(rows)))
    rows += _farmland(world, len(rows))
    # Captured hourly: the last day comes in a file of its own.
    cut = (today - timedelta(days=2)).isoformat()
    early = [r for r in rows if r["captured_at"] < cut]
    late = [r for r in rows if r["captured_at"] >= cut]
    files.table(
        "net_open_info",
        early,
        period=f"{today - timedelta(days=2):%Y%m%d}",
        covers=today - timedelta(days=2),
        spare=_planted,
    )
    files.table(
        "net_open_info",
        late or early[-1:],
        period=f"{today - timedelta(days=1):%Y%m%d}",
        covers=today - timedelta(days=1),
        faults=False,
    )


def _captured(world: World, dice: Random, number: int, low: int = 1, high: int = 120) -> Row:
    published = moment(world.days_ago(dice, low, high), dice)
    # Nothing is captured after the day that the file covers.
    seen = min(after(published, dice, (30, 900)), f"{world.today - timedelta(days=1)} 23:30:00")
    digest = hashlib.blake2b(f"{world.plan.seed}{number}".encode(), digest_size=16).hexdigest()
    return {
        "url_hash": digest, "source_url": f"https://example.invalid/p/{digest[:12]}", "site_name": "演示信息网",
        "publish_time": min(published, seen), "captured_at": seen, "snapshot_sha256": digest * 2,
        "publisher": "演示用户", "keywords": "",
    }  # fmt: skip


def _auction(world: World, dice: Random, case: Row, number: int) -> Row:
    worth = dice.randint(150, 900) * 1000
    lease = (
        "标的物存在租赁，承租人主张租赁期二十年，租金已付清"
        if case.get("_planted") and not case.get("_honest")
        else "无租赁"
    )
    return _captured(world, dice, number) | {
        "info_type": "司法拍卖", "title": f"{case['court_name']}关于{case['asset_address'][12:]}房产的拍卖公告",
        "content": f"{case['court_name']}将于近期对{case['respondent']}名下房产进行公开拍卖活动。", "subject_name": case["respondent"],
        "address": case["asset_address"], "price_cny": str(int(worth * 0.7)), "appraisal_cny": str(worth), "case_no": case["case_no"],
        "lot_no": f"PM{number:07d}", "auction_round": dice.choice(["一拍", "二拍", "变卖"]), "lease_note": lease,
        "division_code": _division(case["court_name"]), "_planted": case.get("_planted", ""),
    }  # fmt: skip


def _division(name: str) -> str:
    return next((code for code, county in places.COUNTIES.items() if name.startswith(county)), "532301")


def _page(world: World, dice: Random, kind: str, number: int) -> Row:
    firm = world.firm(dice)
    county = places.COUNTIES[firm.county]
    row = _captured(world, dice, number) | {
        "info_type": kind, "division_code": firm.county, "phone": identifiers.phone(80_000_000 + number),
        "title": f"{county}{kind}信息{number}", "content": f"{county}{firm.name}发布的{kind}信息，内容为演示。",
    }  # fmt: skip
    if kind == "行政处罚公示":
        decided = date.fromisoformat(row["publish_time"][:10]) - timedelta(days=5)
        fine = dice.randint(1, 30)
        row |= {
            "subject_name": firm.name, "subject_uscc": firm.credit_code, "penalty_date": iso(decided),
            "penalty_doc_no": f"楚环罚字〔{decided.year}〕{number}号", "penalty_authority": f"{county}综合行政执法局",
            "violation_type": dice.choice(["未经许可排放污染物", "未按规定贮存危险废物", "擅自占用道路"]),
            "violation_fact": f"{firm.name}在检查中被发现存在违法行为，责令改正。", "penalty_basis": "相关法律、法规",
            "penalty_category": "罚款", "penalty_content": f"罚款{fine}万元", "fine_wan": str(fine),
        }  # fmt: skip
    elif kind == "行政许可公示":
        row |= {"subject_name": firm.name, "subject_uscc": firm.credit_code, "permit_no": f"XK{firm.county}{number:06d}",
                "permit_date": row["publish_time"][:10]}  # fmt: skip
    elif kind == "租售房源":
        row |= {"price_cny": str(dice.randint(6, 30) * 100), "address": world.anyone(dice).address}
    return row


#: (kind, cases, days since the fine, tax paid, class of land, verdict, why)
_FARMLAND: tuple[tuple[str, int, tuple[int, int], bool, str, Class, str], ...] = (
    ("unpaid", 6, (200, 320), False, "耕地", "hit", "占用耕地被处罚，没有耕地占用税入库"),
    ("orchard", 2, (200, 320), False, "园地", "hit", "占用园地被处罚，没有耕地占用税入库"),
    ("paid", 4, (200, 320), True, "耕地", "near_miss", "占用耕地被处罚，已缴耕地占用税"),
    ("building_land", 3, (200, 320), False, "建设用地", "near_miss", "占用的是建设用地"),
    ("just_fined", 3, (10, 40), False, "耕地", "undecided", "处罚不久，税款数据尚未报送"),
    ("no_class", 2, (200, 320), False, "", "undecided", "占用地类未填写"),
)


def _farmland(world: World, start: int) -> list[Row]:
    """PI-04: farmland built over and fined; the occupation tax paid by some, by others not (see ``trade``)."""
    dice, rows = world.dice("farmland"), list[Row]()
    for kind, count, (low, high), paid, land, cls, why in _FARMLAND:
        for _ in range(count):
            number = len(rows)
            firm = world.firms[number * 2 % len(world.firms)]
            row = _page(world, dice, "行政处罚公示", start + number)
            area, decided = dice.randint(800, 9000), world.days_ago(dice, low, high)
            row |= {
                "subject_name": firm.name, "subject_uscc": firm.credit_code, "division_code": firm.county, "penalty_date": iso(decided),
                "violation_type": "非法占用耕地" if land == "耕地" else "非法占用土地", "penalty_authority": f"{places.COUNTIES[firm.county]}自然资源局",
                "occupied_area_sqm": str(area), "land_class": land, "_planted": "pi04",
                "violation_fact": f"{firm.name}未经批准占用{land or '土地'}{area}平方米建设厂房。", "address": f"{places.COUNTIES[firm.county]}演示村",
            }  # fmt: skip
            world.occupied.append((firm, area, decided, paid))
            world.truth.expect(
                "farmland_tax_unpaid", kind, cls, "organisation", firm.credit_code, why, {"area_sqm": area}
            )
            rows.append(row)
    return rows
