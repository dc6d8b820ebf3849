"""People, offices and departments as pages need them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from . import confidentiality, lock
from .models import (
    ConfidentialityAgreement,
    Department,
    DutyPost,
    Office,
    Permission,
    Person,
    PersonSession,
    Role,
    SecondFactor,
)

PAGE = 50


def offices_of(person: Person) -> list[Office]:
    """Offices within the person's reach, in code order."""
    return list(Office.objects.filter(code__in=person.office_codes).order_by("code"))


def office(code: str) -> Office | None:
    return Office.objects.filter(code=code).first()


def departments_of(office: str) -> list[Department]:
    return list(Department.objects.filter(office_id=office).order_by("code"))


def colleagues(offices: list[str]) -> list[Person]:
    """People at work in these offices, by office and name; administrators handle no clues and are left out."""
    found = Person.objects.filter(office__in=offices, is_active=True).select_related("office")
    return [p for p in found.order_by("office_id", "name") if not p.is_administrator]


def all_offices() -> list[Office]:
    """Every office with its departments and the number of its active people."""
    return list(
        Office.objects.prefetch_related("departments")
        .annotate(headcount=Count("people", filter=Q(people__is_active=True)))
        .order_by("code")
    )


def duty_posts() -> list[DutyPost]:
    return list(DutyPost.objects.select_related("office"))


def roles() -> list[Role]:
    return list(Role.objects.all())


def roles_that_may(permission: str) -> list[str]:
    """Codes of the roles that allow it."""
    return list(Role.objects.filter(may__contains=[permission]).values_list("code", flat=True))


def roles_of(person: Person) -> list[Role]:
    return list(Role.objects.filter(code__in=person.roles))


def permissions_of(person: Person) -> list[Permission]:
    return list(Permission.objects.filter(code__in=person.permissions))


def permissions() -> dict[str, Permission]:
    return {p.code: p for p in Permission.objects.all()}


def recent_stays(person: Person) -> list[PersonSession]:
    return list(person.sessions.select_related("duty_post").order_by("-started_at")[:10])


@dataclass(frozen=True)
class PersonRow:
    """A line of the people's lists; which columns show is the page's choice."""

    person: Person
    roles: list[Role]
    factor: bool
    locked: bool
    agreement_until: date | None
    issue_open: bool


@dataclass(frozen=True)
class PeoplePage:
    rows: list[PersonRow]
    total: int
    page: int
    pages: int


def people_page(*, text: str, office: str, state: str, page: int, at: datetime) -> PeoplePage:
    """One page of people by office and user name; ``state`` is active, left, waiting (no role yet) or empty."""
    found: QuerySet[Person] = Person.objects.select_related("office", "department")
    if text:
        found = found.filter(Q(name__contains=text) | Q(username__contains=text.lower()))
    if office:
        found = found.filter(office_id=office)
    if state == "left":
        found = found.filter(is_active=False)
    elif state == "waiting":
        found = found.filter(is_active=True, roles__len=0)
    elif state == "active":
        found = found.filter(is_active=True)
    total = found.count()
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    day = timezone.localdate(at)
    until = (
        ConfidentialityAgreement.objects.filter(
            person=OuterRef("pk"), signed_on__lte=day, ended_on__isnull=True
        )
        .values("person")
        .annotate(last=Max("valid_to"))
        .values("last")
    )
    chosen = list(
        found.annotate(
            agreement_until=Subquery(until),
            issue_open=Count("password_issues", filter=Q(password_issues__completed_at__isnull=True)),
        ).order_by("office_id", "username")[(page - 1) * PAGE : page * PAGE]
    )
    known = {role.code: role for role in roles()}
    ids = [p.pk for p in chosen]
    factors = set(
        SecondFactor.objects.filter(person__in=ids, confirmed_at__isnull=False).values_list(
            "person", flat=True
        )
    )
    locked = lock.locked_people(chosen, at=at)
    rows = [
        PersonRow(
            person=p,
            roles=[known[code] for code in p.roles if code in known],
            factor=p.pk in factors,
            locked=p.pk in locked,
            agreement_until=p.agreement_until,
            issue_open=bool(p.issue_open),
        )
        for p in chosen
    ]
    return PeoplePage(rows, total, page, pages)


@dataclass(frozen=True)
class AgreementRow:
    """A line of the register of confidentiality agreements; ``state`` is valid, soon, over, ended or future."""

    agreement: ConfidentialityAgreement
    state: str
    days_left: int


def agreement_rows(*, at: datetime) -> list[AgreementRow]:
    """Agreements of active people, those that end first on top."""
    day = timezone.localdate(at)
    warn = confidentiality.warn_days()
    rows = []
    for agreement in confidentiality.register().filter(person__is_active=True):
        left = (agreement.valid_to - day).days
        if agreement.ended_on is not None:
            state = "ended"
        elif left < 0:
            state = "over"
        else:
            state = "soon" if left <= warn else "valid"
        rows.append(AgreementRow(agreement, state, left))
    order = {"soon": 0, "valid": 1, "over": 2, "ended": 3}
    return sorted(rows, key=lambda row: (order[row.state], row.agreement.valid_to, row.agreement.pk))


def leavers(person: Person) -> list[Person]:
    """People who left the offices within the person's reach."""
    return list(
        Person.objects.filter(is_active=False, office_id__in=person.office_codes)
        .select_related("office", "department")
        .order_by("-left_at")[:200]
    )
