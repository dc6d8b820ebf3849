"""Synthetic first-instance judgments in property crime, anonymised as published ones are."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

import cn2an
import numpy as np

from chuxiong.demo import names, places
from chuxiong.demo.calendar import between
from chuxiong.demo.defects import Row

_HOW = {
    "盗窃罪": "趁无人之机，采取撬锁方式进入被害人住处，窃取现金及财物",
    "诈骗罪": "虚构承揽工程的事实，骗取被害人信任后收取所谓保证金",
    "职务侵占罪": "利用担任出纳的职务便利，将单位货款据为己有",
    "合同诈骗罪": "隐瞒没有履约能力的真相，与被害人签订购销合同收取货款",
    "挪用资金罪": "利用保管资金的便利，将单位资金转入个人账户使用",
    "敲诈勒索罪": "以举报相要挟，向被害人索要财物",
    "信用卡诈骗罪": "冒用他人信用卡，多次取现及消费",
}


def judgment(
    draw: np.random.Generator, case: Row, county: str, case_no: str, judged: date, number: int
) -> tuple[Row, dict[str, Any]]:
    """(one published document under the feed's headers, what it says of amounts and orders, in 分)."""
    charge, court = case["案由（罪名）"], places.courts(county)
    loss, recovered = int(case["被害人损失金额（元）"]), int(case["追赃挽损金额（元）"])
    accused, victim = f"{case['当事人姓名'][0]}某", f"{case['被害人姓名'][0]}某某"
    orders, sentences = _orders(draw, case, loss, recovered, accused, victim)
    fine = between(draw, 1, 20) * 1000
    months = between(draw, 8, 40)
    term = f"有期徒刑{cn2an.an2cn(months // 12, 'low')}年" if months >= 12 else "有期徒刑"
    term += f"{cn2an.an2cn(months % 12 or 6, 'low')}个月"
    record, facts, basis, ruling = (
        _record(case, court, accused, judged),
        _facts(draw, case, charge, accused, victim, loss, recovered, county),
        "依照《中华人民共和国刑法》第五十二条、第五十三条、第六十四条，《中华人民共和国刑事诉讼法》第二百条第一项之规定，判决如下：",
        f"一、被告人{accused}犯{charge}，判处{term}，并处罚金人民币{cn2an.an2cn(fine, 'low')}元（限判决生效后十日内缴纳）。"
        + "".join(f"{'二三四五'[i]}、{s}" for i, s in enumerate(sentences)),
    )
    judges = f"审判员　{names.single(draw)[0]}某　书记员　{names.single(draw)[0]}某"
    title = f"{accused}{charge}一审刑事判决书"
    full = "\n".join(
        (
            court,
            "刑 事 判 决 书",
            case_no,
            record,
            "经审理查明：" + facts,
            _opinion(accused, charge, recovered, loss),
            basis,
            ruling,
            "如不服本判决，可在接到判决书的第二日起十日内，通过本院或者直接向云南省楚雄彝族自治州中级人民法院提出上诉。",
            judges,
            f"{judged.year}年{judged.month}月{judged.day}日",
        )
    )
    doc_id = hashlib.blake2b(f"{case_no}{number}".encode(), digest_size=12).hexdigest()
    published = judged + timedelta(days=between(draw, 10, 18))
    text = {
        "文书ID": doc_id,
        "案号": case_no,
        "案件名称": title,
        "法院名称": court,
        "案件类型": "刑事",
        "审判程序": "一审",
        "文书类型": "判决",
        "案由": charge.removesuffix("罪"),
        "裁判日期": judged.isoformat(),
        "发布日期": published.isoformat(),
        "当事人": f"{places.prosecutors(county)}；{accused}",
        "代理人及律所": "",
        "审判人员": judges,
        "诉讼记录": record,
        "事实": facts,
        "判决结果": ruling,
        "法律依据": basis,
        "全文": full,
        "来源链接": f"https://example.invalid/wenshu/{doc_id}",
    }
    measures = {
        "loss_fen": loss * 100,
        "recovered_fen": recovered * 100,
        "fine_fen": fine * 100,
        "orders": orders,
    }
    return text, measures


def _orders(
    draw: np.random.Generator, case: Row, loss: int, recovered: int, accused: str, victim: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """What the court ordered of the money: restitution, recovery, return, confiscation."""
    rest, orders, sentences = loss - recovered, [], []
    if rest > 0 and draw.random() < 0.75:
        kind = "责令退赔" if draw.random() < 0.6 else "追缴"
        orders.append({"kind": kind, "amount_fen": rest * 100})
        sentences.append(
            f"责令被告人{accused}退赔被害人{victim}经济损失人民币{_written(draw, rest)}。"
            if kind == "责令退赔"
            else f"对被告人{accused}的违法所得人民币{_written(draw, rest)}继续予以追缴，发还被害人{victim}。"
        )
    if recovered > 0:
        orders.append({"kind": "发还", "amount_fen": recovered * 100})
        sentences.append(f"已追回的人民币{_written(draw, recovered)}，发还被害人{victim}。")
    if draw.random() < 0.3:
        orders.append({"kind": "没收", "amount_fen": None})
        sentences.append("随案移送的作案工具手机一部，予以没收，上缴国库。")
    return orders, sentences


def _written(draw: np.random.Generator, yuan: int) -> str:
    """An amount in one of the ways courts write it."""
    forms = [f"{yuan}元", f"{yuan:,}元", f"{cn2an.an2cn(yuan, 'low')}元"]
    if yuan % 100 == 0:
        forms.append(f"{yuan / 10_000:g}万元")
    return forms[int(draw.integers(0, len(forms)))]


def _record(case: Row, court: str, accused: str, judged: date) -> str:
    return (
        f"公诉机关{case['承办单位']}。被告人{accused}，因涉嫌犯{case['案由（罪名）']}于{judged.year}年被{case['强制措施']}。"
        f"{case['承办单位']}以{case['法律文书文号']}起诉书指控被告人{accused}犯{case['案由（罪名）']}，向本院提起公诉。"
        "本院依法适用简易程序，实行独任审判，公开开庭审理了本案。现已审理终结。"
    )


def _facts(
    draw: np.random.Generator,
    case: Row,
    charge: str,
    accused: str,
    victim: str,
    loss: int,
    recovered: int,
    county: str,
) -> str:
    day = date.fromisoformat(case["案发时间"][:10])
    back = f"案发后追回赃款人民币{_written(draw, recovered)}。" if recovered else "案发后赃款赃物未追回。"
    return (
        f"{day.year}年{day.month}月{day.day}日，被告人{accused}在{case['案发地点']}{_HOW[charge]}，"
        f"造成被害人{victim}损失共计人民币{_written(draw, loss)}。赃款已被{accused}用于日常开支。{back}"
        f"上述事实，被告人{accused}在开庭审理过程中亦无异议，并有报案材料、到案经过、被害人{victim}的陈述、"
        f"证人证言、银行交易明细、价格认定书、指认现场笔录及照片、被告人的供述与辩解等证据证实，足以认定。"
    )


def _opinion(accused: str, charge: str, recovered: int, loss: int) -> str:
    partly = "部分赃款已追回，可酌情从轻处罚。" if 0 < recovered < loss else ""
    return (
        f"本院认为，被告人{accused}的行为已构成{charge}。公诉机关指控的罪名成立。被告人{accused}到案后如实供述自己的罪行，"
        f"依法可以从轻处罚。{partly}犯罪分子违法所得的一切财物，应当予以追缴或者责令退赔；对被害人的合法财产，应当及时返还。"
    )
