"""The system administrator's pages: people, offices, duty posts. No rights are given here."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts import people, selectors
from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed, ask, confirmed, page, person_of, said
from ingestion import selectors as ingestion


def filters(request: HttpRequest) -> dict[str, Any]:
    """Text, office, state and page of a list of people."""
    get, number = request.GET, request.GET.get("page", "1")
    return {
        "text": get.get("text", "").replace("\x00", "").strip()[:40],
        "office": get.get("office", "")[:6],
        "state": get.get("state", "active")[:10],
        "page": int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1,
    }


def found_person(pk: int) -> Person:
    person = Person.objects.select_related("office", "department").filter(pk=pk).first()
    if person is None:
        raise Http404
    return person


@allowed("person.manage")
@require_safe
def people_list(request: HttpRequest) -> HttpResponse:
    wanted = filters(request)
    context = {
        "found": selectors.people_page(**wanted, at=timezone.now()),
        "filters": wanted,
        "offices": selectors.all_offices(),
    }
    return page(request, "people", "people", context)


@allowed("person.manage")
def person_new(request: HttpRequest) -> HttpResponse:
    refused, post = "", request.POST
    agencies = ingestion.agencies()
    if request.method == "POST":
        office, _sep, department = post.get("place", "").partition("/")
        agency = post.get("agency", "")
        try:
            if agency and agency not in dict(agencies):
                raise Refused("没有这个数据提供单位", "no such data provider")
            person, half = people.create(
                by=person_of(request),
                username=post.get("username", ""),
                name=post.get("name", ""),
                office=office,
                department=department,
                agency=agency,
                at=timezone.now(),
            )
        except Refused as error:
            refused = said(error)
        else:
            return _half(request, person, half)
    context = {
        "refused": refused,
        "typed": post,
        "offices": selectors.all_offices(),
        "agencies": agencies,
    }
    return page(request, "person_new", "people", context, 409 if refused else 200)


def _half(request: HttpRequest, person: Person, half: str) -> HttpResponse:
    context = {
        "person": person,
        "half": half,
        "which": 1,
        "back": reverse("accounts:person", args=[person.pk]),
    }
    return page(request, "half", "people", context)


@allowed("person.manage")
@require_safe
def person_page(request: HttpRequest, pk: int) -> HttpResponse:
    return _person_page(request, pk)


def _person_page(request: HttpRequest, pk: int, refused: str = "") -> HttpResponse:
    person = found_person(pk)
    unit = person.department.code if person.department else ""
    context = {
        "person": person,
        "place": request.POST.get("place", f"{person.office_id}/{unit}"),
        "own": person.pk == person_of(request).pk,
        "roles": selectors.roles_of(person),
        "offices": selectors.all_offices(),
        "issue_open": person.password_issues.filter(completed_at__isnull=True).exists(),
        "refused": refused,
        "typed": request.POST,
    }
    return page(request, "person", "people", context, 409 if refused else 200)


@allowed("person.manage")
@require_POST
def person_act(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    person, by, now, post = found_person(pk), person_of(request), timezone.now(), request.POST
    back = reverse("accounts:person", args=[pk])
    try:
        if act == "details":
            office, _sep, department = post.get("place", "").partition("/")
            people.change_details(
                by=by, pk=pk, name=post.get("name", ""), office=office, department=department, at=now
            )
            messages.success(request, _("已保存。"))
        elif act == "leave":
            if post.get("reason", "").strip() and not confirmed(request):
                return ask(
                    request,
                    "people",
                    title=_("停用 %(name)s 的账号？") % {"name": person.name},
                    consequence=_(
                        "登录、角色、证书和第二因素立即失效，正在进行的操作会中断。其在办线索列入所在院的移交清单。账号和操作记录保留。"
                    ),
                    verb=_("停用账号"),
                    back=back,
                )
            people.leave(by=by, pk=pk, reason=post.get("reason", ""), at=now)
            messages.success(request, _("账号已停用，登录已结束。"))
        elif act == "return":
            return _half(request, *people.come_back(by=by, pk=pk, at=now))
        elif act == "password":
            return _half(request, *people.open_password_issue(by=by, pk=pk, at=now))
        else:
            raise Http404
    except Refused as error:
        return _person_page(request, pk, said(error))
    return redirect(back)


@allowed("office.manage")
def offices(request: HttpRequest) -> HttpResponse:
    refused, post = "", request.POST
    if request.method == "POST":
        by, now = person_of(request), timezone.now()
        try:
            if post.get("act") == "office":
                people.create_office(
                    by=by,
                    code=post.get("code", "").strip(),
                    zh=post.get("zh", ""),
                    en=post.get("en", ""),
                    short_zh=post.get("short_zh", ""),
                    short_en=post.get("short_en", ""),
                    at=now,
                )
            else:
                people.save_department(
                    by=by,
                    office=post.get("office", ""),
                    code=post.get("code", "").strip(),
                    zh=post.get("zh", ""),
                    en=post.get("en", ""),
                    at=now,
                )
        except Refused as error:
            refused = said(error)
        else:
            messages.success(request, _("已保存。"))
            return redirect("accounts:offices")
    context = {"offices": selectors.all_offices(), "refused": refused, "typed": post}
    return page(request, "offices", "offices", context, 409 if refused else 200)


@allowed("duty_post.manage")
def posts(request: HttpRequest) -> HttpResponse:
    refused, post = "", request.POST
    if request.method == "POST":
        by, now, act = person_of(request), timezone.now(), post.get("act", "")
        number = post.get("post", "")
        pk = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
        try:
            if act == "create":
                made = people.create_duty_post(
                    by=by, office=post.get("office", ""), zh=post.get("zh", ""), en=post.get("en", ""), at=now
                )
                return page(request, "pairing", "posts", {"post": made[0], "code": made[1]})
            if act in ("pair", "revoke") and not confirmed(request):
                verb = _("重新配对") if act == "pair" else _("停用值班席")
                return ask(
                    request,
                    "posts",
                    title=verb + _("？"),
                    consequence=_("原终端立即失去值班席身份，正在其上登录的人员会退出。"),
                    verb=verb,
                    back=reverse("accounts:posts"),
                )
            if act == "pair":
                made = people.pair_again(by=by, pk=pk, at=now)
                return page(request, "pairing", "posts", {"post": made[0], "code": made[1]})
            if act == "revoke":
                people.revoke_duty_post(by=by, pk=pk, at=now)
                messages.success(request, _("值班席已停用。"))
                return redirect("accounts:posts")
        except Refused as error:
            refused = said(error)
    context = {
        "posts": selectors.duty_posts(),
        "offices": selectors.all_offices(),
        "refused": refused,
        "typed": post,
        "now": timezone.now(),
    }
    return page(request, "posts", "posts", context, 409 if refused else 200)
