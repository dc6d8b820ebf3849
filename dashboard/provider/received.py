"""我单位收到的事项: letters that were fed back to one's agency, for those without an interface of their own."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.models import Person
from dashboard.accounts.page import allowed
from dashboard.desk.page import person, pick
from dashboard.provider.records import workbook
from ingestion import selectors as ingestion
from ingestion.api.limits import LIMITS
from supervision import letters
from supervision.clues import actions


def frame(who: Person) -> dict[str, Any]:
    """What the portal's head shows to whoever may answer letters."""
    return {"letters_waiting": letters.waiting_count(who.agency) if who.may("received.read") else 0}


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    who = person(request)
    own = (f.agency for f in ingestion.catalog().values() if f.agency.code == who.agency)
    name = next((pick(a.zh, a.en) for a in own), "") or letters.name_of(who.agency) or who.agency
    head = {"here": "received", "agency_name": name, "today": timezone.localdate(), **frame(who)}
    return render(request, f"provider/{template}.html", head | context, status=status)


@allowed("received.read")
@require_safe
def received(request: HttpRequest) -> HttpResponse:
    only = request.GET.get("state") == "waiting"
    found = letters.received(person(request).agency, waiting=only)
    return _page(request, "received", {"letters": found, "only": only, "most": letters.MOST})


@allowed("received.read")
@require_safe
def letter(request: HttpRequest, number: str) -> HttpResponse:
    return _letter(request, number)


def _letter(request: HttpRequest, number: str, refused: str = "") -> HttpResponse:
    found = letters.received_one(person(request), number, at=timezone.now())
    if found is None:
        raise Http404
    context = {
        "l": found.letter,
        "answers": found.answers,
        "kinds": actions.answer_kinds(),
        "typed": request.POST,
        "refused": refused,
        "most": LIMITS.attachments.value,
        "megabytes": LIMITS.attachment_bytes.value >> 20,
        "types": LIMITS.attachment_types.value,
        "accept": ",".join(f".{t}" for t in LIMITS.attachment_types.value),
    }
    return _page(request, "letter", context, 409 if refused else 200)


@allowed("received.read")
@require_POST
def acknowledge(request: HttpRequest, number: str) -> HttpResponse:
    try:
        letters.sign(person(request), number, at=timezone.now(), version=_version(request))
    except actions.Refused as error:
        return _letter(request, number, pick(error.zh, error.en))
    messages.success(request, _("已签收"))
    return redirect("provider:letter", number)


@allowed("received.read")
@require_POST
def reply(request: HttpRequest, number: str) -> HttpResponse:
    post, most = request.POST, LIMITS.attachment_bytes.value
    try:
        uploads = [_content(file, most) for file in request.FILES.getlist("files")]
        letters.answer(
            person(request),
            number,
            at=timezone.now(),
            answer=post.get("answer", ""),
            text=post.get("answer_text", "").replace("\r\n", "\n"),
            until=_day(post.get("until", "")) if post.get("answer") == "extension" else None,
            uploads=uploads,
            version=_version(request),
        )
    except actions.Refused as error:
        return _letter(request, number, pick(error.zh, error.en))
    messages.success(request, _("答复已提交"))
    return redirect("provider:letter", number)


def _content(file: UploadedFile, most: int) -> tuple[str, bytes]:
    """Refused by its size before it is read."""
    name = (file.name or "")[-120:]
    if (file.size or 0) > most:
        raise actions.Refused(
            f"附件“{name[:40]}”超过 {most >> 20} MB；请压缩后再传",
            f"attachment “{name[:40]}” is larger than {most >> 20} MB",
        )
    return name, file.read()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


@allowed("received.read")
@require_safe
def file(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    found = letters.file_of_agency(person(request), str(code), at=timezone.now())
    if found is None:
        raise Http404
    return download(*found)


@allowed("received.read")
@require_POST
def records(request: HttpRequest, number: str) -> HttpResponse:
    found = letters.records_of_agency(person(request), number, at=timezone.now())
    if found is None:
        raise Http404
    return download(f"{number}.xlsx", workbook(found))


def download(name: str, content: bytes) -> HttpResponse:
    """Always to disk: what an agency attached is opened by no page of ours."""
    return HttpResponse(
        content,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": content_disposition_header(True, name),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
