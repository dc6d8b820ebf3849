"""Signing in, step by step: password, second factor, a new password when due, the confidentiality agreement.

Until the last step nobody is signed in: the session only remembers whose password was right, and for how long.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from chuxiong.accounts import confidentiality, gateway, lock, passwords, people, second_factor, sessions
from chuxiong.accounts.models import Person
from chuxiong.accounts.policy import POLICY
from chuxiong.audit.record import record
from dashboard.accounts.guard import ended
from dashboard.accounts.qr_code import svg

_PENDING = "pending"


def _why_words(why: str) -> str:
    return {
        "superseded": _("您的账号已在别处登录，这里的登录已结束。如非本人操作，请立即联系安全管理员。"),
        "idle": _("长时间未操作，已自动退出。"),
        "expired": _("已到最长登录时限，请重新登录。"),
        "left": _("账号已停用，请联系所在部门。"),
        "roles": _("您的职责有变动，请重新登录。"),
        "password": _("密码已更改，请用新密码登录。"),
        "security": _("安全管理员已结束这次登录。"),
        "agreement": _("保密协议已终止，请联系安全管理员。"),
    }.get(why, "")


def _locked_words(until: datetime) -> str:
    minutes = max(1, -(-int((until - timezone.now()).total_seconds()) // 60))
    return _("尝试次数过多，请 %(n)s 分钟后再试，或请安全管理员解锁。") % {"n": minutes}


def _audit(action: str, person: Person | None, address: str, **detail: Any) -> None:
    """A typed name that nobody has is not kept: people type passwords into name fields."""
    record(
        at=timezone.now(),
        actor=person.username if person else "unknown",
        office=person.office_id if person else "",
        action=action,
        object_kind="person",
        object_ref=person.username if person else "unknown",
        detail={"address": address, **detail},
    )


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _next(request: HttpRequest, wanted: str) -> str:
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return ""


@sensitive_post_parameters("password")
@never_cache
def sign_in(request: Any) -> HttpResponse:
    """Name and password. A wrong name, a wrong password and a person who left read and cost the same."""
    wanted = _next(request, request.POST.get("next") or request.GET.get("next") or "")
    if request.user.is_authenticated:
        return redirect(wanted or settings.LOGIN_REDIRECT_URL)
    if request.method != "POST":
        if request.duty_post and "person" not in request.GET:
            return redirect("accounts:post")
        return _form(request, wanted, told=_why_words(request.GET.get("ended", "")))
    now, username = timezone.now(), request.POST.get("username", "")[:40]
    if until := lock.attempt(username, _address(request), at=now):
        answer = _form(request, wanted, wrong=_locked_words(until), status=429)
        answer["Retry-After"] = str(max(1, int((until - now).total_seconds())))
        return answer
    person = authenticate(request, username=username, password=request.POST.get("password", "")[:256])
    if not isinstance(person, Person):
        _audit("sign_in.failed", Person.objects.filter(username=username).first(), _address(request))
        return _form(request, wanted, wrong=_("用户名或密码不对，请重试。"), status=401)
    lock.succeeded(username, _address(request), at=now)
    presented, by_certificate = request.certificate, False
    if presented is not None:
        if gateway.holder(presented, at=now) != person or not gateway.spend(presented, at=now):
            _audit("sign_in.certificate_refused", person, _address(request), serial=presented.serial)
            return _form(request, wanted, wrong=_("插入的证书不是这个账号的，或已失效。"), status=401)
        by_certificate = True
    # A fresh key: whatever session id the browser came with leads nowhere from here on.
    request.session.flush()
    request.session[_PENDING] = {
        "person": person.pk,
        "at": now.timestamp(),
        "hash": person.get_session_auth_hash(),
        "factor": by_certificate,
        "next": wanted,
    }
    return _advance(request, person)


def _form(
    request: HttpRequest, wanted: str, *, wrong: str = "", told: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "next": wanted,
        "wrong": wrong,
        "told": told,
        "username": request.POST.get("username", "")[:40],
    }
    return render(request, "accounts/sign_in.html", context, status=status)


def _pending(request: HttpRequest) -> Person | None:
    """Whose password was right, if that was not long ago and nothing about it has changed since."""
    kept = request.session.get(_PENDING)
    if not kept:
        return None
    age = timezone.now().timestamp() - kept["at"]
    if not 0 <= age < POLICY.session.pending_minutes.value * 60:
        return None
    person = Person.objects.select_related("office").filter(pk=kept["person"], is_active=True).first()
    if person is None or not constant_time_compare(kept["hash"], person.get_session_auth_hash()):
        return None
    return person


def _step(request: HttpRequest, person: Person) -> str:
    """The next thing to do: dormant, code, certificate, enrol, password, agreement, done."""
    now = timezone.now()
    if passwords.dormant(person, at=now):
        return "dormant"
    if not request.session[_PENDING]["factor"]:
        if second_factor.confirmed(person):
            return "code"
        if gateway.has_certificate(person, at=now):
            return "certificate"
        if person.second_factor_required:
            return "enrol"
    if person.must_change_password or passwords.expired(person, at=now):
        return "password"
    if confidentiality.in_force(person, on=now) is None:
        return "agreement"
    return "done"


def _advance(request: HttpRequest, person: Person) -> HttpResponse:
    step = _step(request, person)
    return _finish(request, person) if step == "done" else redirect(f"accounts:sign_in_{step}")


def _finish(request: Any, person: Person) -> HttpResponse:
    kept = request.session[_PENDING]
    request.session.flush()
    with transaction.atomic():
        login(request, person)
        _audit("sign_in", person, _address(request), duty_post=request.duty_post and request.duty_post.pk)
    return redirect(kept["next"] or settings.LOGIN_REDIRECT_URL)


def _at(step: str) -> Any:
    """The view of one step: sends back who is not there, and on who is past it."""

    def around(view: Any) -> Any:
        @never_cache
        def inner(request: HttpRequest) -> HttpResponse:
            person = _pending(request)
            if person is None:
                # Whoever is signed in has nothing to do here; what they are doing goes on.
                if request.user.is_authenticated:
                    return redirect(settings.LOGIN_REDIRECT_URL)
                request.session.flush()
                return redirect(f"{resolve_url(settings.LOGIN_URL)}?person=1")
            if _step(request, person) != step:
                return _advance(request, person)
            answer: HttpResponse = view(request, person)
            return answer

        return inner

    return around


def _note(request: HttpRequest, **changes: Any) -> None:
    request.session[_PENDING] = {**request.session[_PENDING], **changes}


@never_cache
def go_on(request: HttpRequest) -> HttpResponse:
    person = _pending(request)
    return _advance(request, person) if person else redirect(settings.LOGIN_URL)


@_at("code")
def code(request: HttpRequest, person: Person) -> HttpResponse:
    """An authenticator's code, or a recovery code."""
    wrong, status = "", 200
    if request.method == "POST":
        now = timezone.now()
        if until := lock.attempt_code(person, at=now):
            wrong, status = _locked_words(until), 429
        elif second_factor.check(person, request.POST.get("code", "")[:40], at=now):
            lock.code_succeeded(person)
            _note(request, factor=True)
            return _advance(request, person)
        else:
            _audit("sign_in.code_failed", person, _address(request))
            wrong, status = _("动态口令不对，或已用过。请等下一组数字。"), 401
    return render(request, "accounts/code.html", {"person": person, "wrong": wrong}, status=status)


