"""What a published criminal judgment (刑事裁判文书) states: number, court, day, charges, parties, money, orders.

Every finding keeps its place, counted in characters of the text as given, so that a person can check it. Read by
patterns over sections (head, facts, opinion, ruling, signatures); what is not found is left out, never guessed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, Literal, NamedTuple

from chuxiong.kit import case_number
from ingestion.texts.amounts import Amount, amounts

Kind = Literal[
    "case_no", "court", "date", "cause", "party", "prosecutor", "loss", "loss_part", "recovered",
    "order_recover", "order_refund", "order_return", "order_confiscate",
]  # fmt: skip


class Finding(NamedTuple):
    """``value``: text, ISO day, or 分 (None: no amount stated).

    ``detail``: a party's role; ``all`` of what was recovered wholly; of a return, the order whose proceeds are
    to be returned (``order_recover``, ``order_refund``), which is no money beside that order's.
    """

    kind: Kind
    start: int
    end: int
    value: str | int | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Judgment:
    """All findings of one text, grouped by kind."""

    findings: tuple[Finding, ...]
    #: False for a text that is cut before its ruling
    has_ruling: bool

    def of(self, *kinds: Kind) -> list[Finding]:
        return [f for f in self.findings if f.kind in kinds]

    def first(self, kind: Kind) -> str | None:
        return next((str(f.value) for f in self.findings if f.kind == kind), None)

    @property
    def judged_on(self) -> date | None:
        day = self.first("date")
        return date.fromisoformat(day) if day else None

    @property
    def causes(self) -> list[str]:
        return list(dict.fromkeys(str(f.value) for f in self.of("cause")))

    @property
    def loss_fen(self) -> int | None:
        """The stated total, else the sum of the parts; None where no amount is stated."""
        return _sum(self.of("loss")[:1]) or _sum(self.of("loss_part"))

    @property
    def recovered_fen(self) -> int | None:
        """What came back before judgment; an amount told twice, or a total told with its parts, counts once."""
        told = {f.value for f in self.of("recovered") if isinstance(f.value, int)}
        if not told:
            return None
        return max(told) if len(told) > 1 and sum(told) == 2 * max(told) else sum(told)

    def ordered_fen(self, kind: Kind) -> int | None:
        return _sum([f for f in self.of(kind) if not f.detail])


def _sum(found: Sequence[Finding]) -> int | None:
    stated = [f.value for f in found if isinstance(f.value, int)]
    total = sum(stated)
    return total if stated and total < 2**63 else None


#: amounts weighed before the ruling, and within it: a text with more is no judgment but a table
_MOST = 4000


def read_judgment(text: str) -> Judgment:
    """Every finding of ``text``; never raises, whatever the text is, in time that grows with its length."""
    plain = text.translate(_HALF_WIDTH)
    parts = _sections(plain)
    money = [
        *islice(amounts(plain[: parts.ruling]), _MOST),
        *islice(amounts(plain[: parts.signed], parts.ruling), _MOST),
    ]
    causes = list(_causes(plain, parts))
    # A text cut before its ruling still says what was charged: that decides which amounts are losses.
    offences = [str(c.value) for c in causes] or _CHARGE.findall(plain, 0, parts.facts + 200)
    findings = [
        *_numbers(plain, parts),
        *_day(plain, parts),
        *causes,
        *_parties(plain, parts),
        *_losses(plain, parts, money, offences),
        *_recovered(plain, parts, money, offences),
        *_orders(plain, parts, money),
    ]
    return Judgment(tuple(findings), has_ruling=parts.ruling < len(plain))


# ---- sections --------------------------------------------------------------------------------

# One character for one, so that places hold for the text as given.
_HALF_WIDTH = {0xFF01 + i: chr(0x21 + i) for i in range(94)} | {
    ord(a): b for a, b in zip("〔【［[〕】］]\u3000\u00a0\n\r\t", "(((())))     ", strict=True)
}


class _Parts(NamedTuple):
    """Where sections begin: head 0–facts, facts–opinion, opinion–ruling, ruling–signed, signed–end."""

    facts: int
    found: int
    opinion: int
    ruling: int
    signed: int


_BODY = re.compile(r"指\s?控|提起公诉|经审理查明|审理查明")
_FOUND = re.compile(r"审理\s?查明|(?<!另)(?<!又)(?<!还)查明[,:]|审查确认")
_OPINION = re.compile(r"本院(?:审理后)?认为|本院审理认为|合议庭(?:评议)?认为")
_QUOTED = re.compile("宣判后|原审|原判|上诉人")
_RULING = re.compile(r"(?:判\s?决|判\s?处|裁\s?定)\s?如\s?下")
_SIGNED = re.compile(
    r"如不服本|如不服,|本(?:判决|裁定)(?:书)?(?:系|为)终审|(?:^|[\s。;)])(?:审\s?判\s?长|(?:代理|助理)?审\s?判\s?员)(?!会)"
)


def _sections(plain: str) -> _Parts:
    """A text cut short has empty later sections; they begin at its end."""
    end = len(plain)
    # A judgment on appeal quotes the first one: the last formula is its own, if its court's opinion came before.
    rulings = [m.end() for m in _RULING.finditer(plain)]
    ruling = rulings[-1] if rulings else end
    if not _OPINION.search(plain, 0, ruling) and _QUOTED.search(plain, ruling):
        ruling = end
    signed_at = _SIGNED.search(plain, ruling) if ruling < end else None
    signed = signed_at.start() if signed_at else end
    opinions = [m.start() for m in _OPINION.finditer(plain, 0, ruling)]
    opinion = opinions[-1] if opinions else ruling
    body = _BODY.search(plain, 0, opinion)
    facts = body.start() if body else 0
    found = _FOUND.search(plain, facts, opinion)
    return _Parts(facts, found.start() if found else facts, opinion, ruling, signed)


# ---- head and signatures ---------------------------------------------------------------------

_DIGITS = "〇一二三四五六七八九"
# What stands for a zero in printed years: Greek, Cyrillic and Latin letters among them.
_ZEROS = "〇零○ΟοОO0"
_IN_YEAR = _ZEROS + _DIGITS[1:]
_CASE_NO = re.compile(
    rf"\(?\s?(?:[12][0-9]{{3}}|二[{_IN_YEAR}]{{3}})\s?\)?\s?[\u4e00-\u9fff][\u4e00-\u9fff0-9\s]{{0,14}}?刑[\u4e00-\u9fff\s]{{0,7}}?"
    r"第?\s?[0-9]{1,8}(?:-[0-9]{1,3})?\s?号(?:之[一二三四五六七八九十]{1,2})?"
)
_COURT = re.compile(
    r"(?:^|(?<=[\s。书)\"”]))[0-9]{0,4}([^\s,。:;()书]{2,32}?法\s?院)(?=\s{0,3}刑\s?事|\s*\(|\s*$|\s)"
)
_TITLE_BEFORE = re.compile(r"书[^。]{0,12}$")
_PROSECUTORS = re.compile(r"(?:公\s?诉|抗\s?诉)\s?机\s?关:?\s?([^\s,。;:()]{2,30}?检察院)")
_CHARGED_BY = re.compile(
    r"(?:^|(?<=[\s。:号;,]))([^\s,。;:()以]{2,30}?检察院)(?:于[^,。;]{0,14})?(?:提起公诉|指控|以[^,。;]{0,40}?(?:起诉书|指控))"
)
_HEAD = 700


def _numbers(plain: str, parts: _Parts) -> Iterator[Finding]:
    head = max(min(parts.facts, _HEAD), 80)
    numbers = list(_CASE_NO.finditer(plain, 0, head))
    titled = [m for m in numbers if _TITLE_BEFORE.search(plain, max(0, m.start() - 14), m.start())]
    number = next(iter([*titled, *numbers]), None)
    prosecutors = _prosecutors(plain, head)
    if number:
        yield Finding("case_no", number.start(), number.end(), _case_no(number[0]))
    until = number.start() if number else prosecutors.start() if prosecutors else 120
    courts = list(_COURT.finditer(plain, 0, until))
    if courts:
        court = courts[-1]
        name = court[1].replace(" ", "")
        place = prosecutors[1] if prosecutors and court.start() == 0 else None
        yield Finding("court", court.start(1), court.end(1), _mended(name, place))


def _prosecutors(plain: str, head: int) -> re.Match[str] | None:
    return _PROSECUTORS.search(plain, 0, head) or _CHARGED_BY.search(plain, 0, head + 200)


def _case_no(text: str) -> str:
    """In the form of every case-number column; a year in words becomes digits."""
    plain = case_number.normalise(text)
    words = re.match(rf"\(?(二[{_IN_YEAR}]{{3}})\)?", plain)
    return f"({_year(words[1])}){plain[words.end() :]}" if words else plain


def _mended(court: str, prosecutors: str | None) -> str:
    """A garbled first character of the text is taken from the prosecutors' name where the rest of the place agrees."""
    place = (prosecutors or "").removesuffix("人民检察院")
    if len(place) > 2 and court[1:].startswith(place[1:]):
        return place[0] + court[1:]
    return court if "\u4e00" <= court[0] <= "\u9fff" else court[1:]


