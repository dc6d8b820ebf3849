"""The register of prisoners and community-correction subjects, some of whom draw a pension."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from chuxiong.demo import identifiers, places
from chuxiong.demo.calendar import between, day_in, days_ago, month_first, month_last
from chuxiong.demo.defects import Places, Row
from chuxiong.demo.files import Deliveries, Sheet
from chuxiong.demo.pension import GENDERS, LATE_COUNTY, Part, Payment, Register
from chuxiong.demo.people import Person
from chuxiong.demo.truth import Class

RULE = "pension_while_serving"
_COMMUNITY = ("缓刑", "管制", "假释", "暂予监外执行")
_CHARGES = (
    "盗窃罪",
    "诈骗罪",
    "危险驾驶罪",
    "故意伤害罪",
    "交通肇事罪",
    "开设赌场罪",
    "滥伐林木罪",
    "非法持有枪支罪",
)
_PRISONS = ("云南省楚雄监狱（演示）", "云南省元谋监狱（演示）")
_PLACES = Places(
    ids=("身份证号",),
    names=("姓名",),
    dates=("判决日期", "矫正（刑期）起始日期", "矫正（刑期）终止日期"),
    divisions=("执行地县市",),
    codes={"性别": GENDERS},
)
_SHEET = Sheet(
    title="楚雄州司法局社区矫正与服刑人员名册",
    groups=(
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
        ("原判情况", 5),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
        ("请假外出", 7),
        ("处分", 2),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
    ),
)


@dataclass(frozen=True)
class Sentence:
    """A sentence being served. ``start`` None: not delivered."""

    category: str
    text: str
    start: date | None
    end: date
    status: str


def cast_serving(register: Register) -> tuple[list[Row], list[Row]]:
    """Plant the rule's cases; returns (rows of the register, rows of the correction)."""
    rows: list[Row] = []
    corrected: list[Row] = []
    for kind in (
        "serving",
        "released",
        "partly_recovered",
        "community",
        "admission_and_release",
        "suspended",
        "recovered",
        "namesake",
        "category_corrected",
        "no_pay_status",
        "no_start_date",
    ):
        for number in range(register.plan.cases(RULE, kind)):
            _case(register, kind, number, rows, corrected)
    _others(register, rows)
    return rows, corrected


#: (kind, cases) of people without a pension whom other rolls hold: on assistance, or on a school's staff
_ASSISTED = (("serving", 6), ("stopped", 5), ("community", 5), ("released", 5), ("just_admitted", 5))
_STAFF = (
    ("not_checked", 5),
    ("found_and_kept", 2),
    ("checked_before", 3),
    ("left", 4),
    ("other_charge", 5),
    ("no_answer", 3),
)
_GRAVE = ("猥亵儿童罪", "强奸罪", "虐待被监护、看护人罪", "故意伤害罪", "拐卖妇女、儿童罪")


def _others(register: Register, rows: list[Row]) -> None:
    """Sentences of working people; ``register.assisted`` and ``register.staff`` say what the other rolls make of them."""
    draw, today = register.draw, register.today
    for kind, count in _ASSISTED:
        for _ in range(count):
            person = register.people.take("others")
            start = day_in(draw, month_first(today, -1 if kind == "just_admitted" else -between(draw, 9, 20)))
            end = day_in(
                draw, month_first(today, -between(draw, 4, 6) if kind == "released" else between(draw, 6, 30))
            )
            category = "缓刑" if kind == "community" else "监狱服刑"
            text = "有期徒刑一年，缓刑二年" if kind == "community" else "有期徒刑二年"
            status = {"community": "在矫", "released": "释放"}.get(kind, "在押")
            rows.append(_row(draw, person, Sentence(category, text, start, end, status), len(rows)))
            register.assisted.append((kind, person))
    for kind, count in _STAFF:
        for number in range(count):
            person = register.people.take("others")
            start = day_in(draw, month_first(today, -between(draw, 30, 40)))
            end = day_in(draw, month_first(today, -between(draw, 4, 9)))
            row = _row(
                draw, person, Sentence("缓刑", "有期徒刑一年，缓刑二年", start, end, "解除矫正"), len(rows)
            )
            row["罪名"] = "危险驾驶罪" if kind == "other_charge" else _GRAVE[number % len(_GRAVE)]
            rows.append(row)
            register.staff.append((kind, person, date.fromisoformat(row["判决日期"])))


