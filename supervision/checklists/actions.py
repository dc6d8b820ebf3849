"""Making a checking list, and bringing back what it came back with: looked at first, applied clue by clue, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from ingestion.intake.reading import Limits, Table, read_table
from ingestion.intake.reading import Refused as Unreadable
from supervision import selectors
from supervision.checklists import sheet
from supervision.checklists.rows import lines_of
from supervision.clues import actions as clues
from supervision.clues.lifecycle import STATE_WORDS, Finding, State
from supervision.clues.numbers import take_number
from supervision.models import Checklist, ChecklistReturn, ChecklistRow, Clue
from supervision.reference import REFERENCE

#: where a clue may stand on a list: dispatched clues are signed for as the answer is applied
CHECKABLE = (State.DISPATCHED, State.CHECKING)
_CAPS = Limits(memory=512 << 20, cpu_seconds=20, wall_seconds=60, unpacked=64 << 20, members=200)


def findings() -> dict[str, str]:
    return {f.value: STATE_WORDS[State(f.value)].zh for f in Finding}


def reasons() -> dict[str, str]:
    return {code: words.zh for code, words in REFERENCE.reasons("unfounded_reasons").items()}


def make(*, by: Person, at: datetime, numbers: Sequence[str]) -> Checklist:
    """A list of the named clues that the person may check, to be taken with ``workbook``. Raises ``Refused`` when none is."""
    most = REFERENCE.checklist.clues_most.value
    if not by.may("clue.check"):
        raise clues.Refused("您的角色不能核查线索", "your roles do not allow checking clues")
    if len(numbers) > most:
        raise clues.Refused(
            f"一份清单最多 {most} 条，请缩小范围", f"at most {most} clues a list: narrow it down"
        )
    with person_scope(by):
        found = {
            c.number: c
            for c in Clue.objects.filter(number__in=list(numbers), state__in=[s.value for s in CHECKABLE])
            if c.handler in ("", by.username) or by.may("clue.hand_over")
        }
        chosen = [found[n] for n in dict.fromkeys(numbers) if n in found]
        if not chosen:
            raise clues.Refused(
                "所选线索中没有已交办或核查中、由您承办的线索",
                "none of the clues chosen is dispatched or being checked by you",
            )
        number = take_number("HC", timezone.localdate(at).year)
        made = Checklist.objects.create(
            number=number, office=by.office_id, made_by=by.username, made_by_name=by.name, made_at=at,
        )  # fmt: skip
        ChecklistRow.objects.bulk_create(
            [
                ChecklistRow(checklist=made, clue=c, position=n, version=c.version)
                for n, c in enumerate(chosen, 1)
            ]
        )
        record(
            at=at, actor=by.username, office=by.office_id, action="checklist.make", object_kind="checklist", object_ref=number,
            detail={"clues": [c.number for c in chosen]},
        )  # fmt: skip
    return made


def workbook(*, by: Person, at: datetime, checklist: Checklist) -> bytes:
    """The list once more, as the facts stand now, in its first order; clues out of the person's sight are left out."""
    with person_scope(by):
        chosen = [row.clue for row in checklist.rows.select_related("clue")]
        record(
            at=at, actor=by.username, office=by.office_id, action="checklist.read", object_kind="checklist",
            object_ref=checklist.number,
        )  # fmt: skip
        return sheet.write(
            checklist.number, lines_of(by, chosen, at=at), made=timezone.localtime(checklist.made_at), by=checklist.made_by_name,
            findings=findings(), reasons=reasons(),
        )  # fmt: skip


def bring_back(
    *, by: Person, at: datetime, checklist: Checklist, path: Path, file_name: str
) -> ChecklistReturn:
    """Read a filled list. Nothing is applied yet. Raises ``Refused`` when it is no such list."""
    headers = [header for header, _width in sheet.COLUMNS]
    try:
        table = read_table(path, None, accepted=headers, limits=_CAPS, name=file_name)
        rows = _rows(table, headers)
    except Unreadable as refused:
        problem = refused.problem
        raise clues.Refused(f"{problem.what}。{problem.cure}", problem.english) from refused
    answers = sheet.answers(rows, findings=findings(), reasons=reasons())
    if not answers:
        raise clues.Refused(
            "表中没有线索号或核查结果，请上传由本页导出的核查清单",
            "no clue number or result in it: upload a list that was made here",
        )
    with person_scope(by):
        known = set(checklist.rows.values_list("clue__number", flat=True))
        checked = [
            a if a.wrong[0] or a.number in known else replace(a, wrong=("不在这份清单中", "not on this list"))
            for a in answers
        ]
        ChecklistReturn.objects.filter(checklist=checklist, done_at=None).update(done_at=at, answers=[])
        back = ChecklistReturn.objects.create(
            checklist=checklist,
            by=by.username,
            at=at,
            file_name=file_name[:200],
            answers=[asdict(a) for a in checked],
        )
        record(
            at=at, actor=by.username, office=by.office_id, action="checklist.return", object_kind="checklist",
            object_ref=checklist.number, detail={"rows": len(checked)},
        )  # fmt: skip
    return back