_DAY = re.compile(
    rf"(?P<y>[12][0-9]{{3}}|[一二][{_IN_YEAR}]{{3}})\s?年\s?(?P<m>[0-9]{{1,2}}|元|[一二三四五六七八九十]{{1,2}})\s?月\s?"
    r"(?P<d>[0-9]{1,2}|[一二三四五六七八九十廿卅]{1,3})\s?日"
)
_BENCH = re.compile(r"审\s?判\s?[长员]|陪\s?审\s?员")


def _day(plain: str, parts: _Parts) -> Iterator[Finding]:
    """The first whole day after the bench's names."""
    if parts.signed >= len(plain):
        return
    bench = _BENCH.search(plain, parts.signed)
    for found in _DAY.finditer(plain, bench.start() if bench else parts.signed):
        try:
            day = date(_year(found["y"]), _small(found["m"]), _small(found["d"]))
        except ValueError:
            continue
        yield Finding("date", found.start(), found.end(), day.isoformat())
        return


def _year(words: str) -> int:
    if words.isascii() and words.isdigit():
        return int(words)
    return int("".join("0" if c in _ZEROS else str(_DIGITS.index(c)) for c in words))


def _small(words: str) -> int:
    """1–31, in digits or words."""
    if words.isascii():
        return int(words)
    if words == "元":
        return 1
    words = words.replace("廿", "二十").replace("卅", "三十")
    tens, ten, ones = words.partition("十")
    if not ten:
        return _DIGITS.index(words) if len(words) == 1 else 0
    return (_DIGITS.index(tens) if tens else 1) * 10 + (_DIGITS.index(ones) if ones else 0)


