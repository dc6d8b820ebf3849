"""What follows a refusal: arrest refused and the case left open (CR-03), no opinion (CR-16) or none answered (CR-03)."""

from __future__ import annotations

from datetime import timedelta

from chuxiong.demo.calendar import days_ago, month_first
from chuxiong.demo.recovery import Docket, case_row, opinion
from chuxiong.demo.truth import Class

#: (kind, cases, reason of the refusal, months since, verdict, why)
_ARRESTS: tuple[tuple[str, int, str, int, Class, str], ...] = (
    ("no_crime", 3, "不构成犯罪", 15, "hit", "不构成犯罪不捕一年多，未撤案"),
    ("no_evidence", 4, "证据不足", 17, "hit", "证据不足不捕一年多，未撤案、未移送"),
    ("withdrawn", 3, "不构成犯罪", 15, "near_miss", "已撤案"),
    ("ended", 2, "证据不足", 15, "near_miss", "已终止侦查"),
    ("transferred", 3, "证据不足", 16, "near_miss", "补充侦查后移送起诉"),
    ("accepted", 3, "证据不足", 16, "near_miss", "检察机关已受理审查起诉"),
    ("fresh", 3, "证据不足", 4, "near_miss", "不捕未满一年"),
    ("no_danger", 3, "无社会危险性", 15, "near_miss", "不捕理由为无社会危险性，另行移送"),
    ("no_reason", 3, "", 15, "undecided", "不捕理由未填写"),
    ("undated", 2, "证据不足", 0, "undecided", "不捕决定日期未填写"),
)
#: (kind, cases, charge, kind of non-prosecution, days since, opinion: days since issued and whether answered)
_OPINIONS: tuple[tuple[str, int, str, str, int, int, bool], ...] = (
    ("none", 4, "危险驾驶罪", "酌定", 80, 0, False),
    ("none_lawful", 2, "滥伐林木罪", "法定", 90, 0, False),
    ("unanswered", 6, "危险驾驶罪", "酌定", 200, 150, False),
    ("answered", 4, "故意伤害罪", "酌定", 200, 150, True),
    ("issued_lately", 3, "寻衅滋事罪", "酌定", 60, 40, False),
    ("decided_lately", 3, "危险驾驶罪", "酌定", 9, 0, False),
    ("doubtful", 3, "故意伤害罪", "存疑", 80, 0, False),
    ("other_charge", 2, "重婚罪", "酌定", 80, 0, False),
    ("minor", 2, "寻衅滋事罪", "酌定", 200, 0, False),
    ("kind_unknown", 3, "故意伤害罪", "", 80, 0, False),
    ("issue_unknown", 3, "危险驾驶罪", "酌定", 200, -1, False),
)
_NO_OPINION: dict[str, tuple[Class, str]] = {
    "none": ("hit", "酌定不起诉后没有提出检察意见"),
    "none_lawful": ("hit", "法定不起诉后没有提出检察意见"),
    "unanswered": ("near_miss", "已提出检察意见"),
    "answered": ("near_miss", "已提出检察意见"),
    "issued_lately": ("near_miss", "已提出检察意见"),
    "decided_lately": ("near_miss", "刚刚决定不起诉"),
    "doubtful": ("near_miss", "存疑不起诉"),
    "other_charge": ("near_miss", "罪名不涉及行政处罚"),
    "minor": ("innocent", "未成年人案件"),
    "kind_unknown": ("undecided", "不起诉类型未填写"),
    "issue_unknown": ("near_miss", "已提出检察意见"),
}
_NO_REPLY: dict[str, tuple[Class, str]] = {
    "unanswered": ("hit", "检察意见发出五个月没有回复"),
    "answered": ("near_miss", "已回复处理结果"),
    "issued_lately": ("near_miss", "检察意见发出未满期限"),
    "none": ("near_miss", "没有发出检察意见"),
    "issue_unknown": ("undecided", "检察意见制发日期未填写"),
}


def cast_refusals(docket: Docket) -> None:
    _arrests(docket)
    _opinions(docket)
    docket.planted = len(docket.rows)


def _arrests(docket: Docket) -> None:
    """``docket.refused`` tells the police's side which suspects these are."""
    today = docket.today
    for kind, count, reason, months, cls, why in _ARRESTS:
        for _ in range(count):
            person = docket.people.take("others")
            accepted = month_first(today, -(months or 15)) + timedelta(days=4)
            decided = accepted + timedelta(days=6)
            row = case_row(docket, person, "寻衅滋事罪", accepted) | {
                "案件类别": "审查逮捕", "处理结果": "不捕", "不捕理由": reason, "强制措施": "拘留", "移送单位": "",
                "决定日期": "" if kind == "undated" else decided.isoformat(), "审结日期": decided.isoformat(),
            }  # fmt: skip
            docket.rows.append(row)
            if kind == "accepted":
                later = case_row(docket, person, "寻衅滋事罪", decided + timedelta(days=90))
                docket.rows.append(later)
            docket.refused.append((kind, person, accepted - timedelta(days=25)))
            docket.truth.expect("not_arrested_case_left_open", kind, cls, "person", person.citizen_id, why)


def _opinions(docket: Docket) -> None:
    draw, today = docket.plan.draw("opinions"), docket.today
    for kind, count, charge, sort, ago, issued, answered in _OPINIONS:
        for _ in range(count):
            person = docket.people.take("others")
            decided = days_ago(draw, today, ago, ago + 10)
            row = case_row(docket, person, charge, decided - timedelta(days=12)) | {
                "强制措施": "取保候审", "处理结果": "不诉", "不起诉类型": sort, "决定日期": decided.isoformat(), "审结日期": decided.isoformat(),
                "是否认罪认罚": "是", "是否未成年": "是" if kind == "minor" else "否",
            }  # fmt: skip
            if issued:
                day = today - timedelta(days=abs(issued)) if issued > 0 else decided
                row |= opinion(row, day, day + timedelta(days=30) if answered else None)
            if kind == "issue_unknown":
                row["检察意见制发日期"] = ""
            docket.rows.append(row)
            for rule, verdicts in (
                ("non_prosecution_without_opinion", _NO_OPINION),
                ("opinion_without_reply", _NO_REPLY),
            ):
                if kind in verdicts:
                    cls, why = verdicts[kind]
                    docket.truth.expect(rule, kind, cls, "person", person.citizen_id, why)