def _case(register: Register, kind: str, number: int, rows: list[Row], corrected: list[Row]) -> None:
    draw, last = register.draw, register.plan.months
    person = register.people.take("pensioners", not_in=LATE_COUNTY)
    sentence, first, final = _sentence(register, kind, number)
    inside = range(max(first + 1, 0), min(final, last + 1))
    changed = {
        "partly_recovered": Payment(recovered_share=0.5),
        "recovered": Payment(recovered_share=1.0),
        "suspended": Payment(amount=0, status="暂停", reason="服刑"),
        "no_pay_status": Payment(status=""),
    }.get(kind, Payment())
    payments = {k: changed if k in inside else Payment() for k in range(last + 1)}
    if kind == "no_pay_status":
        held = Payment(amount=0, status="暂停", reason="服刑")
        payments |= {k: held for k in list(inside)[1:]}
    register.add(Part(person, payments))
    subject = person
    if kind == "namesake":
        other = identifiers.other_number(draw, person.citizen_id, register.people.ids)
        subject = Person(**{**vars(person), "citizen_id": other})
    row = _row(draw, subject, sentence, len(rows))
    rows.append(row)
    if kind == "category_corrected":
        corrected.append(
            row | {"人员类别": "缓刑", "原判刑期": "有期徒刑一年，缓刑二年", "服刑监狱": "", "现状态": "在矫"}
        )
    cls, why = _WHY[kind]
    months = [register.months[k].strftime("%Y-%m") for k in inside] if cls == "hit" else []
    register.truth.expect(
        RULE,
        kind,
        cls,
        "person",
        person.citizen_id,
        why,
        {
            "category": sentence.category,
            "start": sentence.start.isoformat() if sentence.start else None,
            "end": sentence.end.isoformat(),
            "months": months,
        },
    )


_WHY: dict[str, tuple[Class, str]] = {
    "serving": ("hit", "在监狱服刑，整月在刑期内仍正常发放"),
    "released": ("hit", "已刑满释放，刑期内的整月曾正常发放"),
    "partly_recovered": ("hit", "刑期内整月发放，只追回一半"),
    "community": ("near_miss", "缓刑、管制、假释、暂予监外执行：按原标准发放，未参加调整"),
    "admission_and_release": ("near_miss", "只在入监当月和释放当月发放"),
    "suspended": ("near_miss", "刑期内已暂停发放"),
    "recovered": ("innocent", "刑期内发放的已全额追回"),
    "namesake": ("innocent", "同名同生日的另一人在服刑"),
    "category_corrected": ("innocent", "更正文件：实为缓刑"),
    "no_pay_status": ("undecided", "刑期内有一个月发放状态为空"),
    "no_start_date": ("quarantined", "缺刑期起始日期，该行不能入库"),
}


def _sentence(register: Register, kind: str, number: int) -> tuple[Sentence, int, int]:
    """(sentence, month index of admission, month index of release)."""
    draw, last = register.draw, register.plan.months
    if kind == "released":
        first, final = -between(draw, 2, 6), last - between(draw, 2, 3)
    elif kind == "admission_and_release":
        first = between(draw, 1, last - 4)
        final = first + 1
    elif kind == "community":
        first, final = -between(draw, 1, 5), last + between(draw, 6, 12)
    else:
        first, final = between(draw, 0, 2), last + between(draw, 4, 30)
    start = day_in(draw, month_first(register.today, first - last))
    end = day_in(draw, month_first(register.today, final - last))
    if kind == "community":
        category = _COMMUNITY[number % len(_COMMUNITY)]
        texts = {"缓刑": "有期徒刑一年六个月，缓刑二年", "管制": "管制一年六个月", "假释": "有期徒刑三年"}
        return Sentence(category, texts.get(category, "有期徒刑二年"), start, end, "在矫"), first, final
    months = (end.year - start.year) * 12 + end.month - start.month
    text = f"拘役{_months(max(months, 1))}" if months <= 5 else f"有期徒刑{_months(months)}"
    status = "释放" if final < last else "在押"
    return Sentence("监狱服刑", text, None if kind == "no_start_date" else start, end, status), first, final


def _months(count: int) -> str:
    digits = "零一二三四五六七八九十"
    years, rest = divmod(count, 12)
    tail = ("十一个月" if rest == 11 else f"{digits[rest]}个月") if rest else ""
    return (f"{digits[years]}年" if years else "") + tail


