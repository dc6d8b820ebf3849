"""The frame of every request of an agency's machine: signed, counted, within its scopes, each one once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.db import connections, transaction
from django.utils import timezone
from rest_framework import exceptions, throttling
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingestion.api import limits
from ingestion.api.problems import KeyReused, OutOfScope
from ingestion.api.signing import FRONT, AgencyCaller, SignedRequest
from ingestion.exchange.front import replies, store


class Counted(throttling.BaseThrottle):
    """Requests of one client against ``limits.yaml``; kept in the database, so that every process counts together."""

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        name = getattr(view, "counted_as", "requests")
        rate: limits.Rate = getattr(limits.LIMITS, name)
        with transaction.atomic(using=FRONT), connections[FRONT].cursor() as cursor:
            self._wait = replies.count(
                cursor, caller(request).key, name, most=rate.most, per=rate.per, at=timezone.now()
            )
        return not self._wait

    def wait(self) -> float | None:
        return self._wait


class AgencyView(APIView):
    """``scopes`` names what the client must be for; one of them will do."""

    authentication_classes = [SignedRequest]
    permission_classes = [IsAuthenticated]
    throttle_classes = [Counted]
    scopes: ClassVar[frozenset[str]] = frozenset({"data", "letters"})

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if not self.scopes & caller(request).scopes:
            raise OutOfScope


def caller(request: Request) -> AgencyCaller:
    return cast(AgencyCaller, request.user)


def idempotency_key(request: Request) -> str:
    """The header that names the request; the same when it is tried again."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if not 8 <= len(key) <= 120 or not key.isascii() or not key.isprintable():
        raise exceptions.ValidationError(
            {"Idempotency-Key": ["须为 8 至 120 个 ASCII 字符，每次提交不同，重试时不变。"]}
        )
    return key


Act = Callable[[store.Cursor], tuple[dict[str, Any], str]]


def once(request: Request, act: Act) -> Response:
    """Do ``act`` under the request's key, in one transaction with the memory of its answer (body, ETag).

    The key again with the same request gives the same answer and does nothing; with another request it is refused. What
    is refused is not remembered: it changed nothing.
    """
    client, key = caller(request).key, idempotency_key(request)
    said = "\n".join([request.method or "", request.path, hashlib.sha256(request.body).hexdigest()])
    request_digest = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()
    with transaction.atomic(using=FRONT), connections[FRONT].cursor() as cursor:
        earlier = replies.claim(cursor, client, key, request_digest, at=timezone.now())
        if earlier is None:
            body, tag = act(cursor)
            replies.keep(cursor, client, key, status=200, body=body, tag=tag)
        elif earlier.request != request_digest:
            raise KeyReused
        else:
            body, tag = earlier.body, earlier.tag
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-store"}
    if earlier is not None:
        headers["Idempotency-Replayed"] = "true"
    return Response(body, headers=headers)
