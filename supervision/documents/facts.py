"""What a clue gives a document: facts in words, each from a record, a rule or an entry. What is not there is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from cn2an import an2cn
from django.utils import timezone

from chuxiong.accounts.models import Office
from ingestion import agreements
from supervision.documents.filling import blank
from supervision.documents.spec import Kind
from supervision.models import Clue
from supervision.rulebook.sentence import found_words
from supervision.selectors import Basis, ClueDetail, rulebook
from supervision.tracks.reading import TrackView
from supervision.tracks.terms import Term

LEVELS = {"urgent": "紧急", "important": "重点", "ordinary": "一般"}
Facts = dict[str, str | list[str]]


def facts_of(kind: Kind, detail: ClueDetail, clue: Clue, *, at: datetime) -> Facts:
    """The facts by name (``spec.FACTS``), as ``detail``'s reader may see them; empty ones are missing."""
    rule = rulebook().get(clue.rule)
    office = Office.objects.get(pk=clue.office)
    department = office.departments.filter(code=clue.department).first() if clue.department else None
    # Who looks on, a sealed leg hides what was found.
    told = None if detail.sealed_legs else detail.material
    found = found_words(rule, told, "zh") if rule else [detail.text]
    if rule and found and not kind.inward:
        found = [f"{'，'.join(found)}。"]
    facts: Facts = {
        "院名": office.name_zh,
        "受文单位": _addressee(kind, detail),
        "线索号": detail.row.number,
        "事项": detail.row.title_zh,
        "主体": clue.label if detail.named else "",
        "发生地": f"{office.short_zh}{clue.township}",
        "发现日期": written(timezone.localdate(clue.raised_at)),
        "行为日期": written(detail.occurred_on) if detail.occurred_on else _last_day(clue),
        "级别": LEVELS.get(clue.level, clue.level),
        "来源": detail.row.rule_title_zh,
        "规则": f"{rule.code} {rule.title.zh}" if rule else "",
        "数据来源": "、".join(detail.row.sources_zh),
        "查明事实": found,
        "证据清单": _evidence(kind, detail, at),
        "法律依据": [_cited(kind, b) for b in detail.basis],
        "核查结论": _note(detail, "conclude"),
        "核查要点": [f"{n}. {point}" for n, point in enumerate(detail.checking_points_zh, 1)],
        "责任单位": detail.responsible_zh,
        "承办部门": f"{office.name_zh}{department.name_zh}" if department else office.name_zh,
        "承办人": detail.handler_name,
        "办理依据": _note(detail, "act"),
        "回复期限": _term(kind, detail.tracks),
        "期限": written(clue.due_on) if clue.due_on else "",
        "交办说明": "",
        "制作日期": written(timezone.localdate(at)),
    }
    if kind.number == "order":
        facts |= _order(detail)
    if kind.number == "letter":
        facts |= _letter(detail)
    return facts


def own_number(kind: Kind, detail: ClueDetail) -> str:
    """The house's own number of an order or letter; "" where none was given yet, or the kind has none."""
    if kind.number == "order":
        return str(next((e.detail["order"] for e in reversed(detail.events) if e.detail.get("order")), ""))
    if kind.number == "letter":
        return detail.letters[-1].number if detail.letters else ""
    return ""


def written(day: date) -> str:
    """A day as documents write it."""
    return f"{day.year}年{day.month}月{day.day}日"


def _addressee(kind: Kind, detail: ClueDetail) -> str:
    """The responsible agency, where it is an organ that such a document can go to; none is guessed."""
    name = detail.responsible_zh
    fits = not kind.addressees or any(word in name for word in kind.addressees)
    return name if name and fits else ""


def _last_day(clue: Clue) -> str:
    for key in ("act_date", "last_day", "last_found", "last_month"):
        value = clue.material.get(key)
        if isinstance(value, str):
            try:
                day = date.fromisoformat(value[:10])
            except ValueError:
                continue
            return f"{day.year}年{day.month}月" if key == "last_month" else written(day)
    return ""


def _note(detail: ClueDetail, kind: str) -> str:
    return next((e.note for e in reversed(detail.events) if e.kind == kind and e.note), "")


def _evidence(kind: Kind, detail: ClueDetail, at: datetime) -> list[str]:
    """One line a record. In what goes out, a record that its agreement keeps inside is named and not quoted."""
    inside: set[str] = set()
    if not kind.inward and detail.sources:
        inside = agreements.kept_inside(
            [s.feed_code for s in detail.sources], agency=detail.responsible, on=timezone.localdate(at)
        )
    titles = {f.key: f.zh for f in detail.facts}
    lines = []
    for source in detail.sources:
        head = f"{source.letter}　{source.title_zh}（批次 {source.batch} 第 {source.row_no} 行，{source.landed_at:%Y-%m-%d} 入库"
        head += f"，数据截至 {source.covers_until:%Y-%m-%d}）" if source.covers_until else "）"
        if source.feed_code in inside:
            lines.append(f"{head}：数据协议不允许对外引用，依法另行调取")
            continue
        cells = "；".join(f"{titles[key]} {cell.text}" for key, cell in source.cells.items())
        lines.append(f"{head}：{cells}" if cells else head)
    if rest := detail.sources_total - len(detail.sources):
        lines.append(f"另有 {rest} 条记录未列出，见线索 {detail.row.number}")
    return lines


def _term(kind: Kind, tracks: list[TrackView]) -> str:
    """How long the addressee has: the clock of the step itself, or of the step that follows it (service)."""
    for track in reversed(tracks):
        step = next((s for s in track.spec.steps if s.document == kind.code), None)
        if step is None:
            continue
        if step.clock:
            return _length(step.clock.term)
        following = next((s for s in track.spec.steps if step.code in s.after and s.clock), None)
        if following and following.clock:
            return _length(following.clock.term)
    return ""


def _length(term: Term) -> str:
    """A term as documents write it: 两个月, 十五日."""
    count = term.months or term.days or term.working_days
    said = "两" if count == 2 and term.months else an2cn(count)
    return f"{said}{'个月' if term.months else '日' if term.days else '个工作日'}"


def _cited(kind: Kind, basis: Basis) -> str:
    """A law as cited; within the house with its note. What goes out with a text not held asks to be checked."""
    cited = f"《{basis.law}》{basis.article}"
    if kind.inward:
        return f"{cited}（{basis.note}）" if basis.note else cited
    return f"{cited}{blank('核对现行条文')}" if "待核" in basis.note else cited


def _order(detail: ClueDetail) -> Facts:
    given = next((e for e in reversed(detail.events) if e.detail.get("order")), None)
    if given is None:
        return {}
    due = given.detail.get("due_on")
    facts: Facts = {"交办说明": given.note or "按核查要点依法核查。"}
    return facts | ({"期限": written(date.fromisoformat(due))} if isinstance(due, str) else {})


def _letter(detail: ClueDetail) -> Facts:
    if not detail.letters:
        return {}
    letter = detail.letters[-1]
    return {
        "受文单位": letter.agency_zh,
        "反馈标题": letter.subject,
        "反馈内容": letter.text.splitlines(),
        "期限": written(letter.due_on),
    }


def merged(facts: Mapping[str, str | list[str]], typed: Mapping[str, str]) -> Facts:
    """The facts with what the drafter wrote: into blanks, and over the addressee and the term."""
    return {**facts, **{name: text.splitlines() for name, text in typed.items() if text.strip()}}