def _row(draw: np.random.Generator, person: Person, sentence: Sentence, number: int) -> Row:
    judged = (sentence.start or sentence.end) - timedelta(days=between(draw, 20, 60))
    prison = _PRISONS[number % 2] if sentence.category == "监狱服刑" else ""
    return {
        "姓名": person.name,
        "身份证号": person.citizen_id,
        "性别": "1" if person.male else "2",
        "人员类别": sentence.category,
        "罪名": str(draw.choice(_CHARGES)),
        "判决机关": places.courts(person.county),
        "判决文书号": f"（{judged.year}）{places.court_code(person.county)}刑初{5000 + number}号",
        "判决日期": judged.isoformat(),
        "原判刑期": sentence.text,
        "矫正（刑期）起始日期": sentence.start.isoformat() if sentence.start else "",
        "矫正（刑期）终止日期": sentence.end.isoformat(),
        "执行地司法所": f"{person.town}司法所",
        "执行地县市": person.county,
        "服刑监狱": prison,
        "是否未成年": "否",
        "禁止令内容": "",
        "请假审批表编号": "",
        "请假种类": "",
        "请假起始日期": "",
        "请假截止日期": "",
        "外出目的地": "",
        "批准机关": "",
        "销假日期": "",
        "最近处分种类": "",
        "最近处分日期": "",
        "未履行财产性判项金额（元）": "",
        "狱内账户余额（元）": "",
        "现状态": sentence.status,
        "备注": "",
    }


def _background(register: Register, count: int, start: int) -> list[Row]:
    """Offenders of working age without a pension; some with leaves, one row each."""
    draw, today = register.plan.draw("offenders"), register.today
    rows: list[Row] = []
    while len(rows) < count:
        person = register.people.take("others")
        prison = draw.random() < 0.45
        begun, ends = days_ago(draw, today, 40, 900), today + timedelta(days=between(draw, 30, 900))
        category = "监狱服刑" if prison else str(draw.choice(_COMMUNITY))
        text = "有期徒刑二年" if prison else "有期徒刑一年，缓刑二年"
        sentence = Sentence(category, text, begun, ends, "在押" if prison else "在矫")
        row = _row(draw, person, sentence, start + len(rows))
        leaves = 0 if prison else int(draw.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))
        for leave in range(max(leaves, 1)):
            rows.append(row | (_leave(draw, person, today, len(rows) + leave) if leaves else {}))
    return rows


#: (kind, cases, unpaid, balance, held now, verdict, why); amounts in yuan
_PROPERTY: tuple[tuple[str, int, str, str, bool, Class, str], ...] = (
    ("enough", 6, "5000", "8600", True, "hit", "狱内账户余额超过未缴罚金"),
    ("short", 4, "20000", "900", True, "near_miss", "余额不足"),
    ("paid", 4, "0", "7000", True, "near_miss", "财产性判项已履行"),
    ("community", 3, "5000", "8600", False, "near_miss", "社区矫正对象"),
    ("no_balance", 3, "5000", "", True, "undecided", "账户余额未填写"),
)


def _property_penalties(register: Register, start: int) -> list[Row]:
    """CR-09: what prisoners still owe of a fine, and what their account in prison holds."""
    draw, today = register.plan.draw("property penalties"), register.today
    rows: list[Row] = []
    for kind, count, unpaid, balance, held, cls, why in _PROPERTY:
        for _ in range(count):
            person = register.people.take("others")
            begun, ends = days_ago(draw, today, 40, 900), today + timedelta(days=between(draw, 60, 900))
            category, text = ("监狱服刑", "有期徒刑二年") if held else ("缓刑", "有期徒刑一年，缓刑二年")
            sentence = Sentence(category, text, begun, ends, "在押" if held else "在矫")
            rows.append(
                _row(draw, person, sentence, start + len(rows))
                | {"未履行财产性判项金额（元）": unpaid, "狱内账户余额（元）": balance}
            )
            register.truth.expect(
                "property_penalty_unpaid_with_balance", kind, cls, "person", person.citizen_id, why
            )
    return rows


#: (kind, cases, charge, category, months since the last day)
_BARRED = (
    ("served_lately", 4, "职务侵占罪", "监狱服刑", 20),
    ("probation_lately", 3, "行贿罪", "缓刑", 10),
    ("served_long_ago", 3, "职务侵占罪", "监狱服刑", 75),
    ("probation_long_ago", 3, "行贿罪", "缓刑", 40),
    ("other_charge", 3, "危险驾驶罪", "监狱服刑", 10),
)


def _barred(register: Register, start: int) -> list[Row]:
    """AD-02: people sentenced for crimes that bar from running a firm; ``register.barred`` gives them a firm."""
    draw, today = register.plan.draw("barred"), register.today
    rows: list[Row] = []
    for kind, count, charge, category, ago in _BARRED:
        for _ in range(count):
            person = register.people.take("others")
            ended = day_in(draw, month_first(today, -ago))
            begun = ended - timedelta(days=700)
            text = "有期徒刑一年，缓刑二年" if category == "缓刑" else "有期徒刑一年十一个月"
            status = "解除矫正" if category == "缓刑" else "释放"
            row = _row(draw, person, Sentence(category, text, begun, ended, status), start + len(rows))
            rows.append(row | {"罪名": charge})
            register.barred.append((kind, person))
    return rows