#: characters within which a sentence is looked for
_SENTENCE = 400

# ---- charges and parties ---------------------------------------------------------------------

_CHARGE = re.compile(
    r"犯(?!罪)\s?((?:(?!判处|被告人|犯罪分子)[^,。;:()\s]){1,60}?)罪(?=[,。;:()\s、和及]|判处|免|单处|一案|的|系|$)"
)
_NEXT_CHARGE = re.compile(
    r"[、和及]\s?((?:(?!判处|被告人)[^,。;:()\s、]){1,40}?)罪(?=[,。;:()\s、和及]|判处|的|$)"
)
_OF_BEFORE = re.compile(r"因\w{0,4}$|前\w{0,3}$|曾\w{0,3}$|原判\w{0,4}$|指控[^。;]{0,20}$")


def _causes(plain: str, parts: _Parts) -> Iterator[Finding]:
    """Charges of which the ruling convicts; each once."""
    seen: set[str] = set()
    for found in _CHARGE.finditer(plain, parts.ruling, parts.signed):
        if _OF_BEFORE.search(plain, max(parts.ruling, found.start() - 24), found.start()):
            continue
        before = plain[max(parts.ruling, found.start() - _SENTENCE) : found.start()]
        if "撤销" in re.split("[。;]", before)[-1]:
            continue
        matches: list[re.Match[str]] = [found]
        while more := _NEXT_CHARGE.match(plain, matches[-1].end(), parts.signed):
            matches.append(more)
        for match in matches:
            charge = match[1].strip("“”\"'‘’")
            if charge and charge not in seen:
                seen.add(charge)
                yield Finding("cause", match.start(1), match.end(1), charge)