@_at("certificate")
def certificate(request: HttpRequest, person: Person) -> HttpResponse:
    """This account signs in with its certificate; a password alone leads no further."""
    return render(request, "accounts/certificate.html", {"person": person})


@_at("dormant")
def dormant(request: HttpRequest, person: Person) -> HttpResponse:
    """An account that slept too long waits for a new one-time password."""
    days = POLICY.account.dormant_days.value
    return render(request, "accounts/dormant.html", {"person": person, "days": days})


@_at("enrol")
def enrol(request: HttpRequest, person: Person) -> HttpResponse:
    """Register an authenticator: its first right code turns it on and shows the recovery codes once."""
    wrong, status, now = "", 200, timezone.now()
    if request.method == "POST":
        if until := lock.attempt_code(person, at=now):
            wrong, status = _locked_words(until), 429
        elif codes := second_factor.confirm(person, request.POST.get("code", "")[:40], at=now):
            lock.code_succeeded(person)
            _audit("second_factor.enrolled", person, _address(request))
            _note(request, factor=True)
            return render(
                request, "accounts/recovery.html", {"codes": codes, "next": reverse("accounts:sign_in_next")}
            )
        else:
            wrong, status = _("动态口令不对。请核对手机时间与本页时间。"), 401
    second_factor.begin(person, at=now)
    return render(request, "accounts/enrol.html", enrolment(person, now) | {"wrong": wrong}, status=status)


