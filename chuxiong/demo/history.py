"""Past checks of the demo prefecture: clues of four months that were checked and ended, so that chances are known.

They are invented as a whole, without evidence, and say so in their events. How often a model's clues were confirmed in a
county is drawn once; the mean is that of the published figures.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from chuxiong.accounts.models import Office
from supervision.clues.lifecycle import Outcome, State
from supervision.clues.numbers import format_number, take_numbers
from supervision.models import Clue, ClueEvent
from supervision.ranking import expected
from supervision.reference import REFERENCE
from supervision.rulebook.load import LoadedRule
from supervision.selectors import rulebook

#: what a history's clues are known by, so that it is written once
SUBJECT = "demo-history"
_DAYS = 120
_NOTE = "演示数据：虚构的既往核查结论"


def write_history(*, clues: int, seed: int, at: datetime) -> int:
    """Write so many checked clues, spread over the days before ``at``; none when there are some already."""
    if Clue.objects.filter(subject_kind="history", subject_ref__startswith=SUBJECT).exists():
        return 0
    draw = random.Random(seed)  # noqa: S311  an invented history, drawn again from its seed
    rules = [r for r in rulebook().values() if r.status == "live" and not REFERENCE.closed_to(r.domain)]
    offices = sorted(Office.objects.filter(parent__isnull=False).values_list("code", flat=True))
    prior = expected.spec().prior.chance
    usual = {rule.id: min(0.97, max(0.05, draw.gauss(prior, 0.22))) for rule in rules}
    true = {(r, o): min(0.98, max(0.03, draw.gauss(usual[r], 0.1))) for r in usual for o in offices}
    moments = sorted(at - timedelta(days=draw.uniform(12, _DAYS)) for _ in range(clues))
    with transaction.atomic():
        made = []
        for year in sorted({timezone.localtime(m).year for m in moments}):
            of_year = [m for m in moments if timezone.localtime(m).year == year]
            last = take_numbers("XS", year, len(of_year))
            for n, raised in enumerate(of_year, 1):
                rule, office = draw.choice(rules), draw.choice(offices)
                confirmed = draw.random() < true[rule.id, office]
                number = format_number("XS", year, last - len(of_year) + n)
                made.append(_clue(draw, rule, office, number, raised, confirmed))
        Clue.objects.bulk_create(made, batch_size=500)
        ClueEvent.objects.bulk_create([e for clue in made for e in _events(clue)], batch_size=1000)
    return len(made)


def _clue(
    draw: random.Random, rule: LoadedRule, office: str, number: str, raised: datetime, confirmed: bool
) -> Clue:
    checked = raised + timedelta(days=draw.uniform(2, 10))
    clue = Clue(
        number=number, origin="model", rule=rule.id, rule_version=rule.version, rule_digest=rule.digest,
        subject_kind="history", subject_ref=f"{SUBJECT}-{number}", bucket="", level=draw.choice(["important", "ordinary"]),
        office=office, department="", state=State.UNFOUNDED.value, raised_at=raised, checked_at=checked,
        material=_material(draw, rule),
    )  # fmt: skip
    if confirmed:
        clue.state, clue.confirmed_at = State.SETTLED.value, checked
        clue.settled_at = checked + timedelta(days=draw.uniform(1, 2))
        clue.outcome = draw.choice([Outcome.CORRECTED, Outcome.IMPROVED]).value
        clue.kind = draw.choice(sorted(REFERENCE.outcome_kinds[clue.outcome]))
    return clue


def _material(draw: random.Random, rule: LoadedRule) -> dict[str, str]:
    """Figures where the title may name them."""
    found = {}
    for name, measure in rule.measures.items():
        if measure.kind == "count":
            found[name] = str(draw.randint(1, 9))
        elif measure.kind == "sum":
            found[name] = str(draw.randint(500, 90_000) * 100)
    return found


def _events(clue: Clue) -> list[ClueEvent]:
    ended = State(clue.state)
    checked, settled = clue.checked_at or clue.raised_at, clue.settled_at or clue.raised_at
    found = [
        ClueEvent(clue=clue, at=clue.raised_at, actor="研判引擎", kind="raised", to_state="raised", note=_NOTE),
        ClueEvent(
            clue=clue, at=checked, actor="演示", kind="conclude", from_state="checking", note=_NOTE,
            to_state="confirmed" if ended is State.SETTLED else "unfounded",
            detail={"finding": "confirmed" if ended is State.SETTLED else "unfounded", "reasons": []},
        ),
    ]  # fmt: skip
    if ended is State.SETTLED:
        found.append(
            ClueEvent(
                clue=clue, at=settled, actor="演示", kind="settle", from_state="acted", to_state="settled",
                note=_NOTE, detail={"outcome": clue.outcome},
            )
        )  # fmt: skip
    return found
