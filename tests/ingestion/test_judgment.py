"""What the extractor reads out of made-up judgments. Nobody is meant."""

from __future__ import annotations

import random
import time
from datetime import date

import polars as pl
import pytest

from chuxiong.kit import text
from ingestion.texts.amounts import amounts
from ingestion.texts.deriving import disagree
from ingestion.texts.judgment import Judgment, read_judgment

HEAD = (
    "赵某甲盗窃罪一审刑事判决书 示例省示例县人民法院 刑事判决书 （2019）示0101刑初00012号 公诉机关示例省示例县人民检察院。 "
    "被告人赵某甲，男，1990年1月1日出生。 辩护人钱某，示例律师事务所律师。 示例县人民检察院以示检刑诉（2019）7号起诉书指控"
    "被告人赵某甲犯盗窃罪，向本院提起公诉。现已审理终结。 "
)
FACTS = "经审理查明，2019年3月1日，被告人赵某甲窃得被害人孙某手机一部，价值人民币2，300元。案发后，被告人赵某甲退赔被害人孙某人民币800元。"
OPINION = (
    " 本院认为，被告人赵某甲的行为已构成盗窃罪。依照《中华人民共和国刑法》第二百六十四条之规定，判决如下： "
)
RULING = "一、被告人赵某甲犯盗窃罪，判处拘役三个月，并处罚金人民币一千元。 二、责令被告人赵某甲退赔被害人孙某人民币一千五百元。"
FOOT = " 如不服本判决，可在十日内提出上诉。 审判员李某 二〇一九年六月三十日 书记员周某 附：第六十四条 予以追缴、没收。2013年1月1日。"


def whole(*, head: str = HEAD, facts: str = FACTS, ruling: str = RULING, foot: str = FOOT) -> str:
    return head + facts + OPINION + ruling + foot


def orders(ruling: str) -> list[tuple[str, object, str | None]]:
    found = read_judgment(whole(ruling="一、被告人赵某甲犯盗窃罪，判处拘役三个月。 二、" + ruling))
    return [
        (f.kind.removeprefix("order_"), f.value, f.detail)
        for f in found.findings
        if f.kind.startswith("order_")
    ]


def test_a_whole_judgment() -> None:
    found = read_judgment(whole())
    assert found.first("case_no") == "(2019)示0101刑初00012号"
    assert found.first("court") == "示例省示例县人民法院"
    assert found.judged_on == date(2019, 6, 30)
    assert found.causes == ["盗窃"]
    assert found.first("prosecutor") == "示例省示例县人民检察院"
    assert [(f.detail, f.value) for f in found.of("party")] == [("被告人", "赵某甲"), ("辩护人", "钱某")]
    assert (found.loss_fen, found.recovered_fen) == (230_000, 80_000)
    assert orders("责令被告人赵某甲退赔被害人孙某人民币一千五百元。") == [("refund", 150_000, None)]
    assert found.has_ruling


@pytest.mark.parametrize("form", [whole(), text.cleaned(pl.Series([whole().replace(" ", "\n")]))[0]])
def test_places_hold_in_the_text_as_given(form: str) -> None:
    """As published, and as the pool stores it (NFKC, line ends as blanks)."""
    for finding in read_judgment(form).findings:
        part = form[finding.start : finding.end]
        assert 0 <= finding.start < finding.end <= len(form)
        if finding.kind in ("court", "cause", "party", "prosecutor"):
            assert part == finding.value
    found = read_judgment(form)
    assert [form[f.start : f.end].strip("。") for f in found.of("order_refund")] == [
        "二、责令被告人赵某甲退赔被害人孙某人民币一千五百元"
    ]
    assert form[found.of("date")[0].start : found.of("date")[0].end] == "二〇一九年六月三十日"


@pytest.mark.parametrize(
    ("ruling", "expected"),
    [
        ("追缴被告人赵某甲违法所得人民币5，000元。", [("recover", 500_000, None)]),
        ("对被告人赵某甲的违法所得1.2万元继续予以追缴，发还被害人孙某。",
         [("recover", 1_200_000, None), ("return", 1_200_000, "order_recover")]),
        ("责令被告人赵某甲退赔违法所得后发还被害人。", [("refund", None, None), ("return", None, "order_refund")]),
        ("责令被告人赵某甲退赔孙某1800元、退赔周某1260元。", [("refund", 306_000, None)]),
        ("退赔的人民币三千元，发还孙某一千元，发还周某二千元。", [("return", 300_000, None)]),
        ("赃款人民币五百元继续予以追缴，扣押的人民币二千元发还被害人孙某。",
         [("recover", 50_000, None), ("return", 200_000, None)]),
        ("扣押在案的人民币9000元，其中6000元发还被害人孙某。", [("return", 600_000, None)]),
        ("责令被告人赵某甲退赔人民币9000元，其中孙某6000元。", [("refund", 900_000, None)]),
        ("对案涉毒品予以没收；毒资人民币三百元予以追缴，上缴国库。", [("confiscate", None, None), ("recover", 30_000, None)]),
        ("扣押在案的手机一部（详见清单，价值2000元）予以没收，上缴国库。", [("confiscate", None, None)]),
        ("违法所得人民币十万余元上缴国库。", [("confiscate", 10_000_000, None)]),
        ("被告人赵某甲犯受贿罪，判处有期徒刑一年，并处没收财产人民币三十万元。", [("confiscate", 30_000_000, None)]),
        ("违法所得予以追缴，不足部分责令退赔。", [("recover", None, None), ("refund", None, None)]),
        ("扣押的衣服一件，返还被告人赵某甲。", []),
        ("撤销原判第二项，即没收作案工具手机一部。", []),
        ("被告人赵某甲已退赔的款项不再处理。", []),
    ],
)  # fmt: skip
def test_orders(ruling: str, expected: list[tuple[str, object, str | None]]) -> None:
    assert orders(ruling) == expected