def enrolment(person: Person, now: datetime) -> dict[str, Any]:
    """What an enrolment page shows."""
    found = second_factor.provisioning(person)
    secret = found[1] if found else ""
    groups = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    return {"person": person, "secret": groups, "now": now}


@never_cache
@require_GET
def qr(request: HttpRequest) -> HttpResponse:
    """The picture of a secret that awaits its first code, for the person it belongs to."""
    person = request.user if isinstance(request.user, Person) else _pending(request)
    if person is None or (not request.user.is_authenticated and _step(request, person) != "enrol"):
        raise Http404
    found = second_factor.provisioning(person)
    if found is None:
        raise Http404
    return HttpResponse(svg(found[0]), content_type="image/svg+xml", headers={"Cache-Control": "no-store"})


@sensitive_post_parameters()
@_at("password")
def password(request: HttpRequest, person: Person) -> HttpResponse:
    """A new password: at the first sign-in, after a new issue, or when the old one has aged."""
    errors: list[str] = []
    if request.method == "POST":
        errors = new_password_errors(request, person)
        if not errors:
            people.change_own_password(person=person, password=request.POST["new"], at=timezone.now())
            _note(request, hash=person.get_session_auth_hash())
            return _advance(request, person)
    context = {
        "person": person,
        "errors": errors,
        "rules": rules_of_passwords(),
        "first": person.must_change_password,
    }
    return render(request, "accounts/new_password.html", context, status=400 if errors else 200)


def new_password_errors(request: HttpRequest, person: Person) -> list[str]:
    """Why the new password in the form will not do; empty when it will."""
    new = request.POST.get("new", "")[:256]
    if new != request.POST.get("again", "")[:256]:
        return [_("两次输入不一致。")]
    try:
        validate_password(new, person)
    except ValidationError as error:
        return [str(message) for message in error.messages]
    return []


def rules_of_passwords() -> dict[str, int]:
    return {name: entry.value for name, entry in POLICY.password}


@_at("agreement")
def agreement(request: HttpRequest, person: Person) -> HttpResponse:
    """The page beyond which nobody gets without a signed agreement in force."""
    last = person.confidentiality_agreements.order_by("-valid_to").first()
    return render(request, "accounts/agreement.html", {"person": person, "last": last})


@never_cache
@require_POST
def sign_out(request: Any) -> HttpResponse:
    if isinstance(request.user, Person):
        _audit("sign_out", request.user, _address(request))
    logout(request)
    return redirect("accounts:post" if request.duty_post else settings.LOGOUT_REDIRECT_URL)


@never_cache
@require_GET
def session(request: Any) -> HttpResponse:
    """For the page's script: does the stay go on, how long, whose is it, and a token for the forms that stand open."""
    if request.stay is None:
        return ended(request)
    left = sessions.left(request.stay, at=timezone.now())
    answer = JsonResponse(
        {
            "live": True,
            "seconds": max(0, int(left / timedelta(seconds=1))),
            "person": request.user.username,
            "csrf": get_token(request),
        }
    )
    answer["Cache-Control"] = "no-store"
    return answer


@never_cache
@require_GET
def back(request: HttpRequest) -> HttpResponse:
    """Where a sign-in in a second tab ends: the first tab goes on with what was typed there."""
    return render(request, "accounts/back.html")
