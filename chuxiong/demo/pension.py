"""Pension rolls, the household register and the cremation register, with deaths that were paid on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from chuxiong.demo import identifiers, names, places
from chuxiong.demo.calendar import between, day_in, month_first, month_last
from chuxiong.demo.defects import Places, Row
from chuxiong.demo.files import Deliveries, Sheet
from chuxiong.demo.people import Person, Population
from chuxiong.demo.plan import Plan
from chuxiong.demo.truth import Class, Truth

RULE = "pension_after_death"
#: this county sends the last month's roll late; nobody planted lives there
LATE_COUNTY = "532326"
INSURANCE = {"110": "企业职工", "120": "机关事业", "170": "城乡居民"}
GENDERS = {"1": "男", "2": "女"}
_POLICE = Places(
    ids=("公民身份号码",),
    names=("姓名",),
    dates=("出生日期",),
    moments=("数据更新时间",),
    divisions=("户籍地行政区划",),
    codes={"性别": GENDERS},
    required=("公民身份号码", "姓名"),
    optional=("户号",),
)
_FUNERAL = Places(
    ids=("逝者身份证号",),
    names=("逝者姓名",),
    dates=("火化日期", "死亡日期"),
    codes={"性别": GENDERS},
    spreadsheet=True,
)
_PAYMENT = Places(
    ids=("社会保障号码",),
    names=("姓名",),
    dates=("离退休日期",),
    months=("发放年月",),
    money=("发放金额（元）",),
    divisions=("参保地",),
    codes={"险种类型": INSURANCE},
    required=("社会保障号码",),
)


@dataclass(frozen=True)
class Payment:
    """What differs from a normal month. Amounts in 分; ``amount`` None: the person's usual pension."""

    amount: int | None = None
    status: str | None = "正常"
    recovered_share: float | None = None
    reason: str = ""


@dataclass
class Part:
    """What the registers say of a planted pensioner. ``payments``: month index → payment; absent = no row."""

    person: Person
    payments: dict[int, Payment]
    death: date | None = None
    police_status: str = "在籍"
    police_death: date | None = None
    cancelled: date | None = None
    cremated: bool = False
    corrected: dict[int, Payment] = field(default_factory=dict)


