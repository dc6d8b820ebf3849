"""Case queries (办案查询): a sealed register asked about the subject of one clue, for one case, on record first.

What is sealed as a whole (police penalties) takes part in no bulk run and stands on no list. Who handles a clue and needs
to know asks here: case number and reason go into the audit, without that row the database shows nothing, and the answer
is kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record, without_identifiers
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.seals import CASE_QUERY, RECORDED
from ingestion.catalog.spec import Column, FeedSpec
from supervision.clues import lifecycle
from supervision.clues.lifecycle import State
from supervision.models import Clue, ClueEvent
from supervision.reference import REFERENCE

#: subjects that a register can be asked about
_SUBJECTS = ("person", "organisation")


class NotAsked(Exception):
    """Nothing was looked up; the words say why and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh)
        self.zh, self.en = zh, en


@dataclass(frozen=True)
class Answer:
    """The records found: per record (column, value as people read it); identifiers stay masked."""

    feed: FeedSpec
    clue: str
    case_number: str
    at: datetime
    records: list[list[tuple[Column, str]]]


def may_ask(clue: Clue, person: Person) -> bool:
    """The handler of a clue that is being checked or acted on, about a person or an organisation."""
    return (
        clue.subject_kind in _SUBJECTS
        and clue.handler == person.username
        and State(clue.state) in lifecycle.HANDLED
        and person.may("identifier.unmask")
    )


def ask(*, clue_number: str, by: Person, at: datetime, feed: str, case_number: str, reason: str) -> Answer:
    """Look the clue's subject up in one sealed register; the audit row comes first."""
    register = next((f for f in ingestion.case_query_feeds() if f.code == feed), None)
    if register is None:
        raise NotAsked("请选择要查询的封存数据源", "choose the sealed feed")
    if not case_number.strip() or not reason.strip():
        raise NotAsked("请填写案号和查询理由", "fill in the case number and the reason")
    with person_scope(by, feeds=[feed], purpose=CASE_QUERY):
        clue = Clue.objects.filter(number=clue_number).first()
        if clue is None:
            raise NotAsked(
                f"没有线索 {clue_number}，或不在您的范围内", f"no clue {clue_number} within your scope"
            )
        if not may_ask(clue, by):
            raise NotAsked(
                "只有承办人在核查、处置期间可以查询本线索当事人；需要时请先签收，或请承办人查询",
                "only the handler of a clue under checking may query its subject: sign for it first, or ask the handler",
            )
        permit = agreements.check({feed: [c.name for c in register.columns]}, on=timezone.localdate(at))
        if not permit.allowed:
            raise NotAsked(f"数据协议不允许查询：{permit.explain()}", "no agreement covers this query today")
        most = REFERENCE.case_query.per_day.value
        asked = ClueEvent.objects.filter(
            kind="case_query", detail__person=by.username, at__gt=at - timedelta(days=1)
        )
        if asked.count() >= most:
            raise NotAsked(
                f"一天内最多查询 {most} 次，今天已用完；请明天再查",
                f"{most} queries a day, and today's are used up: ask tomorrow",
            )
        case_number, reason = without_identifiers(case_number.strip())[:60], reason.strip()[:200]
        record(
            at=at, actor=by.username, office=by.office_id, action=RECORDED, object_kind="clue",
            object_ref=clue.number, reason=reason, detail={"feed": feed, "case": case_number},
        )  # fmt: skip
        ClueEvent.objects.bulk_create(
            [
                ClueEvent(
                    clue=clue, at=at, actor=by.name, kind="case_query", from_state=clue.state, to_state=clue.state,
                    detail={"feed": feed, "person": by.username},
                )
            ]
        )  # fmt: skip
        found = ingestion.records_about(register, clue.subject_kind, clue.subject_ref)
    return Answer(register, clue.number, case_number, at, [_shown(register, one) for one in found])


def _shown(feed: FeedSpec, found: dict[str, Any]) -> list[tuple[Column, str]]:
    shown = []
    for column in feed.columns:
        value = found.get(column.name)
        if value is None:
            continue
        # A mention is an identifier like any other.
        text = ingestion.MASK if ingestion.refs_in(column, value) else ingestion.display(column, value)
        shown.append((column, text))
    return shown