#: (kind, cases) of community-correction subjects in a hotel
_AWAY = (("away", 6), ("at_home", 4), ("on_leave", 4), ("released", 3), ("not_covered", 3))


def _away(register: Register, start: int) -> list[Row]:
    """CR-10: whether a leave covers the night; of the nights of this month the leaves are not delivered yet."""
    draw, today = register.plan.draw("away"), register.today
    rows: list[Row] = []
    for kind, count in _AWAY:
        if kind == "not_covered" and today.day < 5:
            continue  # no night of this month has been delivered
        for number in range(count):
            person = register.people.take("others")
            night = month_last(month_first(today, -1)) - timedelta(days=between(draw, 4, 9))
            if kind == "not_covered":
                night = today - timedelta(days=3)
            begun, ends = today - timedelta(days=300), today + timedelta(days=400)
            status = "在矫"
            if kind == "released":
                ends, status = night - timedelta(days=20), "解除矫正"
            category = _COMMUNITY[number % len(_COMMUNITY)]
            row = _row(
                draw,
                person,
                Sentence(category, "有期徒刑一年，缓刑二年", begun, ends, status),
                start + len(rows),
            )
            if kind == "on_leave":
                row |= _leave(draw, person, today, start + len(rows)) | {
                    "请假起始日期": (night - timedelta(days=1)).isoformat(),
                    "请假截止日期": (night + timedelta(days=2)).isoformat(),
                    "销假日期": (night + timedelta(days=2)).isoformat(),
                }
            rows.append(row)
            register.away.append((kind, person, night))
    return rows


#: (kind, cases) of community-correction subjects in a road accident (``spheres.filing`` says what they did)
_CRASHED = (
    ("drunk", 2), ("drank", 2), ("fled", 2), ("unlicensed", 1), ("warned", 4), ("slight", 3), ("passenger", 2), ("before", 2),
    ("in_prison", 2), ("not_covered", 3),
)  # fmt: skip


def _crashed(register: Register, start: int) -> list[Row]:
    """CR-10: whether a sanction followed an accident; of the last weeks the sanctions are not delivered yet."""
    draw, today = register.plan.draw("crashed"), register.today
    rows: list[Row] = []
    for kind, count in _CRASHED:
        for number in range(count):
            person = register.people.take("others")
            day = days_ago(draw, today, *((26, 40) if kind == "not_covered" else (125, 160)))
            begun, ends = today - timedelta(days=300), today + timedelta(days=400)
            if kind == "before":
                begun = day + timedelta(days=20)
            category = "监狱服刑" if kind == "in_prison" else _COMMUNITY[number % len(_COMMUNITY)]
            held = Sentence(category, "有期徒刑二年", begun, ends, "在押" if kind == "in_prison" else "在矫")
            row = _row(draw, person, held, start + len(rows))
            if kind == "warned":
                row |= {"最近处分种类": "警告", "最近处分日期": (day + timedelta(days=21)).isoformat()}
            rows.append(row)
            register.crashed.append((kind, person, day))
    return rows


def _leave(draw: np.random.Generator, person: Person, today: date, number: int) -> Row:
    begun = days_ago(draw, today, 12, 120)
    until = begun + timedelta(days=between(draw, 2, 7))
    return {
        "请假审批表编号": f"{person.county}{begun:%Y%m}{number:05d}",
        "请假种类": "单次外出",
        "请假起始日期": begun.isoformat(),
        "请假截止日期": until.isoformat(),
        "外出目的地": "昆明市",
        "批准机关": f"{places.COUNTIES[person.county]}司法局",
        "销假日期": until.isoformat(),
    }


def write_serving(register: Register, files: Deliveries, rows: list[Row], corrected: list[Row]) -> list[Row]:
    """Day 0: the register, then a correction; returns the register."""
    feed = "ja_penalty_execution"
    rows = rows + _property_penalties(register, len(rows))
    rows = rows + _barred(register, len(rows))
    rows = rows + _away(register, len(rows))
    rows = rows + _crashed(register, len(rows))
    planted = len(rows)
    rows = rows + _background(register, register.plan.size["offenders"], planted)
    last = month_first(register.today, -1)
    missing = [at for at, row in enumerate(rows) if not row["矫正（刑期）起始日期"]]
    files.workbook(
        feed,
        rows,
        _SHEET,
        day=0,
        period=f"{last:%Y%m}",
        covers=month_last(last),
        free=list(range(planted, len(rows))),
        places=_PLACES,
    )
    for at in missing:
        register.truth.defect(feed, files.last_file, at + 1 + _SHEET.header_rows, "MISSING", "quarantined")
    files.workbook(feed, corrected, _SHEET, day=0, period=f"{last:%Y%m}_更正", covers=month_last(last))
    return rows
