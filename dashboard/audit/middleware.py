"""Every request says from where it comes; an act whose trace cannot be written answers 503 and says so."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from chuxiong.audit.origin import Origin, coming_from
from chuxiong.audit.record import AuditUnavailable

# Product and version of what browsers and clients call themselves, the most telling first.
_PRODUCTS = re.compile(r"\b([\w-]+)/([\d.]+)")
_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "HeadlessChrome", "Safari")
_SYSTEMS = re.compile(r"Windows NT [\d.]+|Linux(?= x86| aarch| loong)|Android [\d.]+|Mac OS X|UOS|Kylin")


class AuditMiddleware:
    def __init__(self, respond: Callable[[HttpRequest], HttpResponse]) -> None:
        self.respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with coming_from(_origin(request)):
            return self.respond(request)

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
