"""What follows a confirmed clue: feedback to an agency, settling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256

from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.audit.record import record
from chuxiong.vault.keys import keys
from ingestion import selectors as ingestion
from supervision.clues.actions.handling import clues_due, running_track
from supervision.clues.actions.moving import Refused, moving
from supervision.clues.lifecycle import Outcome
from supervision.clues.numbers import take_number
from supervision.models import Clue, Letter
from supervision.reference import REFERENCE
from supervision.tracks.results import NotAFact, facts
from supervision.tracks.spec import tracks


def feed_back(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    agency: str,
    subject: str,
    text: str,
    due_on: date | None = None,
    records: tuple[bytes, int] | None = None,
    expected_version: int | None = None,
) -> Letter:
    """Send a feedback letter (反馈函) to an agency; it answers through its REST door or the portal.

    ``records`` are those that go with it (content as ``supervision.leaving`` makes it, rows); they are kept sealed.
    """
    if not subject.strip() or not text.strip():
        raise Refused("请填写标题和内容", "fill in subject and text")
    with moving(
        "feed_back", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        names = dict(ingestion.agencies())
        if move.clue.responsible:
            names[move.clue.responsible] = move.clue.responsible_zh
        if agency not in names:
            raise Refused("请选择单位", "choose an agency", move.clue.version)
        number, ring = take_number("FK", timezone.localdate(at).year), keys()
        letter = Letter.objects.create(
            number=number,
            clue=move.clue,
            agency=agency,
            agency_zh=names[agency],
            subject=subject,
            text=text,
            records=records[1] if records else 0,
            sealed=ring.wrap(records[0], f"letter:{number}") if records else None,
            key_id=ring.current if records else "",
            sent_at=at,
            due_on=due_on or REFERENCE.limit("feedback").after(timezone.localdate(at)),
            updated_at=at,
        )
        move.clue.due_on = clues_due(move.clue, timezone.localdate(at))
        move.detail |= {"letter": letter.number, "agency": agency}
        if records:
            move.detail |= {"records": records[1]}
            record(
                at=at, actor=by.username, office=by.office_id, action="letter.send_records", object_kind="letter",
                object_ref=number, detail={"agency": agency, "rows": records[1], "digest": sha256(records[0]).hexdigest()},
            )  # fmt: skip
    return letter


def settle(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    outcome: str,
    note: str,
    kind: str = "",
    results: Sequence[tuple[str, str, str]] = (),
    expected_version: int | None = None,
) -> Clue:
    """Close a confirmed clue as corrected or improved. ``results``: kind, amount as written, proof of each."""
    chosen = Outcome(outcome)
    if not note.strip():
        raise Refused("请写明办结情况", "say how it was settled")
    try:
        found = [fact.document() for fact in facts(results)]
    except NotAFact as fault:
        raise Refused(fault.zh, fault.en) from fault
    with moving("settle", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        if running := running_track(move.clue):
            spec = tracks()[running.code]
            ends = "、".join(s.zh for s in spec.steps if s.ends)
            raise Refused(
                f"“{spec.zh}”还没有结案：请先登记“{ends}”",
                f"“{spec.en}” has not ended: enter its last step first",
                move.clue.version,
            )
        move.clue.outcome, move.clue.settled_at, move.clue.due_on = chosen.value, at, None
        move.clue.kind = kind or move.clue.kind
        move.clue.results = {**move.clue.results, **({"facts": found} if found else {})}
        move.note = note
        move.detail |= {"outcome": chosen.value, "facts": found}
    return move.clue
