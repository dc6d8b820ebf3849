"""Every request says from where it comes; an act whose trace cannot be written answers 503 and says so."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.audit.origin import Origin, coming_from
from chuxiong.audit.record import AuditUnavailable, record

logger = logging.getLogger(__name__)

# Product and version of what browsers and clients call themselves, the most telling first.
_PRODUCTS = re.compile(r"\b([\w-]+)/([\d.]+)")
_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "HeadlessChrome", "Safari")
_SYSTEMS = re.compile(r"Windows NT [\d.]+|Linux(?= x86| aarch| loong)|Android [\d.]+|Mac OS X|UOS|Kylin")


class AuditMiddleware:
    def __init__(self, respond: Callable[[HttpRequest], HttpResponse]) -> None:
        self.respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with coming_from(_origin(request)):
            response = self.respond(request)
            if response.status_code in (403, 404):
                _refused(request, response.status_code)
            return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, AuditUnavailable):
            return None
        response: HttpResponse
        if request.path.startswith("/api/"):
            body = {
                "type": "about:blank",
                "title": "审计不可用，操作未执行",
                "status": 503,
                "code": "audit_unavailable",
                "detail": f"{exception.zh} {exception.en}",
            }
            response = JsonResponse(body, status=503, content_type="application/problem+json")
        else:
            response = render(request, "audit/unavailable.html", status=503)
        response["Retry-After"] = "60"
        return response


#: doors behind which something out of sight answers as something that does not exist
_HIDING = {"desk:clue", "desk:peek", "desk:move", "desk:unmask", "desk:interference", "desk:disclosure"}


def _refused(request: HttpRequest, status: int) -> None:
    """A signed-in person was refused, or asked for something that is not there for them. The refusal itself stands,
    whether or not its trace can be written."""
    person, match = getattr(request, "user", None), request.resolver_match
    # The audit's own doors write their refusals themselves.
    if not isinstance(person, Person) or match is None or match.view_name.startswith("audit:"):
        return
    if status == 404 and match.view_name not in _HIDING:
        return
    sought = str(match.kwargs.get("number", match.kwargs.get("pk", "")))[:24] if status == 404 else ""
    try:
        record(
            at=timezone.now(),
            actor=person.username,
            office=person.office_id,
            action="access.refused" if status == 403 else "access.missed",
            object_kind="door" if status == 403 else match.view_name.removeprefix("desk:")[:40],
            object_ref=match.view_name if status == 403 else sought,
            detail={"method": request.method, "door": match.view_name},
        )
    except AuditUnavailable as error:
        logger.error("a refusal left no trace: %s", error)


def _origin(request: HttpRequest) -> Origin:
    """The address of the peer (uvicorn has put the proxy's word in its place only where the proxy is trusted)."""
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return Origin(
        ip=str(request.META.get("REMOTE_ADDR") or ""),
        device=_device(request.headers.get("User-Agent", "")),
        session=hashlib.sha256(f"audit:{session}".encode()).hexdigest()[:16] if session else "",
    )


def _device(agent: str) -> str:
    named = {name: version for name, version in _PRODUCTS.findall(agent)}
    product = next((n for n in _BROWSERS if n in named), next(iter(named), ""))
    system = _SYSTEMS.search(agent)
    version = named.get(product, "").split(".")[0]
    return " · ".join(part for part in (f"{product} {version}".strip(), system[0] if system else "") if part)[
        :120
    ]