def _rows(table: Table, headers: list[str]) -> list[dict[str, object]]:
    missing = [h for h in ("线索号", "核查结果", "核查说明") if h not in table.headers]
    if missing:
        table.close()
        raise clues.Refused(
            f"缺少列：{'、'.join(missing)}；请上传由本页导出的核查清单",
            f"columns missing: {', '.join(missing)}",
        )
    kept = [h for h in headers if h in table.headers]
    rows: list[dict[str, object]] = []
    for chunk in table.chunks():
        rows += chunk.select([*kept, "row_no"]).to_dicts()
    # Cells of spreadsheets carry their kind in a first character.
    return [{k: v.lstrip("\x01\x02") if isinstance(v, str) else v for k, v in row.items()} for row in rows]


@dataclass(frozen=True)
class Outcome:
    """What becomes of one answer: ``ready``, ``done`` (applied), ``empty``, ``stale`` or ``wrong``, with words."""

    answer: sheet.Answer
    state: str
    zh: str = ""
    en: str = ""


def outlook(*, by: Person, back: ChecklistReturn) -> list[Outcome]:
    """Per line what would happen now. A clue that changed since the list left is stale and stays as it is."""
    with person_scope(by):
        rows = {r.clue.number: r for r in back.checklist.rows.select_related("clue")}
    return [_outlook(sheet.Answer(**{**a, "wrong": tuple(a["wrong"])}), rows, by) for a in back.answers]


def _outlook(answer: sheet.Answer, rows: dict[str, ChecklistRow], by: Person) -> Outcome:
    row = rows.get(answer.number)
    if answer.wrong[0]:
        return Outcome(answer, "wrong", *answer.wrong)
    if row is None:
        return Outcome(answer, "wrong", "不在您的范围内", "not within your scope")
    if row.applied_at:
        return Outcome(answer, "done", "此前已登记，不重复登记", "entered before; not entered twice")
    if not answer.finding:
        return Outcome(answer, "empty", "未填写结果", "no result filled in")
    if row.clue.version != row.version:
        words = STATE_WORDS[State(row.clue.state)]
        return Outcome(
            answer, "stale", f"导出后已有变动（现为“{words.zh}”），请在线索页办理",
            f"changed since the list was made (now “{words.en}”): handle it on its page",
        )  # fmt: skip
    words = STATE_WORDS[State(answer.finding)]
    return Outcome(answer, "ready", f"登记为“{words.zh}”", f"will be entered as “{words.en}”")


def apply(*, by: Person, at: datetime, back: ChecklistReturn, most: int) -> list[Outcome]:
    """Apply up to ``most`` answers that are ready, each in a transaction of its own; returns what became of them."""
    told: list[Outcome] = []
    for found in outlook(by=by, back=back):
        if found.state != "ready":
            continue
        if len(told) >= most:
            break
        told.append(_apply(found, back, by, at))
    # Lines that could not be entered stay in sight until a better list takes their place.
    if all(o.state in ("done", "empty") for o in outlook(by=by, back=back)):
        with person_scope(by):
            back.done_at, back.answers = at, []
            back.save(update_fields=["done_at", "answers"])
    return told


def _apply(found: Outcome, back: ChecklistReturn, by: Person, at: datetime) -> Outcome:
    answer = found.answer
    note = f"{answer.note}（核查清单 {back.checklist.number}{'，核查人 ' + answer.checker if answer.checker else ''}）"
    try:
        with transaction.atomic(), person_scope(by):
            row = ChecklistRow.objects.select_for_update().get(
                checklist=back.checklist, clue__number=answer.number
            )
            if row.applied_at:
                return replace(found, state="done", zh="此前已登记", en="entered before")
            version = row.version
            if Clue.objects.get(pk=row.clue_id).state == State.DISPATCHED:
                version = clues.receive(
                    clue_number=answer.number, by=by, at=at, expected_version=version
                ).version
            clues.conclude(
                clue_number=answer.number, by=by, at=at, finding=answer.finding, note=note, reasons=[answer.reason] if answer.reason else [],
                expected_version=version,
            )  # fmt: skip
            row.applied_at, row.applied_by, row.finding = at, by.username, answer.finding
            row.save()
    except clues.Refused as refused:
        return replace(found, state="stale", zh=refused.zh, en=refused.en)
    return replace(found, state="done", zh="已登记", en="entered")


def numbers_of(by: Person, filters: selectors.ClueFilters) -> list[str]:
    """The clues of a queue that could go on a list, in its order, one more than fits so that too many is seen."""
    return selectors.clue_numbers(
        by, filters, [s.value for s in CHECKABLE], REFERENCE.checklist.clues_most.value + 1
    )