_ROLE = re.compile(
    r"(?:^|(?<=[\s。;]))(?P<role>自诉人(?:暨附带民事诉讼原告人)?|附带民事诉讼(?:原告人?|被告人?)|被害人|原审被告单位|被告单位|诉讼代表人|法定代理人|"
    r"(?:委托|诉讼)代理人|上诉人\(原审被告人\)|上诉人|原审被告人|被告人(?:暨附带民事诉讼被告人)?|指定辩护人|辩护人)"
    r":?\s?(?:\(?自报(?:姓名)?:?\)?)?(?P<name>[^\s,。;:()]{1,24}?)(?=\s?[,。;(]|\s|$)"
)


_CHARGED = re.compile(r"指控(?:的)?(?:原审)?(?P<role>被告人|被告单位)(?P<names>[^,。;:()]{1,120}?)犯")
_NAME = re.compile(
    r"[\u4e00-\u9fff×＊*·A-Za-z0-9某]{1,5}|[^\s,。;:()]*·[^\s,。;:()]*|[^\s,。;:()]{2,24}(?:公司|厂|局|院|社|部|中心|店|会|所|行|队|校|府)"
)


def _parties(plain: str, parts: _Parts) -> Iterator[Finding]:
    """The prosecutors apart; then everyone the head presents, else whoever the charge names."""
    prosecutors = _prosecutors(plain, max(min(parts.facts, _HEAD), 80))
    if prosecutors:
        yield Finding("prosecutor", prosecutors.start(1), prosecutors.end(1), prosecutors[1])
    presented = False
    for found in _ROLE.finditer(plain, 0, parts.facts):
        if _NAME.fullmatch(found["name"]):
            presented = True
            yield Finding("party", found.start("name"), found.end("name"), found["name"], found["role"])
    charged = None if presented else _CHARGED.search(plain, 0, parts.ruling)
    if charged:
        for name in re.finditer("[^、\\s]+", charged["names"]):
            if _NAME.fullmatch(name[0]):
                start = charged.start("names") + name.start()
                yield Finding("party", start, start + len(name[0]), name[0], charged["role"])


# ---- loss and what came back -----------------------------------------------------------------

_TOTAL = re.compile(
    r"(?:共计|合计|总计|累计|总额|总价值|总金额|总数额|(?:共|共同)(?:价值|骗|盗|窃|计|获|损失|造成|侵占|挪用)|犯罪数额|涉案金额|数额)[^,。;]{0,14}$"
)
_TAKEN = re.compile(
    r"(?:价值|价款|计价|损失|[骗窃盗偷抢劫]取?得?走?|拿走|敲诈|勒索|索[要取得]|侵[占吞]|套取|占为己有|据为己有|挪用|透支|吸收|集资|受贿|收受|贪污|"
    r"贿赂|获利|赢利|盈利|违法所得|非法所得|所得|欠款|欠薪|拖欠|拒不支付|交出|汇款|转账|现金)[^,。;]{0,30}$"
)
_TAKEN_ANYWHERE = re.compile(
    "价值|损失|[骗窃盗偷抢劫]|勒索|侵占|挪用|透支|吸收|集资|收受|贿|贪污|获利|所得|拖欠"
)
_TAKEN_AFTER = re.compile(
    r"(?:[现余]金|人民币)?[^,。;\d]{0,3}(?:盗走|偷走|窃走|拿走|骗走|抢走|劫走|据为己有|占为己有)|的(?:严重后果|经济损失|损失)"
)
_PAID = re.compile(r"支付[^,。;]{0,16}$")
_GAINED = re.compile(r"(?:[获赢盈渔]利|抽头|违法所得|非法所得|非法收入|收益)[^,。;]{0,12}$")
_NOT_LOSS = re.compile(
    r"毒资|罚金|罚款|以(?:每.)?(?:人民币)?$|每[^,。;]{0,6}$|每[日天月次][^,。;]{0,16}$|押金|保证金|变卖|卖得|销赃|出售|购买|标准|额度|起点|注册资[本金]|谎称|声称|最高可|"
    r"承诺|约定|协议|欲|企图|分得|退|(?<!少)赔|还|追回|追缴|缴获|缴纳|上缴|发还|领回|扣押"
)
_IN_SUM = re.compile("(?:综上|以上共|上述.{0,6}共)[^。]*$")
_HANDED = re.compile(r"(?:打到|汇[入给至到]|转[入给至到账]|交给|存入)")
_PROPERTY = re.compile("盗窃|诈骗|抢|侵占|勒索|贪污|挪用|受贿|职务")
_PRICE_AFTER = re.compile(r"\s?(?:的(?:价格|价钱|低价)|/|每|价格|卖|出售|罚|以上|以下)")
_ATTEMPT = re.compile("未得手|未得逞|未遂|识破")
_DEFENCE = re.compile("辩护人|辩称|辩解|请求|希望|上诉理由|供称|证言")
_EVIDENCE = re.compile(r"(?:上述|以上|认定)[^,。;]{0,8}事实[^。]{0,40}(?:证据|证实|无异议|供述|陈述|证明)")
#: offences whose amounts are prices, or bodily harm: nothing was taken from a victim
_NOTHING_TAKEN = re.compile("毒品|吸毒|危险驾驶|伤害|肇事|杀人|过失致|行贿")
_TRADE = re.compile("经营|生产|销售|烟草|假冒|赌|传销|淫秽|走私|林木|污染|采矿")
_UNDER_PRESSURE = re.compile("强迫|敲诈|诈骗|欠|报酬|寻衅")


