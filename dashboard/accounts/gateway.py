"""The gateway's headers: taken off every request before anything else looks, believed only with their proof."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from chuxiong.accounts import gateway


class GatewayMiddleware:
    """Sets ``request.certificate`` to a ``gateway.Presented`` or None."""

    def __init__(self, respond: Callable[[HttpRequest], HttpResponse]) -> None:
        self.respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        values = {
            name: request.META.pop("HTTP_" + header.upper().replace("-", "_"), "")
            for name, header in settings.GATEWAY_HEADERS.items()
        }
        request.certificate = None  # type: ignore[attr-defined]
        if settings.GATEWAY_MODE != "off" and any(values.values()):
            request.certificate = gateway.believe(  # type: ignore[attr-defined]
                gateway.Reported(**values),
                mode=settings.GATEWAY_MODE,
                secret=settings.GATEWAY_SECRET,
                method=request.method or "",
                path=request.get_full_path(),
                peer=request.META.get("REMOTE_ADDR", ""),
                at=timezone.now(),
            )
        return self.respond(request)
