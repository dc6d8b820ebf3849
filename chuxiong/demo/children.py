"""Children whom hospitals see with signs of harm: they stand in the register of residents beside the adults."""

from __future__ import annotations

from datetime import date, timedelta

from chuxiong.demo.pension import Register
from chuxiong.demo.truth import Class
from chuxiong.kit.citizen_id import check_digit

#: (kind, cases, age in years, verdict, why)
_CHILDREN: tuple[tuple[str, int, int, Class, str], ...] = (
    ("young_not_reported", 4, 12, "hit", "不满十四周岁，妊娠诊断，没有报案"),
    ("not_reported", 4, 16, "hit", "未成年，疑似受侵害的诊断，没有报案"),
    ("reported", 4, 13, "near_miss", "次日已报案"),
    ("reported_before", 3, 15, "innocent", "就诊之前已报案，为取证就诊"),
    ("ordinary", 3, 12, "near_miss", "普通诊断"),
    ("grown_up", 3, 19, "near_miss", "已成年"),
    ("no_birth_date", 3, 12, "undecided", "出生日期未登记"),
)


def cast_children(register: Register) -> None:
    """One row each in the register; ``register.children`` says what else becomes of them."""
    draw, today = register.plan.draw("children"), register.today
    for kind, count, age, cls, why in _CHILDREN:
        for number in range(count):
            like = register.people.bystander(draw)
            birth = today - timedelta(days=int((age + 0.5) * 365.25))
            citizen = _number(register, like.citizen_id[:6], birth, draw_from=number)
            row = register.police_row(like, "在籍", None, None, today)
            row |= {
                "公民身份号码": citizen,
                "出生日期": "" if kind == "no_birth_date" else birth.isoformat(),
                "与户主关系": "子女",
                "户号": f"{like.household[:6]}8{len(register.children):08d}",
            }
            register.police_extra.append(row)
            register.children.append((kind, citizen, like.name, like.county))
            register.truth.expect("minor_harm_not_reported", kind, cls, "person", citizen, why)


def _number(register: Register, place: str, birth: date, draw_from: int) -> str:
    """A number of nobody else."""
    for serial in range(100 + draw_from, 1000):
        body = f"{place}{birth:%Y%m%d}{serial:03d}"
        number = body + check_digit(body)
        if number not in register.people.ids:
            register.people.ids.add(number)
            return number
    raise ValueError("没有可用的证件号码：请换一个种子")