def _losses(plain: str, parts: _Parts, money: Sequence[Amount], offences: Sequence[str]) -> Iterator[Finding]:
    """The total that the court found (else its opinion, else the charge), or each part where no total stands."""
    if offences and all(_NOTHING_TAKEN.search(c) for c in offences):
        return
    trade = bool(offences) and all(_TRADE.search(c) or _NOTHING_TAKEN.search(c) for c in offences)
    paid = any(_UNDER_PRESSURE.search(c) for c in offences)
    evidence = _EVIDENCE.search(plain, parts.found, parts.opinion)
    sections = [(parts.found, evidence.start() if evidence else parts.opinion), (parts.opinion, parts.ruling)]
    if parts.found > parts.facts:
        sections.append((parts.facts, parts.found))
    taken = [
        [a for a in _within(money, *section) if _is_loss(plain, a, section, trade=trade, paid=paid)]
        for section in sections
    ]
    if not any(taken) and any(_PROPERTY.search(c) for c in offences):
        taken = [
            [a for a in _within(money, *section) if _is_handed_over(plain, a, section)]
            for section in sections
        ]
    every = [a for found in taken for a in found]
    for candidates, (begin, _) in zip(taken, sections, strict=True):
        totals = [a for a in candidates if _TOTAL.search(plain, max(begin, a.start - 24), a.start)]
        summed = [a for a in candidates if _IN_SUM.search(plain, max(begin, a.start - 120), a.start)]
        totals = summed or totals or _made_up_of(candidates, every)
        if totals:
            total = max(totals, key=lambda a: a.fen)
            beside = [] if summed else [a for a in candidates if a.fen > total.fen]
            for amount in [*totals, *beside] if beside else [total]:
                yield Finding("loss_part" if beside else "loss", amount.start, amount.end, amount.fen)
            return
    for candidates in taken:
        if candidates:
            kind: Kind = "loss" if len({a.fen for a in candidates}) == 1 else "loss_part"
            for amount in candidates[:1] if kind == "loss" else candidates:
                yield Finding(kind, amount.start, amount.end, amount.fen)
            return


def _is_handed_over(plain: str, amount: Amount, section: tuple[int, int]) -> bool:
    """In property offences, where no word of taking stands by an amount: a total, or money that the victim handed over."""
    begin, _ = _sentence_around(plain, amount, section)
    before = plain[begin : amount.start]
    if _NOT_LOSS.search(before.rsplit(",", 1)[-1][-24:]) or _PRICE_AFTER.match(plain, amount.end):
        return False
    return bool(_TOTAL.search(before) or _HANDED.match(plain, amount.end))


def _made_up_of(parts: Sequence[Amount], candidates: Sequence[Amount]) -> list[Amount]:
    """The amount that is the sum of the parts, wherever it stands."""
    total = sum(a.fen for a in parts)
    return [a for a in candidates if a.fen == total][:1] if len(parts) > 1 else []


def _within(money: Sequence[Amount], begin: int, end: int) -> Sequence[Amount]:
    return money[bisect_left(money, (begin, 0, 0)) : bisect_left(money, (end, 0, 0))]


