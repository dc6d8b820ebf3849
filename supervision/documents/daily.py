"""The daily report (线索日报): what happened to the clues of the reader's offices on one day. Made when asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from django.utils import timezone

from chuxiong.accounts.models import Office, Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from supervision import selectors
from supervision.clues.actions import Refused
from supervision.clues.lifecycle import CLOSED, STATE_WORDS, State
from supervision.documents import facts, filling, layout
from supervision.documents.fonts import NoFont
from supervision.documents.pdf import pdf_of
from supervision.models import Clue, ClueEvent, Letter

TEMPLATE = Path(__file__).parent / "reports" / "daily.docx"
#: lines of one list; the rest is counted
_MOST = 30
_AHEAD = timedelta(days=7)
_OUTCOMES = {"corrected": "依法监督纠正", "improved": "反馈并帮助改进"}


@dataclass(frozen=True)
class OfficeDay:
    zh: str
    en: str
    raised: int
    checked: int
    confirmed: int
    settled: int


@dataclass(frozen=True)
class Day:
    """One day's figures within a person's scope."""

    day: date
    raised: int
    urgent: int
    dispatched: int
    received: int
    checked: int
    confirmed: int
    unfounded: int
    needs_data: int
    letters: int
    answers: int
    settled: int
    outcomes: dict[str, int]
    #: (office in both languages, raised, checked, confirmed, settled) in code order; offices without any are left out
    offices: list[OfficeDay]
    new: list[str]
    due: list[str]
    ended: list[str]


def day_of(person: Person, day: date) -> Day:
    """The figures; exercises do not count. Titles stand as the person may read them."""
    start = timezone.make_aware(datetime.combine(day, time.min))
    within = (start, start + timedelta(days=1) - timedelta(microseconds=1))
    with person_scope(person):
        raised = list(
            Clue.objects.filter(raised_at__range=within, exercise=False).order_by("level_rank", "number")
        )
        events = list(
            ClueEvent.objects.filter(
                at__range=within,
                clue__exercise=False,
                kind__in=("dispatch", "direct", "receive", "conclude", "settle"),
            ).values_list("clue_id", "kind", "to_state", "clue__office", "clue__outcome")
        )
        concluded: dict[int, tuple[str, str]] = {
            c: (to, office) for c, kind, to, office, _o in events if kind == "conclude"
        }
        settled = {c: (office, outcome) for c, kind, _to, office, outcome in events if kind == "settle"}
        letters = Letter.objects.filter(clue__exercise=False)
        sent, answered = (
            letters.filter(sent_at__range=within).count(),
            letters.filter(answered_at__range=within).count(),
        )
        due = list(
            Clue.objects.filter(exercise=False, due_on__lte=day + _AHEAD)
            .exclude(state__in=[s.value for s in CLOSED])
            .order_by("due_on", "number")[: _MOST + 1]
        )
        due_total = (
            Clue.objects.filter(exercise=False, due_on__lte=day + _AHEAD)
            .exclude(state__in=[s.value for s in CLOSED])
            .count()
        )
        ended = list(Clue.objects.filter(pk__in=list(settled)).order_by("number"))
        offices = {o.code: o for o in Office.objects.order_by("code")}
    notable = [c for c in raised if c.level in ("urgent", "important")]
    titles = selectors.titles_of(person, [*notable[:_MOST], *due[:_MOST], *ended[:_MOST]])
    states = Counter(to for to, _office in concluded.values())
    per = {
        "raised": Counter(c.office for c in raised),
        "checked": Counter(o for to, o in concluded.values() if to in ("confirmed", "unfounded")),
        "confirmed": Counter(o for to, o in concluded.values() if to == "confirmed"),
        "settled": Counter(o for o, _outcome in settled.values()),
    }
    return Day(
        day=day,
        raised=len(raised),
        urgent=sum(c.level == "urgent" for c in raised),
        dispatched=len({c for c, kind, *_r in events if kind in ("dispatch", "direct")}),
        received=len({c for c, kind, *_r in events if kind == "receive"}),
        checked=states["confirmed"] + states["unfounded"],
        confirmed=states["confirmed"],
        unfounded=states["unfounded"],
        needs_data=states["needs_data"],
        letters=sent,
        answers=answered,
        settled=len(settled),
        outcomes=dict(Counter(str(outcome) for _o, outcome in settled.values())),
        offices=[
            OfficeDay(o.short_zh, o.short_en, **{k: counted[code] for k, counted in per.items()})
            for code, o in offices.items()
            if any(per[k][code] for k in per)
        ],
        new=_listed(
            (
                f"{facts.LEVELS[c.level]}　{c.number}　{_place(c, offices)}　{titles[c.number][0]}"
                for c in notable[:_MOST]
            ),
            len(notable),
        ),
        due=_listed((_due(c, day, offices, titles) for c in due[:_MOST]), due_total),
        ended=_listed(
            (
                f"{c.number}　{_place(c, offices)}　{titles[c.number][0]}　{_OUTCOMES.get(c.outcome or '', '')}"
                for c in ended[:_MOST]
            ),
            len(ended),
        ),
    )


def report(person: Person, day: date, *, at: datetime, form: str) -> bytes:
    """The report as .docx or .pdf; on record. Raises ``Refused`` for a day to come, or where no font draws it."""
    if day > timezone.localdate(at):
        raise Refused("日报的日期不能晚于今天", "there is no report of a day to come")
    found = day_of(person, day)
    with person_scope(person):
        record(
            at=at, actor=person.username, office=person.office_id, action="daily.read", object_kind="queue", object_ref=day.isoformat(),
            detail={"form": form},
        )  # fmt: skip
    content = filling.fill(TEMPLATE.read_bytes(), _facts(found, person, at), header=layout.CHECK_ONLY)
    if form != "pdf":
        return content
    try:
        return pdf_of(content, title=f"线索日报 {day.isoformat()}", made=at)
    except NoFont as fault:
        raise Refused(fault.zh, fault.en) from fault


def _facts(day: Day, person: Person, at: datetime) -> dict[str, str | list[str]]:
    counts = {
        "新增": day.raised, "新增紧急": day.urgent, "交办": day.dispatched, "签收": day.received, "核查": day.checked,
        "查实": day.confirmed, "查否": day.unfounded, "存疑": day.needs_data, "反馈": day.letters, "答复": day.answers,
        "办结": day.settled,
    }  # fmt: skip
    return {name: f"{n} 条" for name, n in counts.items()} | {
        "院名": person.office.name_zh,
        "日期": facts.written(day.day),
        "制作时刻": f"{timezone.localtime(at):%Y-%m-%d %H:%M}",
        "制作人": person.name,
        "范围": "本院及辖区各院" if person.office.is_prefecture else "本院",
        "结果": f"{day.outcomes.get('corrected', 0)} ／ {day.outcomes.get('improved', 0)} 条",
        "分县市": [
            f"{o.zh}：新增 {o.raised}，核查完毕 {o.checked}，查实 {o.confirmed}，办结 {o.settled}"
            for o in day.offices
        ]
        or "当日没有新增、核查或办结",
        "新增清单": day.new or "无",
        "期限清单": day.due or "七日内没有到期的线索",
        "办结清单": day.ended or "无",
    }


def _listed(lines: Iterable[str], total: int) -> list[str]:
    listed = [f"{n}. {line}" for n, line in enumerate(lines, 1)]
    rest = total - len(listed)
    return [*listed, f"另有 {rest} 条，见工作台"] if rest > 0 else listed


def _place(clue: Clue, offices: dict[str, Office]) -> str:
    return f"{offices[clue.office].short_zh}{clue.township}"


def _due(clue: Clue, day: date, offices: dict[str, Office], titles: dict[str, tuple[str, str]]) -> str:
    left = ((clue.due_on or day) - day).days
    when = f"逾期 {-left} 天" if left < 0 else "当日到期" if left == 0 else f"{left} 天后到期"
    state = STATE_WORDS[State(clue.state)].zh
    return f"{clue.due_on:%m-%d}（{when}）　{clue.number}　{_place(clue, offices)}　{titles[clue.number][0]}　{state}"
