"""Real-estate registration, and contracts of sale, lease and housing loans."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from chuxiong.demo import places
from chuxiong.demo.defects import Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.world import World, iso, moment, unit


def write_property(world: World, files: Deliveries) -> None:
    _registrations(world, files)
    _contracts(world, files)


def _registrations(world: World, files: Deliveries) -> None:
    dice, today = world.dice("estates"), world.today
    rows: list[Row] = []
    for n in range(world.plan.size["estates"]):
        rows.append(_registration(world, dice, n))
    for number, (owner, *_) in enumerate(world.leases):
        # The debtors' homes: first registered to them, then seized.
        done = moment(world.days_ago(dice, 900, 2000), dice)
        first = _title(
            world,
            len(rows),
            owner.name,
            owner.citizen_id,
            owner.address,
            unit(owner.county, owner.index),
            done,
        )
        rows.append(first | {"register_type": "首次", "_planted": "1"})
        seized = moment(world.days_ago(dice, 60, 89), dice)
        rows.append(first | {"business_no": f"BDC{seized[:4]}{900_000 + number:08d}", "register_type": "查封", "register_time": seized,
                    "seizure_doc_no": f"（{seized[:4]}）{places.court_code(owner.county)}执保{number + 1}号", "_planted": "1"})  # fmt: skip
    for back in (8, 1):
        until = (today - timedelta(days=back)).isoformat()
        since = (today - timedelta(days=8)).isoformat() if back == 1 else ""
        week = [r for r in rows if since < r["register_time"][:10] <= until]
        files.table("nr_real_estate", week or rows[:1], period=f"{today - timedelta(days=back):%Y%m%d}", covers=today - timedelta(days=back),
                    faults=back == 8, spare=lambda r: bool(r.get("_planted")))  # fmt: skip


def _registration(world: World, dice: Random, n: int) -> Row:
    person = world.anyone(dice)
    when = moment(world.days_ago(dice, 1, 600), dice)
    kind = dice.choice(["首次", "转移", "转移", "抵押", "变更", "注销"])
    row = _title(
        world, n, person.name, person.citizen_id, person.address, unit(person.county, person.index), when
    )
    if dice.random() < 0.2:
        other = world.anyone(dice)
        row |= {
            "owner_name": f"{person.name}、{other.name}",
            "owner_id": f"{person.citizen_id}、{other.citizen_id}",
            "co_ownership": "共同",
        }
    if kind == "抵押":
        row |= {"mortgagee": "楚雄演示农村商业银行股份有限公司"}
    return row | {"register_type": kind}


def _title(world: World, n: int, name: str, number: str, address: str, parcel: str, when: str) -> Row:
    return {
        "business_no": f"BDC{when[:4]}{n:08d}", "parcel_unit_no": parcel, "certificate_no": f"云（{when[:4]}）楚雄州不动产权第{n:07d}号", "address": address,
        "owner_name": name, "owner_id": number, "co_ownership": "单独", "right_type": "国有建设用地使用权/房屋所有权", "right_nature": "出让", "usage": "住宅",
        "area_sqm": f"{70 + n % 90}", "price_wan": f"{20 + n % 60}", "register_time": when, "term_end": "2088-12-31",
    }  # fmt: skip


def _contracts(world: World, files: Deliveries) -> None:
    dice, today = world.dice("contracts"), world.today
    rows = [_contract(world, dice, n) for n in range(world.plan.size["contracts"])]
    for number, (owner, lessee, signed, years, rent, honest) in enumerate(world.leases):
        if not honest:
            continue  # the sham lease was never filed
        rows.append(
            {
                "contract_no": f"ZL{signed:%Y%m%d}{900_000 + number}", "contract_type": "租赁", "filing_date": iso(signed + timedelta(days=3)), "address": owner.address,
                "parcel_unit_no": unit(owner.county, owner.index), "seller_name": owner.name, "seller_id": owner.citizen_id, "buyer_name": lessee.name,
                "buyer_id": lessee.citizen_id, "area_sqm": "96", "lease_start": iso(signed), "lease_end": iso(_years_on(signed, years)),
                "annual_rent_cny": str(rent), "status": "有效", "_planted": "1",
            }
        )  # fmt: skip
    for back in (8, 1):
        until = (today - timedelta(days=back)).isoformat()
        since = (today - timedelta(days=8)).isoformat() if back == 1 else ""
        week = [r for r in rows if since < r["filing_date"] <= until]
        files.table("hc_house_contract", week or rows[:1], period=f"{today - timedelta(days=back):%Y%m%d}", covers=today - timedelta(days=back),
                    faults=back == 8, spare=lambda r: bool(r.get("_planted")))  # fmt: skip


def _years_on(day: date, years: int) -> date:
    return day.replace(year=day.year + years, day=min(day.day, 28)) - timedelta(days=1)


def _contract(world: World, dice: Random, n: int) -> Row:
    seller, buyer = world.anyone(dice), world.anyone(dice)
    filed = world.days_ago(dice, 1, 500)
    kind = dice.choice(["商品房买卖", "存量房买卖", "租赁", "租赁", "公积金贷款"])
    row = {
        "contract_no": f"{'ZL' if kind == '租赁' else 'WQ'}{filed:%Y%m%d}{n:06d}", "contract_type": kind, "filing_date": iso(filed), "address": seller.address,
        "parcel_unit_no": unit(seller.county, seller.index), "seller_name": seller.name, "seller_id": seller.citizen_id, "buyer_name": buyer.name,
        "buyer_id": buyer.citizen_id, "area_sqm": str(60 + n % 80), "status": "有效",
    }  # fmt: skip
    if kind == "租赁":
        return row | {
            "lease_start": iso(filed),
            "lease_end": iso(_years_on(filed, 1)),
            "annual_rent_cny": str(dice.randint(60, 240) * 100),
        }
    if kind == "商品房买卖":
        developer = world.firm(dice)
        row |= {"seller_name": developer.name, "seller_id": developer.credit_code}
    if dice.random() < 0.2:
        other = world.anyone(dice)
        row |= {
            "buyer_name": f"{buyer.name}、{other.name}",
            "buyer_id": f"{buyer.citizen_id}、{other.citizen_id}",
        }
    fund = f"GJJ{buyer.index:08d}" if kind == "公积金贷款" else ""
    return row | {"price_cny": str(dice.randint(18, 90) * 10_000), "housing_fund_no": fund}