def _is_loss(plain: str, amount: Amount, section: tuple[int, int], *, trade: bool, paid: bool) -> bool:
    begin, end = _sentence_around(plain, amount, section)
    sentence, before = plain[begin:end], plain[begin : amount.start]
    clause = before.rsplit(",", 1)[-1]
    if _NOT_LOSS.search(clause[-24:]) or _PRICE_AFTER.match(plain, amount.end):
        return False
    if _ATTEMPT.search(sentence) or _DEFENCE.search(sentence):
        return False
    if trade:
        return bool(_GAINED.search(before))
    if (
        _TAKEN_AFTER.match(plain, amount.end)
        and plain[amount.start : amount.end]
        in plain[max(section[0], amount.start - _SENTENCE) : amount.start]
    ):
        return False  # told a moment ago
    if _TAKEN.search(before) or _TAKEN_AFTER.match(plain, amount.end) or (paid and _PAID.search(before)):
        return True
    earlier = plain[max(section[0], begin - 80) : amount.start]
    return bool(_TOTAL.search(before) and _TAKEN_ANYWHERE.search(earlier))


def _sentence_around(plain: str, amount: Amount, section: tuple[int, int]) -> tuple[int, int]:
    first, last = max(section[0], amount.start - _SENTENCE), min(section[1], amount.end + _SENTENCE)
    begin = max(first, *(plain.rfind(c, first, amount.start) + 1 for c in "。;"))
    ends = [e for c in "。;" if (e := plain.find(c, amount.end, last)) >= 0]
    return begin, min(ends, default=last)


_BODILY = re.compile("伤害|肇事|杀人|过失致")
_BACK = re.compile(
    r"退缴|退赔|退出|退还|退回|退清|退给|退赃款?|归还|偿还|追回|追缴|起获|发还(?![物文清])|返还|赔偿(?!限额|协议|金|责任)|(?<!少)赔付|上缴|缴纳"
)
_FAR = 42
#: a lower court's ruling, quoted
_QUOTED_ORDER = re.compile(r"责令|判令|判处|上缴国库|由扣押机关|追缴不足|予以追缴|(?:^|、)(?:继续)?追缴被告")
_BACK_AFTER = re.compile(
    r"[^,。;]{0,24}?\(?(?:已|已经|均已|现已|业已)[^,。;]{0,8}(?:发还|返还|归还|退还|追回|退缴|领回)[^,。;\s]{0,8}\)?"
)
_RETURNED = "(?:退缴|退赔|退出|退还|退回|退清|退给|归还|追回|发还|返还|领回)(?![物文清])"
_BACK_ALL = re.compile(
    rf"(?:全部|全额|悉数|均已|已全部|如数)[^,。;]{{0,10}}?(?:{_RETURNED}|赔偿)|"
    rf"(?:{_RETURNED}|赔偿)了?[^,。;]{{0,12}}?(?:全部|所有(?!权)|上述)[^,。;]{{0,14}}|"
    r"(?:已|已经|均)(?:被)?(?:依法)?(?:追回|发还|返还)|"
    rf"(?:已|已经|均|均已|将)[^,。;]{{0,14}}?(?:追缴|追回|起获|缴获|扣押|查获)[^,。;]{{0,4}}(?:并|后|,)[^,。;]{{0,4}}{_RETURNED}|"
    rf"案发[前后](?:均)?已[^,。;]{{0,4}}{_RETURNED}(?=[。,;])|(?:追缴|追回){_RETURNED}"
)
_BACK_NOTE = re.compile(r"\((?:已|均已|现已)[^()]{0,8}(?:退缴|退赔|退出|发还|返还|追缴)[^()]{0,14}\)")
_NOT_YET = re.compile(
    r"(?<!代)为了?$|(?:未|没有|无法|拒不|尚未|不能|责令|应当|应予|继续|(?<!自)愿意?|起诉|诱饵|要求|请求|承诺|建议|部分)[^,。;]{0,12}$"
)
_DEBT = re.compile(r"(?:归还|偿还)[^,。;]{0,8}(?:债务|欠款|借款|贷款|外债)")
_OTHER_VERB = re.compile("骗取|窃得|盗窃|罚金|造成|价值")
_EACH = re.compile(r"([两二三四五六])名?(?:被告人|人)[^。;]*各")


