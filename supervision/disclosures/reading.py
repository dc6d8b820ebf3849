"""What pages may read of disclosures. The numbers themselves are read by nobody here: they are kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from supervision.models import Clue, Disclosure

PAGE = 20
State = Disclosure.State


@dataclass(frozen=True)
class Row:
    """One request as a list shows it; names stand for user names."""

    id: int
    #: asked, approved, refused, withdrawn, opened, or expired: approved and not opened in time
    state: str
    office: str
    asked_by: str
    asked_at: datetime
    addressee: str
    basis: str
    clues: int
    decided_by: str
    expires_at: datetime | None
    opened_at: datetime | None
    #: it waits for this person: to decide on it, or to open it
    waits: bool


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    total: int
    page: int
    pages: int
    #: listing → count
    counts: dict[str, int]


@dataclass(frozen=True)
class Detail:
    """One request with its clues; ``hidden`` counts those out of the person's sight."""

    row: Row
    reason: str
    decision_note: str
    decided_at: datetime | None
    numbers: int | None
    digest: str
    #: (number, state)
    clues: list[tuple[str, str]]
    hidden: int
    may_decide: bool
    may_open: bool
    may_withdraw: bool


LISTS = ("waiting", "own", "all")


def disclosure_page(person: Person, listing: str, page: int, *, at: datetime) -> Page:
    """``waiting`` for the person's decision, the person's ``own``, or ``all`` the person may look at."""
    with person_scope(person):
        parts = {name: _listed(person, name) for name in LISTS}
        counts = {name: Disclosure.objects.filter(part).count() for name, part in parts.items()}
        total = counts[listing]
        pages = max(1, -(-total // PAGE))
        page = min(max(1, page), pages)
        found = Disclosure.objects.filter(parts[listing]).order_by("-id")
        chosen = list(found[(page - 1) * PAGE : page * PAGE])
        names = _names(chosen)
        rows = [_row(one, names, person, at) for one in chosen]
    return Page(rows, total, page, pages, counts)


def disclosure_detail(person: Person, pk: int, *, at: datetime) -> Detail | None:
    """One request; None when it does not exist or is not the person's to look at."""
    with person_scope(person):
        found = Disclosure.objects.filter(_listed(person, "all"), pk=pk).first()
        if found is None:
            return None
        # Items of clues out of sight are out of sight as well; the request says how many it names.
        clues = list(Clue.objects.filter(disclosures=found).order_by("number").values_list("number", "state"))
        row = _row(found, _names([found]), person, at)
    decides = found.state == State.ASKED and person.may("disclosure.approve")
    own = found.asked_by == person.username
    return Detail(
        row=row,
        reason=found.reason,
        decision_note=found.decision_note,
        decided_at=found.decided_at,
        numbers=found.numbers,
        digest=found.digest,
        clues=clues,
        hidden=found.named_clues - len(clues),
        may_decide=decides and not own,
        may_open=own and row.state == "approved",
        may_withdraw=own and row.state in ("asked", "approved"),
    )


def waiting_count(person: Person) -> int:
    """Requests that wait for the person's decision, for the navigation."""
    if not person.may("disclosure.approve"):
        return 0
    with person_scope(person):
        return Disclosure.objects.filter(_listed(person, "waiting")).count()


def _listed(person: Person, listing: str) -> Q:
    own = Q(asked_by=person.username)
    if listing == "own":
        return own
    if not person.may("disclosure.approve"):
        return own if listing == "all" else Q(pk__in=[])
    if listing == "waiting":
        return Q(state=State.ASKED) & ~own & Q(office__in=person.office_codes)
    return own | Q(office__in=person.office_codes)


def _names(found: list[Disclosure]) -> dict[str, str]:
    who = {name for one in found for name in (one.asked_by, one.decided_by) if name}
    return dict(Person.objects.filter(username__in=who).values_list("username", "name"))


def _row(one: Disclosure, names: dict[str, str], person: Person, at: datetime) -> Row:
    state = one.state
    if state == State.APPROVED and one.expires_at and at >= one.expires_at:
        state = "expired"
    own = one.asked_by == person.username
    return Row(
        id=one.pk,
        state=state,
        office=one.office,
        asked_by=names.get(one.asked_by, one.asked_by),
        asked_at=one.asked_at,
        addressee=one.addressee,
        basis=one.basis,
        clues=one.named_clues,
        decided_by=names.get(one.decided_by, one.decided_by),
        expires_at=one.expires_at,
        opened_at=one.opened_at,
        waits=(state == "approved" and own)
        or (state == State.ASKED and not own and person.may("disclosure.approve")),
    )