@pytest.mark.parametrize(
    ("facts", "loss", "recovered"),
    [
        ("经审理查明，被告人骗取孙某人民币3000元、骗取周某人民币五千元，共计人民币8000元。", 800_000, None),
        ("经审理查明，被告人骗取孙某人民币3000元，骗取周某人民币五千元。", 800_000, None),
        ("经审理查明，被告人窃得价值2万元的车一辆（已发还被害人）。", 2_000_000, 2_000_000),
        (
            "经审理查明，被告人窃得现金500元，后以300元的价格变卖赃物。两名被告人各退出违法所得100元。",
            50_000,
            20_000,
        ),
        ("经审理查明，被告人窃得现金500元。辩护人提出被告人已退赔500元。", 50_000, None),
        ("经审理查明，被告人窃得美元300元、人民币200元。", 20_000, None),
        ("经审理查明，被告人欲骗取孙某人民币10万元，因被识破而未得手。", None, None),
        ("经审理查明，被告人窃得现金500元。赃款未追回。", 50_000, None),
    ],
)
def test_loss_and_what_came_back(facts: str, loss: int | None, recovered: int | None) -> None:
    found = read_judgment(whole(facts=facts))
    assert (found.loss_fen, found.recovered_fen) == (loss, recovered)


def test_of_drug_offences_prices_are_no_loss() -> None:
    ruling = "被告人赵某甲犯贩卖毒品罪，判处有期徒刑七个月。"
    assert (
        read_judgment(
            whole(facts="经审理查明，被告人以200元价格贩卖毒品，获利200元。", ruling=ruling)
        ).loss_fen
        is None
    )


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("（2013）示刑初字第00138号", "(2013)示刑初字第00138号"),
        ("(2013)示少刑初字第138号", "(2013)示少刑初字第138号"),
        ("〔2018〕示01刑终619号", "(2018)示01刑终619号"),
        ("[2018] 示0101 刑初 9-1号", "(2018)示0101刑初9-1号"),
        ("（二〇一七）示刑初字第8号", "(2017)示刑初字第8号"),
        ("（2016）示0925刑初字111号", "(2016)示0925刑初字111号"),
    ],
)
def test_case_numbers(number: str, value: str) -> None:
    head = HEAD.replace("（2019）示0101刑初00012号", number)
    assert read_judgment(whole(head=head)).first("case_no") == value


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("二○一九年十二月三十一日", date(2019, 12, 31)),
        ("二0一九年元月五日", date(2019, 1, 5)),
        ("二Ο一九年十月廿一日", date(2019, 10, 21)),
        ("2019年6月3日", date(2019, 6, 3)),
        ("二〇一九年二月三十日", date(2013, 1, 1)),  # no such day: the next one that is
    ],
)
def test_days(written: str, day: date) -> None:
    assert read_judgment(whole(foot=FOOT.replace("二〇一九年六月三十日", written))).judged_on == day


def test_garbled_first_character() -> None:
    for garbled in ("\ufffd", "?", "簤"):
        head = HEAD.removeprefix("赵某甲盗窃罪一审刑事判决书 ").replace("示例省", f"{garbled}例省", 1)
        assert read_judgment(whole(head=head)).first("court") == "示例省示例县人民法院"


def test_charges() -> None:
    ruling = (
        "一、撤销示例县人民法院（2018）示0101刑初1号刑事判决中对被告人赵某甲犯诈骗罪宣告缓刑的部分。 "
        "二、被告人赵某甲犯掩饰、隐瞒犯罪所得罪，判处拘役一个月；犯盗窃罪、故意毁坏财物罪，判处拘役二个月。"
    )
    assert read_judgment(whole(ruling=ruling)).causes == ["掩饰、隐瞒犯罪所得", "盗窃", "故意毁坏财物"]


