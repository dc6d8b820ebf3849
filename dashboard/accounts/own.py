"""One's own account: who I am here, my password, my second factor, my recent sign-ins."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from chuxiong.accounts import confidentiality, lock, people, second_factor, selectors
from chuxiong.accounts.scope import scope
from chuxiong.audit.record import record
from dashboard.accounts.page import page, person_of
from dashboard.accounts.sign_in import enrolment, new_password_errors, rules_of_passwords

#: Where somebody's work begins, by permission.
_HOMES = (
    ("clue.read", "desk:queue"),
    ("batch.import", "desk:feeds"),
    ("delivery.read", "provider:home"),
    ("received.read", "provider:received"),
    ("person.manage", "accounts:people"),
    ("role.grant", "accounts:rights"),
    ("audit.read", "audit:events"),
)


@login_required
@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page of one's own work."""
    person = person_of(request)
    return redirect(next((name for permission, name in _HOMES if person.may(permission)), "accounts:me"))


@login_required
@never_cache
@require_safe
def me(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    now = timezone.now()
    context = {
        "person": person,
        "roles": selectors.roles_of(person),
        "permissions": selectors.permissions_of(person),
        "agreement": confidentiality.in_force(person, on=now),
        "factor": second_factor.confirmed(person),
        "recovery_left": second_factor.recovery_left(person),
        "certificates": [c for c in person.certificates.all() if c.revoked_at is None],
        "stays": selectors.recent_stays(person),
    }
    return page(request, "me", "me", context)


@sensitive_post_parameters()
@login_required
@never_cache
def password(request: HttpRequest) -> HttpResponse:
    """Change one's password; every other stay of the person ends, this one goes on under a fresh key."""
    person = person_of(request)
    errors: list[str] = []
    if request.method == "POST":
        now, address = timezone.now(), request.META.get("REMOTE_ADDR", "")
        if lock.attempt(person.username, address, at=now):
            errors = [_("尝试次数过多，请稍后再试。")]
        elif not person.check_password(request.POST.get("current", "")[:256]):
            errors = [_("当前密码不对。")]
        else:
            lock.succeeded(person.username, address, at=now)
            errors = new_password_errors(request, person)
        if not errors:
            people.change_own_password(person=person, password=request.POST["new"], at=now)
            login(request, person)
            messages.success(request, _("密码已更改，其他登录已结束。"))
            return redirect("accounts:me")
    context = {"errors": errors, "rules": rules_of_passwords()}
    return page(request, "own_password", "me", context, 400 if errors else 200)


@login_required
@never_cache
def factor(request: HttpRequest) -> HttpResponse:
    """Register an authenticator, or with a present code change it or draw new recovery codes."""
    person, now = person_of(request), timezone.now()
    has, wrong = second_factor.confirmed(person), ""
    if request.method == "POST":
        typed, act = request.POST.get("code", "")[:40], request.POST.get("act", "")
        if lock.attempt_code(person, at=now):
            wrong = _("尝试次数过多，请稍后再试。")
        elif not has and (codes := second_factor.confirm(person, typed, at=now)):
            return _done(request, "second_factor.enrolled", codes)
        elif has and act == "codes" and second_factor.check(person, typed, at=now):
            return _done(request, "second_factor.recovery_codes", second_factor.new_recovery_codes(person))
        elif has and act == "replace" and second_factor.check(person, typed, at=now):
            second_factor.remove(person)
            _done(request, "second_factor.removed", [])
            return redirect("accounts:factor")
        else:
            wrong = _("动态口令不对，或已用过。请等下一组数字。")
    context: dict[str, Any] = {"has": has, "wrong": wrong, "left": second_factor.recovery_left(person)}
    if not has:
        second_factor.begin(person, at=now)
        context |= enrolment(person, now)
    return page(request, "factor", "me", context, 401 if wrong else 200)


def _done(request: HttpRequest, action: str, codes: list[str]) -> HttpResponse:
    person = person_of(request)
    lock.code_succeeded(person)
    with scope(offices=(), person=person.username):
        record(
            at=timezone.now(),
            actor=person.username,
            office=person.office_id,
            action=action,
            object_kind="person",
            object_ref=person.username,
        )
    return page(request, "own_recovery", "me", {"codes": codes, "next": reverse("accounts:me")})
