"""The security administrator's pages: roles, second factors, certificates, locks, confidentiality agreements."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts import confidentiality, gateway, lock, people, second_factor, selectors
from chuxiong.accounts.models import Role
from chuxiong.accounts.refused import Refused
from dashboard.accounts.administration import filters, found_person
from dashboard.accounts.page import allowed, ask, confirmed, page, person_of, pick, said


@allowed("role.grant")
@require_safe
def rights(request: HttpRequest) -> HttpResponse:
    wanted, now = filters(request), timezone.now()
    context = {
        "found": selectors.people_page(**wanted, at=now),
        "filters": wanted,
        "offices": selectors.all_offices(),
        "today": timezone.localdate(now),
    }
    return page(request, "rights", "rights", context)


@allowed("role.grant")
@require_safe
def roles(request: HttpRequest) -> HttpResponse:
    """The table of roles: what each may do."""
    known, permissions = selectors.roles(), selectors.permissions()
    table = [(p, [p.code in role.may for role in known]) for p in permissions.values()]
    return page(request, "roles", "roles", {"roles": known, "table": table})


@allowed("role.grant")
@require_safe
def person_rights(request: HttpRequest, pk: int) -> HttpResponse:
    return _person_rights(request, pk)


def _person_rights(request: HttpRequest, pk: int, refused: str = "") -> HttpResponse:
    person, now = found_person(pk), timezone.now()
    known, permissions = selectors.roles(), selectors.permissions()
    chosen = (
        request.POST.getlist("role") if request.method == "POST" and "role" in request.POST else person.roles
    )
    listed = [
        (role, role.code in chosen, [permissions[code] for code in role.may if code in permissions])
        for role in known
    ]
    context = {
        "person": person,
        "own": person.pk == person_of(request).pk,
        "business": [row for row in listed if row[0].kind == Role.Kind.BUSINESS],
        "administrators": [row for row in listed if row[0].kind == Role.Kind.ADMINISTRATOR],
        "factor": second_factor.confirmed(person),
        "recovery_left": second_factor.recovery_left(person),
        "certificates": person.certificates.all(),
        "has_certificate": gateway.has_certificate(person, at=now),
        "locked_until": lock.locked_until(person, at=now),
        "in_force": confidentiality.in_force(person, on=now),
        "agreements": person.confidentiality_agreements.all(),
        "issue": person.password_issues.filter(completed_at__isnull=True).select_related("opened_by").first(),
        "stays": selectors.recent_stays(person),
        "today": timezone.localdate(now),
        "refused": refused,
        "typed": request.POST,
    }
    return page(request, "person_rights", "rights", context, 409 if refused else 200)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("日期请写成 2026-11-05", "write dates as 2026-11-05") from None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


@allowed("role.grant")
@require_POST
def rights_act(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    person, post = found_person(pk), request.POST
    back = reverse("accounts:person_rights", args=[pk])
    common: dict[str, Any] = {"by": person_of(request), "pk": pk, "at": timezone.now()}
    question = _question(act, person.name, post)
    if question and not confirmed(request):
        title, consequence, verb = question
        return ask(request, "rights", title=title, consequence=consequence, verb=verb, back=back)
    try:
        if act == "roles":
            people.grant_roles(roles=post.getlist("role"), reason=post.get("reason", ""), **common)
        elif act == "password":
            made, half = people.complete_password_issue(**common)
            return page(request, "half", "rights", {"person": made, "half": half, "which": 2, "back": back})
        elif act == "unlock":
            people.unlock(**common)
        elif act == "session":
            people.end_session(**common)
        elif act == "factor":
            people.reset_second_factor(reason=post.get("reason", ""), **common)
        elif act == "certificate":
            people.register_certificate(
                issuer=post.get("issuer", ""),
                serial=post.get("serial", ""),
                valid_from=_date(post.get("valid_from", "")),
                valid_to=_date(post.get("valid_to", "")),
                **common,
            )
        elif act == "revoke":
            people.revoke_certificate(certificate=_number(post.get("certificate", "")), **common)
        elif act == "agreement":
            people.register_agreement(
                number=post.get("number", ""),
                signed_on=_date(post.get("signed_on", "")),
                valid_to=_date(post.get("valid_to", "")),
                **common,
            )
        elif act == "end_agreement":
            people.end_agreement(
                agreement=_number(post.get("agreement", "")), reason=post.get("reason", ""), **common
            )
        else:
            raise Http404
    except Refused as error:
        return _person_rights(request, pk, said(error))
    messages.success(request, _("已保存。"))
    return redirect(back)


def _question(act: str, name: str, post: Any) -> tuple[str, str, str] | None:
    """Title, consequence and verb of the acts that touch what the person is doing."""
    ends = _("正在进行的登录会结束，须重新登录。")
    if act == "roles" and post.get("reason", "").strip():
        chosen = set(post.getlist("role"))
        words = [pick(role.name_zh, role.name_en) for role in selectors.roles() if role.code in chosen]
        listed = pick("、", ", ").join(words) or _("无角色")
        return _("把 %(name)s 的角色改为：%(roles)s？") % {"name": name, "roles": listed}, ends, _("变更角色")
    if act == "password":
        return (
            _("核发 %(name)s 的一次性密码？") % {"name": name},
            _("原密码立即失效。下一页显示密码后半段，只显示一次；前半段由系统管理员当面交付。"),
            _("核发密码"),
        )
    if act == "factor" and post.get("reason", "").strip():
        return (
            _("重置 %(name)s 的第二因素？") % {"name": name},
            _("请先当面核验身份。动态口令和恢复码立即失效，下次登录须重新登记。"),
            _("重置第二因素"),
        )
    if act == "session":
        return _("结束 %(name)s 的登录？") % {"name": name}, ends, _("结束登录")
    if act == "revoke":
        return (
            _("注销 %(name)s 的这张证书？") % {"name": name},
            _("证书立即失效，正在进行的登录会结束。"),
            _("注销证书"),
        )
    if act == "end_agreement" and post.get("reason", "").strip():
        return (
            _("终止 %(name)s 的保密协议？") % {"name": name},
            _("没有其他有效协议时，该人员不能再登录。正在进行的登录会结束。"),
            _("终止协议"),
        )
    return None


@allowed("confidentiality.register")
@require_safe
def confidentiality_register(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "rows": selectors.agreement_rows(at=now),
        "without": list(confidentiality.people_without(now)),
        "soon": confidentiality.soon_over(now),
        "warn_days": confidentiality.warn_days(),
    }
    return page(request, "confidentiality", "confidentiality", context)