def test_a_text_cut_before_its_ruling_orders_nothing() -> None:
    quoted = "原审法院判决如下：被告人赵某甲犯盗窃罪，判处拘役三个月；没收作案工具。宣判后，原审被告人赵某甲不服，提出上诉。"
    for cut in (HEAD + FACTS, HEAD + quoted + FACTS):
        found = read_judgment(cut)
        assert not found.has_ruling
        assert not [f for f in found.findings if f.kind.startswith("order_") or f.kind == "cause"]


@pytest.mark.parametrize(
    ("written", "fen"),
    [
        ("人民币3,000元", 300_000), ("9万余元", 9_000_000), ("1.2万元", 1_200_000), ("十余万元", 10_000_000),
        ("二十一万二千八百四十四元", 21_284_400), ("贰仟元整", 200_000), ("150.5元", 15_050), ("12万3千元", 12_300_000),
        ("一百五十元五角", 15_050), ("1亿元", 10_000_000_000), ("¥88元", 8_800), ("两千元", 200_000), ("3百余元", 30_000),
    ],
)  # fmt: skip
def test_amounts(written: str, fen: int) -> None:
    sentence = f"窃得{written}。"
    assert [(a.fen, sentence[a.start : a.end]) for a in amounts(sentence)] == [(fen, written)]


@pytest.mark.parametrize("written", ["1000美元", "美元400元", "2009年元月", "元旦", "多元", "港币500元"])
def test_no_amounts(written: str) -> None:
    assert list(amounts(written)) == []


def test_any_row_of_numerals_is_an_amount_or_none() -> None:
    draw = random.Random(3)
    for _ in range(3000):
        written = "".join(
            draw.choice("零一二两十百千万亿点余多.,0195壹拾") for _ in range(draw.randrange(1, 14))
        )
        for amount in amounts(written + draw.choice(["元", "元五角", "元三角二分", "万元"])):
            assert 0 <= amount.fen <= 10**15


def test_an_enumerator_stays_apart_from_the_amount_behind_it() -> None:
    stored = text.cleaned(pl.Series(["①500元；⒉600元；⑵700元"]))[0]
    assert [a.fen for a in amounts(stored)] == [50_000, 60_000, 70_000]


def test_whatever_the_text_nothing_breaks() -> None:
    draw = random.Random(5)
    sample = whole()
    pieces = [
        "判决如下：",
        "本院认为",
        "（",
        "）",
        "元",
        "万",
        "十",
        ",",
        "〔",
        "年",
        "月",
        "日",
        "犯",
        "罪",
        "追缴",
        "\x00",
        "𠀀",
        "",
    ]
    for _ in range(1500):
        begin = draw.randrange(len(sample))
        broken = list(sample[begin : begin + draw.randrange(600)])
        for _ in range(draw.randrange(12)):
            broken.insert(draw.randrange(len(broken) + 1), draw.choice(pieces))
        found = read_judgment("".join(broken))
        assert isinstance(found, Judgment)
        assert all(0 <= f.start <= f.end <= len("".join(broken)) for f in found.findings)


@pytest.mark.parametrize(
    "piece",
    ["(", ")", "((赔偿", "1", "十", "1元", "窃得1元", "已追回", "退赔1元,", "犯盗窃罪,", "没收,", "没收1元,退赔", "其中1元", "法院", "刑",
     "(2019)示刑", "被告人", "指控被告人甲、", "本院认为", "判决如下", "一、", "。", " ", "二〇", "案发后已", "人民币 ", "余", "由", "后", "待追回后"],
)  # fmt: skip
def test_the_longest_cell_takes_no_longer_for_being_hostile(piece: str) -> None:
    """Time grows with length, not with its square: 100 000 characters of anything within seconds."""
    body = piece * (100_000 // len(piece))
    within = "二、追缴违法所得，" + body + "发还被害人。"
    for hostile in (body, HEAD + FACTS + body + OPINION + RULING, HEAD + FACTS + OPINION + within + FOOT):
        started = time.process_time()
        read_judgment(hostile)
        assert time.process_time() - started < 5, piece


@pytest.mark.parametrize(
    ("kind", "stated", "read", "differs"),
    [
        ("case_no", "(2013)楚刑初字第7号", "(2013)楚刑初字第00007号", False),
        ("case_no", "(2013)楚刑初字第7号", "(2013)楚刑初字第8号", True),
        ("case_no", None, "(2013)楚刑初字第8号", False),
        ("org_name", "楚雄市人民法院", "云南省楚雄市人民法院", False),
        ("org_name", "大姚县人民法院", "云南省楚雄市人民法院", True),
        ("date", date(2020, 1, 2), date(2020, 1, 3), True),
        ("date", date(2020, 1, 2), None, False),
    ],
)
def test_what_contradicts_the_text(kind: str, stated: object, read: object, differs: bool) -> None:
    assert disagree(stated, read, kind) is differs