def _recovered(
    plain: str, parts: _Parts, money: Sequence[Amount], offences: Sequence[str]
) -> Iterator[Finding]:
    """Amounts that came back before judgment, and statements that all of it did; what the defence says is none."""
    bodily = any(_BODILY.search(c) for c in offences)
    spans: list[tuple[int, int]] = []
    whole = (parts.facts, parts.ruling)
    for amount in _within(money, *whole):
        begin, end = _sentence_around(plain, amount, whole)
        before = plain[max(begin, amount.start - 60) : amount.start]
        if _DEFENCE.search(plain, begin, end) or "罚金" in plain[amount.end : amount.end + 6]:
            continue
        if _QUOTED_ORDER.search(plain, begin, amount.end):
            continue
        after = _BACK_AFTER.match(plain, amount.end, parts.ruling)
        verb = next(iter(list(_BACK.finditer(before[-_FAR:]))[-1:]), None)
        if verb:
            before = before[-_FAR:]
        if (
            verb
            and not _NOT_YET.search(before, 0, verb.start())
            and not _elsewhere(before[verb.start() :], bodily)
        ):
            place = (amount.start - (len(before) - verb.start()), amount.end)
        elif after:
            place = (amount.start, after.end())
        else:
            continue
        each = _EACH.search(plain, begin, amount.start)
        persons = "两二三四五六".index(each[1]) or 1 if each else 0
        spans.append(place)
        yield Finding("recovered", *place, amount.fen * (persons + 1 if persons else 1))
    for note in _BACK_NOTE.finditer(plain, parts.ruling, parts.signed):
        near = [a for a in _within(money, note.start() - 40, note.start()) if note.start() - a.end < 12]
        spans.append(note.span())
        yield Finding("recovered", *note.span(), near[-1].fen if near else None, None if near else "all")
    for found in _BACK_ALL.finditer(plain, parts.facts, parts.ruling):
        told = bisect_left(spans, (found.end(), 0))
        if any(s < found.end() and found.start() < e for s, e in spans[max(0, told - 4) : told]):
            continue
        first = max(parts.facts, found.start() - _SENTENCE)
        begin = max(first, plain.rfind("。", first, found.start()) + 1)
        if _NOT_YET.search(plain, max(parts.facts, found.start() - 16), found.start()):
            continue
        promised = "诱饵" in plain[found.end() : found.end() + 12] or (bodily and "赔偿" in found[0])
        if not promised and not _DEFENCE.search(plain, begin, found.start()):
            yield Finding("recovered", found.start(), found.end(), None, "all")


def _elsewhere(words: str, bodily: bool) -> bool:
    """Between verb and amount: another verb of taking, a debt of the accused, or damages for bodily harm."""
    damages = bodily and words.startswith("赔")
    return damages or bool(_OTHER_VERB.search(words) or _DEBT.match(words))


# ---- orders ----------------------------------------------------------------------------------

_VERBS = re.compile(
    r"(?:(?P<order_recover>追\s?缴)|(?P<order_refund>退\s?赔)|(?P<order_return>发还|返还|退还|归还)|"
    r"(?P<order_confiscate>没\s?收|收缴))(?!的|款项?[^,]|在案)"
)
_ENDED = re.compile(r"[。;]|(?<=[\s。;:\x00])(?=[一二三四五六七八九十]{1,3}、)")
_PAREN = re.compile(r"\([^()]*\)")
_NO_ORDER = re.compile(r"(?:已|已经|所|均已|不予|不再|无需|被)(?:依法|全部|予以)?$")
_PENALTY = re.compile("罚金|判处|刑期|执行刑罚")
_FILLER = r"(?:[,\s并后再]|予以|依法|分别|按比例|及时)*"
#: nothing but such words before a return: it is of what the order before it brings in
_FOLLOWS = re.compile(
    rf"{_FILLER}(?:由[^,]{{0,12}}|待?[^,]{{0,8}}(?:追回|追缴|退赔|执行到位|到位)后)?{_FILLER}"
)
_TO_ACCUSED = re.compile(r"(?:发还|返还|退还|归还)(?:给|于)?(?:原审)?(?:被告人|上诉人|其本人|本人)")
_BLANK = "\x00"


