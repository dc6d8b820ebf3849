"""Suits and awards that are no real disputes: serial lending suits (CV-03), wages agreed to against creditors (CV-04)."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from chuxiong.demo import names
from chuxiong.demo.calendar import between, month_first
from chuxiong.demo.firms import firms
from chuxiong.demo.people import Person
from chuxiong.demo.truth import Class
from chuxiong.demo.wages import Market, arbitration_row, trial_row

#: (kind, plaintiffs, suits, tried by default, withdrawn, cause, days between the first and the last, verdict, why)
_LENDERS: tuple[tuple[str, int, int, int, int, str, int, Class, str], ...] = (
    ("by_default", 3, 12, 8, 0, "民间借贷纠纷", 300, "hit", "一年内十二件民间借贷，八件缺席审理"),
    ("withdrawn", 2, 11, 1, 5, "民间借贷纠纷", 300, "hit", "一年内十一件民间借贷，五件撤诉"),
    ("many", 1, 24, 20, 0, "民间借贷纠纷", 330, "hit", "一年内二十四件民间借贷，二十件缺席审理"),
    ("few", 2, 8, 6, 0, "民间借贷纠纷", 300, "near_miss", "只有八件"),
    ("contested", 2, 12, 2, 1, "民间借贷纠纷", 300, "near_miss", "十二件均有对抗，极少缺席、撤诉"),
    ("spread", 2, 12, 9, 0, "民间借贷纠纷", 1600, "near_miss", "分散在四年多"),
    ("unsaid", 3, 11, 0, 0, "民间借贷纠纷", 300, "undecided", "是否缺席审理未填写"),
    ("bank", 1, 15, 12, 0, "金融借款合同纠纷", 300, "innocent", "银行依法催收，案由为金融借款合同纠纷"),
)
#: (kind, employers, people, agents, insured, debts first, closed, verdict, why)
_EMPLOYERS: tuple[tuple[str, int, int, int, str, str, Class, str], ...] = (
    ("sham", 5, 12, 1, "", "终结本次", "hit", "被执行后十二人由同一代理人调解确认工资，均未参保"),
    ("large", 1, 21, 1, "", "", "hit", "被执行后二十一人由同一代理人调解确认工资，均未参保"),
    ("insured", 1, 11, 1, "insured", "终结本次", "near_miss", "申请人都由该单位参保"),
    ("few", 2, 6, 1, "", "终结本次", "near_miss", "只有六人"),
    ("own_agents", 1, 11, 11, "", "终结本次", "near_miss", "各有代理人"),
    ("paid", 1, 11, 1, "", "执行完毕", "near_miss", "在先的执行案件已执行完毕"),
    ("debts_later", 1, 11, 1, "", "later", "near_miss", "调解之后才有人申请执行"),
)


def cast_sham(market: Market) -> None:
    _cast_lenders(market)
    _cast_employers(market)


def _cast_lenders(market: Market) -> None:
    draw, today = market.plan.draw("lenders"), market.today
    for kind, count, suits, default, withdrawn, cause, span, cls, why in _LENDERS:
        for _ in range(count):
            plaintiff = market.people.take("others")
            for n in range(suits):
                filed = today - timedelta(days=8 + span * n // (suits - 1))
                amount = between(draw, 3, 60) * 1000
                row = trial_row(market, plaintiff.county, filed, 500_000 + len(market.trials), cause, amount)
                other = market.people.bystander(draw)
                closed = filed + timedelta(days=between(draw, 30, 60))
                done = closed < today - timedelta(days=3)
                row |= {
                    "原告（申请人）": plaintiff.name, "原告证件号码": plaintiff.citizen_id, "被告（被申请人）": other.name,
                    "被告证件号码": other.citizen_id, "是否缺席审理": "" if kind == "unsaid" else "是" if n >= suits - default else "否",
                    "是否公告送达": "是" if n >= suits - default else "否", "结案日期": closed.isoformat() if done else "",
                    "结案方式": ("撤诉" if withdrawn and suits - withdrawn <= n else "判决") if done else "",
                }  # fmt: skip
                market.trials.append(row)
            market.truth.expect(
                "private_lending_serial_suits",
                kind,
                cls,
                "person",
                plaintiff.citizen_id,
                why,
                {"suits": suits},
            )


def _cast_employers(market: Market) -> None:
    """``market.sham`` tells later parts who the employers are: the register, the courts' enforcement, the insurance."""
    draw = market.plan.draw("sham wages")
    known: set[str] = set()
    made = iter(firms(market.plan, sum(e[1] for e in _EMPLOYERS), "sham employers", "服务业"))
    for kind, count, people, agents, insured, debts, cls, why in _EMPLOYERS:
        for _ in range(count):
            firm = next(made)
            last = market.arbitration_covers - timedelta(days=between(draw, 20, 40))
            first = last - timedelta(days=40)
            lawyers = [_other(draw, known) for _ in range(agents)]
            workers: list[Person] = []
            for n in range(people):
                worker = market.people.take("others")
                workers.append(worker)
                filed = first + timedelta(days=n)
                like = {
                    "属地": firm.county, "欠薪金额（元）": str(between(draw, 20, 30) * 100), "被反映单位": firm.name,
                    "统一社会信用代码": firm.credit_code, "工程项目名称": "",
                }  # fmt: skip
                row = arbitration_row(market, worker, like, filed, 700_000 + len(market.arbitrations))
                row |= {
                    "申请人代理人": lawyers[n % agents], "代理人单位": "演示法律服务所", "是否农民工": "否", "审理方式": "调解",
                    "结案方式": "调解", "确认金额（元）": like["欠薪金额（元）"],
                    "结案日期": (filed + timedelta(days=6)).isoformat(), "裁决（调解）结果": f"被申请人支付工资{like['欠薪金额（元）']}元",
                }  # fmt: skip
                market.arbitrations.append(row)
            owed = (
                last + timedelta(days=10)
                if debts == "later"
                else first - timedelta(days=between(draw, 60, 200))
            )
            market.sham.append((firm, owed, "" if debts == "later" else debts))
            if insured:
                market.insured += [(firm, worker, month_first(first, -3)) for worker in workers]
            market.truth.expect(
                "wage_mediation_against_creditors",
                kind,
                cls,
                "organisation",
                firm.credit_code,
                why,
                {"workers": people},
            )


def _other(draw: np.random.Generator, known: set[str]) -> str:
    """An agent whom nobody else has."""
    while (name := names.single(draw)) in known:
        pass
    known.add(name)
    return name