@dataclass
class Register:
    """Deaths and payments of the prefecture, and everything later parts may change."""

    plan: Plan
    people: Population
    today: date
    truth: Truth
    parts: dict[int, Part] = field(default_factory=dict)
    police_extra: list[Row] = field(default_factory=list)
    funeral_extra: list[tuple[str, str, str, date, str]] = field(default_factory=list)
    police_correction: list[Row] = field(default_factory=list)
    police_day_1: list[Row] = field(default_factory=list)
    #: living people whom the registers make look dead: a namesake has died, or a correction restores them
    alive: list[tuple[str, Person]] = field(default_factory=list)
    #: (kind, person) of sentenced people on assistance; (kind, person, judged on) of those on a school's staff
    assisted: list[tuple[str, Person]] = field(default_factory=list)
    staff: list[tuple[str, Person, date]] = field(default_factory=list)
    #: (kind, person, day of the stay) of community-correction subjects in hotels
    away: list[tuple[str, Person, date]] = field(default_factory=list)
    #: (kind, person, day) of people under correction in a road accident
    crashed: list[tuple[str, Person, date]] = field(default_factory=list)
    #: (kind, person) of sentenced people who run a firm
    barred: list[tuple[str, Person]] = field(default_factory=list)
    #: (kind, number, name, county) of children whom hospitals see
    children: list[tuple[str, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.months = [month_first(self.today, k - self.plan.months) for k in range(self.plan.months + 1)]
        self.draw = self.plan.draw("pension")
        self._background()
        self.usual, self.insurance = _pensions(self.draw, self.people.pensioners)

    def _background(self) -> None:
        """People who died and were taken off the roll in time."""
        draw, count = self.plan.draw("deaths"), self.people.pensioners
        self.death_month = np.full(count, 10_000)
        dead = draw.choice(count, self.plan.size["deaths_before"], replace=False)
        self.death_month[dead] = draw.integers(-24, self.plan.months, len(dead))
        self.last_paid = self.death_month + draw.integers(0, 2, count)
        self.death_day = draw.integers(2, 27, count)
        self.cremated = draw.random(count) < 0.45
        self.people.cast.update(dead.tolist())
        self.background_dead = sorted(dead.tolist())

    def normal(self, until: int | None = None) -> dict[int, Payment]:
        last = self.plan.months if until is None else until
        return {k: Payment() for k in range(last + 1)}

    def add(self, part: Part) -> Part:
        self.parts[part.person.index] = part
        return part

    def police_row(
        self, person: Person, status: str, death: date | None, cancelled: date | None, updated: date
    ) -> Row:
        return {
            "姓名": person.name,
            "公民身份号码": person.citizen_id,
            "曾用名": "",
            "性别": "1" if person.male else "2",
            "民族": person.ethnicity,
            "出生日期": person.birth.isoformat(),
            "户籍地行政区划": person.county,
            "户籍地详址": person.address,
            "户号": person.household,
            "与户主关系": "户主",
            "户口状态": status,
            "死亡日期": death.isoformat() if death else "",
            "死亡注销日期": cancelled.isoformat() if cancelled else "",
            "死亡原因": "疾病" if status == "死亡注销" else "",
            "数据更新时间": f"{updated.isoformat()} 09:30:00",
        }


def _pensions(draw: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(monthly pension in 分, insurance type) of each pensioner."""
    kind = draw.choice(["170", "110", "120"], count, p=[0.62, 0.26, 0.12])
    low = np.select([kind == "170", kind == "110"], [15_000, 210_000], 390_000)
    high = np.select([kind == "170", kind == "110"], [36_000, 460_000], 780_000)
    return (low + draw.random(count) * (high - low)).astype(np.int64) // 10 * 10, kind


# ---- planting ------------------------------------------------------------------------------------


def cast_deaths(register: Register) -> None:
    """Plant every kind of case of the rule."""
    for kind, make in (
        ("both_registers", _paid_on),
        ("police_only", _paid_on),
        ("cremation_only", _paid_on),
        ("back_payment", _paid_on),
        ("partly_recovered", _paid_on),
        ("recovered", _paid_on),
        ("recovered_on_day_1", _paid_on),
        ("new_on_day_1", _paid_on),
        ("stopped_states", _paid_on),
        ("zero_amount", _paid_on),
        ("settlement_months", _paid_on),
        ("cancelled_in_error", _restored),
        ("restored_on_day_1", _restored),
        ("namesake", _namesake),
        ("no_death_date", _no_date),
    ):
        for number in range(register.plan.cases(RULE, kind)):
            make(register, kind, number)


def _paid_on(register: Register, kind: str, number: int) -> None:
    """Someone who died; what was paid afterwards is the kind's matter."""
    draw, last = register.draw, register.plan.months
    person = register.people.take("pensioners", not_in=LATE_COUNTY)
    # A third died before the first roll; nobody later than four months before the last one.
    month = (
        -between(draw, 6, 20)
        if number % 3 == 2 and kind != "settlement_months"
        else between(draw, 0, last - 4)
    )
    death = day_in(draw, month_first(register.today, month - last))
    police = kind != "cremation_only"
    cremated = kind in ("both_registers", "cremation_only") or (kind != "police_only" and number % 2 == 0)
    part = register.add(
        Part(
            person,
            _payments_after(kind, number, month, last),
            death=death,
            cremated=cremated and kind != "new_on_day_1",
        )
    )
    cancelled = min(death + timedelta(days=between(draw, 20, 90)), register.today - timedelta(days=2))
    if police and kind != "new_on_day_1":
        part.police_status, part.police_death, part.cancelled = "死亡注销", death, cancelled
    if kind == "new_on_day_1":
        row = register.police_row(
            person, "死亡注销", death, register.today, register.today + timedelta(days=1)
        )
        register.police_day_1.append(row)
    if kind == "recovered_on_day_1":
        part.corrected = {k: Payment(recovered_share=1.0) for k in range(max(month + 2, 0), last)}
        part.payments = {k: v for k, v in part.payments.items() if k < last}
    _expect(register, part, kind, month, sources=int(police) + int(part.cremated))


def _payments_after(kind: str, number: int, month: int, last: int) -> dict[int, Payment]:
    held = ("暂停", "终止", "追回")[number % 3]
    after = {
        "stopped_states": Payment(status=held, reason="死亡"),
        "zero_amount": Payment(amount=0),
        "partly_recovered": Payment(recovered_share=0.4),
        "recovered": Payment(recovered_share=1.0),
    }.get(kind, Payment())
    payments = {k: Payment() if k <= month + 1 else after for k in range(last + 1)}
    if kind == "settlement_months":
        payments = {k: v for k, v in payments.items() if k <= month + 1}
        payments[month + 2] = Payment(amount=0, status="终止", reason="死亡")
    if kind == "back_payment":
        payments = {k: v for k, v in payments.items() if k <= month + 1} | {last - 2: Payment(status="补发")}
    return payments


_WHY: dict[str, tuple[Class, str]] = {
    "both_registers": ("hit", "公安与殡葬均有死亡记录，死亡次月之后仍正常发放"),
    "police_only": ("hit", "公安死亡注销，死亡次月之后仍正常发放"),
    "cremation_only": ("hit", "殡葬有火化记录（户口仍在籍），死亡次月之后仍正常发放"),
    "back_payment": ("hit", "死亡次月之后又补发"),
    "partly_recovered": ("hit", "死亡次月之后发放，只追回一部分"),
    "new_on_day_1": ("hit", "第 1 天的户籍增量才登记死亡，此前已多发"),
    "settlement_months": ("near_miss", "只发到死亡当月或次月"),
    "stopped_states": ("near_miss", "死亡后的行状态为暂停、终止或追回"),
    "zero_amount": ("near_miss", "死亡后的发放金额为零"),
    "recovered": ("innocent", "多发部分已全额追回"),
    "recovered_on_day_1": ("innocent", "第 1 天的更正文件登记已全额追回"),
}


def _expect(register: Register, part: Part, kind: str, month: int, *, sources: int) -> None:
    cls, why = _WHY[kind]
    late = [k for k in sorted(part.payments) if k > month + 1]
    usual = int(register.usual[part.person.index])
    measures: dict[str, Any] = {
        "death_date": part.death.isoformat() if part.death else None,
        "sources": sources,
        "level_at_most": "urgent" if sources > 1 else "important",
    }
    if cls == "hit":
        paid = [_amount(part.payments[k], usual) for k in late]
        measures |= {
            "months": [register.months[k].strftime("%Y-%m") for k in late],
            "amount_fen": sum(paid),
            "recovered_fen": sum(_recovered(part.payments[k], usual) or 0 for k in late),
        }
    subject = part.person.citizen_id
    if kind == "recovered_on_day_1":
        register.truth.expect(
            RULE, kind, "hit", "person", subject, "更正文件到达之前：死亡后仍发放", measures
        )
        register.truth.expect(RULE, kind, cls, "person", subject, why, measures, from_day=1)
    else:
        day = 1 if kind == "new_on_day_1" else 0
        register.truth.expect(RULE, kind, cls, "person", subject, why, measures, from_day=day)


def _restored(register: Register, kind: str, number: int) -> None:
    """Cancelled by mistake; a later register file says 在籍 again."""
    draw, today = register.draw, register.today
    person = register.people.take("pensioners", not_in=LATE_COUNTY)
    death = day_in(draw, month_first(today, -between(draw, 4, 7)))
    part = register.add(
        Part(person, register.normal(), death=None, police_status="死亡注销", police_death=death)
    )
    part.cancelled = death + timedelta(days=20)
    if kind == "cancelled_in_error":
        register.alive.append((kind, person))
        register.police_correction.append(register.police_row(person, "在籍", None, None, today))
        register.truth.expect(
            RULE, kind, "innocent", "person", person.citizen_id, "误注销，更正文件已恢复在籍"
        )
    else:
        register.police_day_1.append(
            register.police_row(person, "在籍", None, None, today + timedelta(days=1))
        )
        register.truth.expect(
            RULE, kind, "hit", "person", person.citizen_id, "更正到达之前：户口死亡注销而仍发放"
        )
        register.truth.expect(
            RULE,
            kind,
            "innocent",
            "person",
            person.citizen_id,
            "误注销，第 1 天的更正文件恢复在籍",
            from_day=1,
        )


def _namesake(register: Register, kind: str, number: int) -> None:
    """Somebody else of the same name, birth date and sex has died."""
    draw, today = register.draw, register.today
    person = register.people.take("pensioners", not_in=LATE_COUNTY)
    register.add(Part(person, register.normal()))
    register.alive.append((kind, person))
    other = identifiers.other_number(draw, person.citizen_id, register.people.ids)
    death = day_in(draw, month_first(today, -between(draw, 4, 7)))
    row = register.police_row(person, "死亡注销", death, death + timedelta(days=30), today)
    row |= {"公民身份号码": other, "户号": f"{person.household[:6]}9{number:08d}"}
    register.police_extra.append(row)
    register.funeral_extra.append((person.name, other, "1" if person.male else "2", death, person.address))
    register.truth.expect(
        RULE, kind, "innocent", "person", person.citizen_id, f"同名同生日的另一人（{other}）死亡，本人健在"
    )


def _no_date(register: Register, kind: str, number: int) -> None:
    person = register.people.take("pensioners", not_in=LATE_COUNTY)
    cancelled = register.today - timedelta(days=between(register.draw, 1, 3))
    register.add(Part(person, register.normal(), police_status="死亡注销", cancelled=cancelled))
    register.truth.expect(
        RULE, kind, "undecided", "person", person.citizen_id, "户口死亡注销而缺死亡日期，也无火化记录"
    )


# ---- files ---------------------------------------------------------------------------------------


def write_police(register: Register, files: Deliveries) -> None:
    """Day 0: the whole register, then corrections; day 1: changes."""
    today = register.today
    frame, special = _police_frame(register)
    frame, special = _two_numbers(register, frame, special)
    free = np.flatnonzero(~special).tolist()
    files.csv_frame(
        "ps_population_death",
        frame,
        day=0,
        period=f"{month_first(today):%Y%m}_全量",
        covers=today - timedelta(days=1),
        encoding="gb18030",
        free=free,
        faults=True,
        places=_POLICE,
    )
    if register.plan.defects("ps_population_death").get("D35"):
        _note_two_numbers(register, files, frame)
    for day, rows in ((0, register.police_correction), (1, register.police_day_1)):
        files.csv_rows(
            "ps_population_death",
            rows,
            day=day,
            period=f"{today + timedelta(days=day):%Y%m%d}_更正",
            covers=today - timedelta(days=1 - day),
            encoding="gb18030",
        )


def _police_frame(register: Register) -> tuple[pl.DataFrame, np.ndarray]:
    """(the register as text, which rows belong to planted people or the dead)."""
    people = register.people
    status = np.full(people.frame.height, "在籍", dtype=object)
    death = np.full(people.frame.height, "", dtype=object)
    cancel = np.full(people.frame.height, "", dtype=object)
    special = np.zeros(people.frame.height + len(register.police_extra), dtype=bool)
    special[sorted(people.cast)] = True
    special[people.frame.height :] = True
    gone = register.plan.draw("moved away").random(people.frame.height) < 0.004
    gone[sorted(people.cast)] = False
    status[gone] = "迁出"
    for index in register.background_dead:
        day = month_first(register.today, int(register.death_month[index]) - register.plan.months)
        day += timedelta(days=int(register.death_day[index]))
        status[index], death[index] = "死亡注销", day.isoformat()
        cancel[index] = min(day + timedelta(days=25), register.today - timedelta(days=1)).isoformat()
    for index, part in register.parts.items():
        status[index] = part.police_status
        death[index] = part.police_death.isoformat() if part.police_death else ""
        cancel[index] = part.cancelled.isoformat() if part.cancelled else ""
    updated = f"{(register.today - timedelta(days=1)).isoformat()} 02:10:00"
    f = people.frame
    frame = pl.DataFrame(
        {
            "姓名": f["name"],
            "公民身份号码": f["citizen_id"],
            "曾用名": pl.repeat("", f.height, eager=True),
            "性别": f["male"].replace_strict([True, False], ["1", "2"], return_dtype=pl.String),
            "民族": f["ethnicity"],
            "出生日期": f["birth"].cast(pl.String),
            "户籍地行政区划": f["county"],
            "户籍地详址": f["address"],
            "户号": f["household"],
            "与户主关系": pl.Series(np.where(np.arange(f.height) % 2 == 0, "户主", "家庭成员")),
            "户口状态": pl.Series(status.tolist(), dtype=pl.String),
            "死亡日期": pl.Series(death.tolist(), dtype=pl.String),
            "死亡注销日期": pl.Series(cancel.tolist(), dtype=pl.String),
            "死亡原因": pl.Series(np.where(status == "死亡注销", "疾病", "").tolist(), dtype=pl.String),
            "数据更新时间": pl.repeat(updated, f.height, eager=True),
        }
    )
    if register.police_extra:
        frame = pl.concat([frame, pl.DataFrame(register.police_extra, schema=frame.schema)])
    return frame, special


def _two_numbers(
    register: Register, frame: pl.DataFrame, special: np.ndarray
) -> tuple[pl.DataFrame, np.ndarray]:
    """D35: one living person stands in the register under two numbers."""
    count = register.plan.defects("ps_population_death").get("D35", 0)
    draw = register.plan.draw("two numbers")
    free = np.flatnonzero(~special[: register.people.frame.height])
    rows = [frame.row(int(i), named=True) for i in draw.choice(free, count, replace=False)]
    for row in rows:
        row["公民身份号码"] = identifiers.other_number(draw, row["公民身份号码"], register.people.ids)
    return (
        pl.concat([frame, pl.DataFrame(rows, schema=frame.schema)]),
        np.concatenate([special, np.ones(count, dtype=bool)]),
    )


def _note_two_numbers(register: Register, files: Deliveries, frame: pl.DataFrame) -> None:
    count = register.plan.defects("ps_population_death")["D35"]
    file = files.last_file
    for at in range(frame.height - count, frame.height):
        register.truth.defect("ps_population_death", file, at + 2, "D35", "kept")


def write_funeral(register: Register, files: Deliveries) -> None:
    """Day 0: the register up to the month before last, a page that is no spreadsheet, the last month; day 2 more."""
    feed, today = "ca_funeral", register.today
    draw = register.plan.draw("funeral")
    rows, free = _funeral_rows(register, draw)
    last = month_first(today, -1).isoformat()
    old = [i for i, row in enumerate(rows) if row["死亡日期"] < last]
    new = [i for i, row in enumerate(rows) if row["死亡日期"] >= last]
    title = "楚雄州殡仪馆火化登记表"
    place = {i: at for at, i in enumerate(old)}
    files.workbook(
        feed,
        [rows[i] for i in old],
        _sheet(title),
        day=0,
        period=f"至{month_first(today, -2):%Y%m}",
        covers=month_last(month_first(today, -2)),
        free=[place[i] for i in old if i in free],
        places=_FUNERAL,
    )
    recent = [rows[i] for i in new] or [_funeral_row(draw, register, len(rows), *_stranger(draw, today))]
    period, covers = f"{month_first(today, -1):%Y%m}", month_last(month_first(today, -1))
    files.html_as_xls(feed, recent, day=0, period=period, covers=covers)
    files.workbook(feed, recent, _sheet(title), day=0, period=period, covers=covers)
    stranger = [_funeral_row(draw, register, len(rows) + 1 + n, *_stranger(draw, today)) for n in range(3)]
    files.workbook(feed, stranger, _sheet(title), day=2, period=f"{month_first(today):%Y%m}", covers=today)


def _sheet(title: str) -> Sheet:
    return Sheet(
        title=title,
        groups=(
            ("", 1),
            ("逝者信息", 6),
            ("", 1),
            ("", 1),
            ("", 1),
            ("经办人", 3),
            ("", 1),
            ("", 1),
            ("", 1),
        ),
        footer=(("合计",), ("填表人：演示", "", "审核人：演示")),
    )


def _funeral_rows(register: Register, draw: np.random.Generator) -> tuple[list[Row], set[int]]:
    """(rows in order of death, indices that may carry faults)."""
    found: list[tuple[str, str, str, date, str, bool]] = []
    for index in register.background_dead:
        if register.cremated[index]:
            person = register.people.person(index)
            day = month_first(register.today, int(register.death_month[index]) - register.plan.months)
            found.append(_dead(person, day + timedelta(days=int(register.death_day[index])), free=True))
    for part in register.parts.values():
        if part.cremated and part.death:
            found.append(_dead(part.person, part.death, free=False))
    found += [(*extra, False) for extra in register.funeral_extra]
    found.sort(key=lambda row: (row[3], row[1]))
    rows = [_funeral_row(draw, register, n, *row[:5]) for n, row in enumerate(found)]
    free = {n for n, row in enumerate(found) if row[5]}
    for n in sorted(free):
        if draw.random() < 0.05:
            rows[n]["逝者身份证号"] = ""
    return rows, free


def _dead(person: Person, day: date, *, free: bool) -> tuple[str, str, str, date, str, bool]:
    return person.name, person.citizen_id, "1" if person.male else "2", day, person.address, free


def _stranger(draw: np.random.Generator, today: date) -> tuple[str, str, str, date, str]:
    """A dead person without a number, registered elsewhere."""
    return names.single(draw), "", "1", today - timedelta(days=between(draw, 2, 6)), "云南省昆明市禄劝县"


def _funeral_row(
    draw: np.random.Generator,
    register: Register,
    number: int,
    name: str,
    citizen_id: str,
    sex: str,
    day: date,
    address: str,
) -> Row:
    county = next((c for c, n in places.COUNTIES.items() if n in address), "532301")
    burned = min(day + timedelta(days=between(draw, 2, 4)), register.today)
    age = day.year - int(citizen_id[6:10]) if citizen_id else 80
    return {
        "火化编号": f"{county[2:]}{day:%Y}{number:06d}",
        "逝者姓名": name,
        "逝者身份证号": citizen_id,
        "性别": sex,
        "年龄": str(age),
        "死亡日期": day.isoformat(),
        "死亡原因": "疾病",
        "火化日期": burned.isoformat(),
        "殡仪馆": f"{places.COUNTIES[county]}殡仪馆",
        "户籍所在地": address,
        "经办人姓名": names.single(draw),
        "与逝者关系": "子女",
        "经办人电话": identifiers.phone(50_000_000 + number * 13),
        "死亡证明编号": f"53{county[4:]}{day:%Y}{number:05d}",
        "惠民减免金额（元）": "1200",
        "备注": "",
    }


def write_payments(register: Register, files: Deliveries) -> None:
    """Day 0: a roll a month; day 1: a county's late roll and corrections; day 2: this month's roll."""
    feed, last = "hr_pension_payment", register.plan.months
    base = _payment_base(register)
    for k in range(last + 1):
        frame, free = _roll(register, base, k)
        first = register.months[k]
        day = 2 if k == last else 0
        options: dict[str, Any] = {
            "encoding": "gb18030",
            "faults": True,
            "places": _PAYMENT,
            "covers": month_last(first),
        }
        if k == last - 1:
            late = frame["参保地"] == LATE_COUNTY
            late_frame = frame.filter(late)
            keep = np.cumsum(~late.to_numpy()) - 1
            free = [int(keep[i]) for i in free if not late[i]]
            frame = frame.filter(~late)
            files.csv_frame(
                feed,
                late_frame,
                day=1,
                period=f"{first:%Y%m}_大姚县补报",
                covers=month_last(first),
                encoding="gb18030",
            )
        files.csv_frame(feed, frame, day=day, period=f"{first:%Y%m}", free=free, **options)
    _write_corrections(register, files, base)


def _payment_base(register: Register) -> pl.DataFrame:
    """The columns of a pensioner's rows that are the same every month."""
    count, draw = register.people.pensioners, register.plan.draw("payment base")
    f = register.people.frame.head(count)
    births = f["birth"].to_numpy()
    retired = (births + (draw.integers(55, 61, count) * 365.25).astype("timedelta64[D]")).astype(
        "datetime64[D]"
    )
    county_names = {code: f"{name}社会保险中心" for code, name in places.COUNTIES.items()}
    return pl.DataFrame(
        {
            "姓名": f["name"],
            "社会保障号码": f["citizen_id"],
            "个人编号": [f"53{40_000_000 + n:08d}" for n in range(count)],
            "险种类型": pl.Series(register.insurance.tolist(), dtype=pl.String),
            "待遇类别": pl.Series(np.where(draw.random(count) < 0.02, "离休", "退休")),
            "离退休日期": pl.Series(retired).cast(pl.String),
            "待遇开始年月": pl.Series(retired).dt.offset_by("1mo").dt.strftime("%Y%m"),
            "开户银行": pl.repeat("演示农村商业银行", count, eager=True),
            "银行账号": [identifiers.account(n * 97 + 1_000_003) for n in range(count)],
            "经办机构": f["county"].replace_strict(county_names, return_dtype=pl.String),
            "参保地": f["county"],
        }
    )


def _amount(payment: Payment, usual: int) -> int:
    return usual if payment.amount is None else payment.amount


def _recovered(payment: Payment, usual: int) -> int | None:
    if payment.recovered_share is None:
        return None
    return int(_amount(payment, usual) * payment.recovered_share)


def _yuan(fen: pl.Expr) -> pl.Expr:
    return pl.concat_str(
        [(fen // 100).cast(pl.String), pl.lit("."), (fen % 100).cast(pl.String).str.zfill(2)]
    )


def _roll(register: Register, base: pl.DataFrame, k: int) -> tuple[pl.DataFrame, list[int]]:
    """(month ``k``'s roll, rows that may carry faults)."""
    count = base.height
    first = register.months[k]
    listed = register.last_paid + 1 >= k
    ended = register.last_paid + 1 == k
    amount = np.where(ended, 0, register.usual)
    status = np.where(ended, "终止", "正常").astype(object)
    reason = np.where(ended, "死亡", "").astype(object)
    stop = np.where(ended, f"{first:%Y%m}", "").astype(object)
    recovered = np.full(count, -1, dtype=np.int64)
    for index, part in register.parts.items():
        payment = part.payments.get(k)
        listed[index] = payment is not None
        if payment:
            usual = int(register.usual[index])
            amount[index], status[index], reason[index] = (
                _amount(payment, usual),
                payment.status,
                payment.reason,
            )
            stop[index] = f"{first:%Y%m}" if payment.reason else ""
            share = _recovered(payment, usual)
            recovered[index] = -1 if share is None else share
    frame = _payment_rows(base, first, amount, status, stop, reason, recovered).with_columns(
        pl.Series("at", np.arange(count)), pl.Series("listed", listed)
    )
    order = register.plan.draw("roll order").permutation(count)
    frame = frame[order].filter(pl.col("listed")).drop("listed")
    special = np.isin(frame["at"].to_numpy(), sorted(register.people.cast))
    return frame.drop("at"), np.flatnonzero(~special).tolist()


def _payment_rows(
    base: pl.DataFrame,
    first: date,
    amount: np.ndarray,
    status: np.ndarray,
    stop: np.ndarray,
    reason: np.ndarray,
    recovered: np.ndarray,
) -> pl.DataFrame:
    count = base.height
    raised = first.month == 7
    return base.with_columns(
        pl.repeat(f"{first:%Y%m}", count, eager=True).alias("发放年月"),
        pl.Series("fen", amount.astype(np.int64)),
        pl.Series("back", recovered),
        pl.Series("发放状态", status.tolist(), dtype=pl.String),
        pl.Series("停发年月", stop.tolist(), dtype=pl.String),
        pl.Series("暂停或终止原因", reason.tolist(), dtype=pl.String),
        pl.lit(f"{first.year - 1}-11-15").alias("资格认证日期"),
    ).select(
        "姓名",
        "社会保障号码",
        "个人编号",
        "险种类型",
        "待遇类别",
        "离退休日期",
        "待遇开始年月",
        "发放年月",
        _yuan(pl.col("fen")).alias("发放金额（元）"),
        pl.lit("").alias("调整金额（元）"),
        pl.lit(f"{first:%Y%m}" if raised else "").alias("调整执行年月"),
        "发放状态",
        "停发年月",
        "暂停或终止原因",
        pl.when(pl.col("back") < 0)
        .then(pl.lit(""))
        .otherwise(_yuan(pl.col("back")))
        .alias("已追回金额（元）"),
        "资格认证日期",
        "开户银行",
        "银行账号",
        "经办机构",
        "参保地",
    )


def _write_corrections(register: Register, files: Deliveries, base: pl.DataFrame) -> None:
    """Day 1: months of planted people again, now with what was recovered."""
    frames = []
    for k in range(register.plan.months):
        parts = [p for p in register.parts.values() if k in p.corrected]
        if not parts:
            continue
        at = [p.person.index for p in parts]
        usual = register.usual[at]
        back = np.array([_recovered(p.corrected[k], int(u)) or 0 for p, u in zip(parts, usual, strict=True)])
        empty = np.full(len(at), "", dtype=object)
        normal = np.full(len(at), "正常", dtype=object)
        frames.append(_payment_rows(base[at], register.months[k], usual, normal, empty, empty, back))
    if frames:
        day = register.today + timedelta(days=1)
        files.csv_frame(
            "hr_pension_payment",
            pl.concat(frames),
            day=1,
            period=f"{day:%Y%m%d}_更正",
            covers=month_last(register.months[-2]),
            encoding="gb18030",
        )