def _orders(plain: str, parts: _Parts, money: Sequence[Amount]) -> Iterator[Finding]:
    """Each order of the ruling with the amount it names: the sum, where it names several receivers."""
    ruling = plain[parts.ruling : parts.signed]
    for _ in range(3):  # notes within notes
        ruling = _PAREN.sub(lambda m: _BLANK * len(m[0]), ruling)
    own = [
        Amount(a.start - parts.ruling, a.end - parts.ruling, a.fen)
        for a in _within(money, parts.ruling, parts.signed)
        if ruling[a.end - parts.ruling - 1] != _BLANK
    ]
    begin = 0
    for end in [*(m.end() for m in _ENDED.finditer(ruling)), len(ruling)]:
        if end > begin and "撤销" not in ruling[begin:end]:
            for order in _sentence(ruling, begin, end, own):
                start = (
                    order.start
                    + len(ruling[order.start : order.end])
                    - len(ruling[order.start : order.end].lstrip("\x00 ,。;"))
                )
                yield order._replace(start=start + parts.ruling, end=order.end + parts.ruling)
        begin = end


def _sentence(ruling: str, begin: int, end: int, money: Sequence[Amount]) -> list[Finding]:
    """Clauses without an order name the object of the next one; a return may be of what is recovered first."""
    orders: list[Finding] = []
    grown: set[int] = set()
    pending = begin
    for start, stop in _clauses(ruling, begin, end):
        clause = ruling[start:stop]
        verbs = [
            m
            for m in _VERBS.finditer(ruling, start, stop)
            if not _NO_ORDER.search(ruling, start, m.start()) and not _TO_ACCUSED.match(ruling, m.start())
        ]
        if not verbs:
            if _PENALTY.search(clause):
                pending = stop
            continue
        if _PENALTY.search(clause):
            pending = start
        at = pending
        for index, verb in enumerate(verbs):
            kind: Any = verb.lastgroup
            until = stop if index + 1 == len(verbs) else verbs[index + 1].start()
            value = _stated(ruling, kind, _within(money, at, until))
            before = orders[-1] if orders else None
            if before and before.kind == kind and not before.detail:
                orders[-1] = before._replace(end=until)
                grown.add(len(orders) - 1)
            elif before and kind == "order_return" and before.kind in ("order_recover", "order_refund"):
                if _FOLLOWS.fullmatch(ruling, at, verb.start()):
                    orders.append(Finding(kind, at, until, value or before.value, before.kind))
                else:
                    orders.append(Finding(kind, at, until, value))
            else:
                orders.append(Finding(kind, at, until, value))
            at = until
        pending = stop
    for index in grown:
        whole = orders[index]
        amounts_of = _within(money, whole.start, whole.end)
        orders[index] = whole._replace(value=_stated(ruling, whole.kind, amounts_of))
    if orders and orders[-1].value is None and not _PENALTY.search(ruling[pending:end]):
        orders[-1] = orders[-1]._replace(value=_stated(ruling, orders[-1].kind, _within(money, pending, end)))
    if not orders and re.search("上缴(?:国库|财政)", ruling[begin:end]):
        kind = "order_confiscate"
        orders.append(Finding(kind, begin, end, _stated(ruling, kind, _within(money, begin, end))))
    return orders


def _clauses(ruling: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    start = begin
    for comma in re.finditer(",", ruling[begin:end]):
        stop = begin + comma.start()
        # 3,000 is one number.
        if ruling[stop - 1 : stop].isdigit() and ruling[stop + 1 : stop + 4].isdigit():
            continue
        yield start, stop
        start = stop + 1
    yield start, end


def _stated(ruling: str, kind: Kind, money: Sequence[Amount]) -> int | None:
    """One amount for an order: the sum, but a total that stands with its parts counts once."""
    if not money:
        return None
    total, largest = sum(a.fen for a in money), max(a.fen for a in money)
    if len(money) > 1 and total == 2 * largest:
        return largest
    for index in range(1, len(money)):
        if "其中" in ruling[money[index - 1].end : money[index].start]:
            # Of what is held, a part is returned or confiscated; of what is to be paid, the whole stands first.
            part = money[index:] if kind in ("order_return", "order_confiscate") else money[:index]
            return sum(a.fen for a in part)
    return total
