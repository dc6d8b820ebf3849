"""Agencies hand files in: the body is streamed, sealed to the inner side, and answered before anything is read."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

from django.db import connections, transaction
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, parsers, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chuxiong.vault import envelope
from ingestion.api.problems import KeyReused, NotYet, TooLarge
from ingestion.api.schema import problems
from ingestion.api.signing import FRONT, AgencyCaller, SignedRequest
from ingestion.exchange import sealing
from ingestion.exchange.front import store
from ingestion.exchange.limits import LIMITS

_NAME_LENGTH = 120


class Unparsed(parsers.BaseParser):
    """The body stays a stream."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return {}


class Counted:
    """A readable stream under a cap, digested as it passes."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self._most = stream, most
        self.size, self._digest = 0, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.size += len(data)
        if self.size > self._most:
            raise TooLarge(f"文件超过 {self._most} 字节；更大的请用数据包报送。")
        self._digest.update(data)
        return data

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


class HandedIn(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="报送编号。Its number.")
    status_url = serializers.CharField(help_text="查询结果的地址。Where to ask what became of it.")
    feed = serializers.CharField(help_text="数据源代码。The feed's code.")
    sha256 = serializers.CharField(help_text="正文的 SHA-256。SHA-256 of the body.")
    size = serializers.IntegerField(help_text="字节数。Bytes.")
    first = serializers.BooleanField(
        help_text="false：同一 Idempotency-Key 此前已接收。False: received before under this key."
    )


class Outcome(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="报送编号。Its number.")
    state = serializers.CharField(
        help_text="waiting 待内侧取走，taking 接收中，done 已交接收，refused 已拒收。"
        "waiting to be fetched, taking, done, refused."
    )
    final = serializers.BooleanField(help_text="true：结果不再变化。True: this is the last word.")
    receipt = serializers.JSONField(
        allow_null=True,
        help_text="回执：逐个文件的结果，行数相加相等。The receipt: what became of each file, in counts that add up.",
    )


_HEADERS = [
    OpenApiParameter("feed", str, OpenApiParameter.PATH, description="数据源代码。The feed's code."),
    *(
        OpenApiParameter(name, str, OpenApiParameter.HEADER, required=needed, description=words)
        for name, needed, words in (
            ("Idempotency-Key", True, "本次报送的标识，重试时不变。Names this hand-over; the same when it is tried again."),
            ("X-Content-SHA256", True, "正文的 SHA-256（十六进制），签名串用它。SHA-256 of the body (hex), as signed."),
            ("X-File-Name", True, "文件名，UTF-8 百分号编码。The file's name, percent-encoded UTF-8."),
            ("X-Covers-Until", False, "数据截至日期，如 2026-10-31。The day up to which it is complete."),
            ("X-Snapshot", False, "true：全量，文件中没有的记录视为已不存在。True: what is not in it has ended."),
        )
    ),
]  # fmt: skip


class FeedFiles(APIView):
    """向一个数据源报送文件。"""

    authentication_classes = [SignedRequest]
    #: the body is not held in memory: see ``SignedRequest.digest_of``
    streamed = True
    permission_classes = [IsAuthenticated]
    parser_classes = [Unparsed]

    @extend_schema(
        operation_id="feeds_push",
        summary="报送文件 · Hand a file in",
        description="正文就是文件本身。收到即答 202，随后由内侧取走入库；结果用 `status_url` 查询。"
        "签名串中的正文摘要取 `X-Content-SHA256`。\n\n"
        "The body is the file itself. It is answered by 202 and fetched by the inner side afterwards; ask `status_url`"
        " what became of it. The digest in the string to sign is `X-Content-SHA256`.",
        parameters=_HEADERS,
        request={"application/octet-stream": bytes},
        responses={
            202: OpenApiResponse(HandedIn, "已接收。Received."),
            **problems(400, 401, 404, 413, 422, 503),
        },
    )
    def post(self, request: Request, feed: str) -> Response:
        caller = cast(AgencyCaller, request.user)
        head = _head(request, feed)
        key = request.headers.get("Idempotency-Key", "").strip()
        if not 8 <= len(key) <= 120 or not key.isascii():
            raise exceptions.ValidationError(
                {"Idempotency-Key": ["须为 8 至 120 个 ASCII 字符，每次报送不同。"]}
            )
        with connections[FRONT].cursor() as cursor:
            if store.feed(cursor, feed, agency=caller.agency) is None:
                raise Http404
            public = store.key(cursor, "inner")
        if public is None:
            raise NotYet
        item, first = _seal_and_lay_down(request, caller, head, key, public)
        if not first and item.request != _request_of(head):
            raise KeyReused
        body = {
            "id": item.code, "status_url": f"/api/v1/deliveries/{item.code}", "feed": item.head["feed"],
            "sha256": item.head["sha256"], "size": item.head["size"], "first": first,
        }  # fmt: skip
        return Response(
            body, status=202, headers={"Location": body["status_url"], "Cache-Control": "no-store"}
        )


def _head(request: Request, feed: str) -> dict[str, Any]:
    """What the headers say of the file; every fault at its header."""
    faults: dict[str, list[str]] = {}
    name = unquote(request.headers.get("X-File-Name", ""), errors="replace")
    if not 1 <= len(name) <= _NAME_LENGTH or Path(name).name != name or any(ord(c) < 32 for c in name):
        faults["X-File-Name"] = [f"须为 1 至 {_NAME_LENGTH} 个字符的文件名，不含路径。"]
    covers, snapshot = request.headers.get("X-Covers-Until", ""), request.headers.get("X-Snapshot", "false")
    try:
        covers = covers and date.fromisoformat(covers).isoformat()
    except ValueError:
        faults["X-Covers-Until"] = ["日期须写成 2026-10-31。"]
    if snapshot not in ("true", "false"):
        faults["X-Snapshot"] = ["只能是 true 或 false。"]
    if faults:
        raise exceptions.ValidationError(faults)
    digest = request.headers["X-Content-SHA256"].lower()
    return {
        "feed": feed,
        "name": name,
        "sha256": digest,
        "covers_until": covers,
        "snapshot": snapshot == "true",
    }


def _request_of(head: dict[str, Any]) -> str:
    said = "\n".join(str(head[k]) for k in ("feed", "name", "sha256", "covers_until", "snapshot"))
    return hashlib.sha256(said.encode()).hexdigest()


def _seal_and_lay_down(
    request: Request, caller: AgencyCaller, head: dict[str, Any], key: str, public: bytes
) -> tuple[store.Item, bool]:
    """The body sealed into the front's database; it is whole there, or nothing of it is."""
    code, data_key = uuid.uuid4(), envelope.new_data_key()
    source = Counted(cast(BinaryIO, request._request), LIMITS.push_bytes.value)
    with tempfile.TemporaryDirectory() as folder:
        sealed = Path(folder) / code.hex
        envelope.store(cast(BinaryIO, source), sealed, data_key)
        if source.digest != head["sha256"]:
            raise exceptions.ValidationError(
                {"X-Content-SHA256": ["与收到的正文不符，可能没有传完；请重新发送。"]}
            )
        with transaction.atomic(using=FRONT), connections[FRONT].cursor() as cursor:
            item, first = store.hand_in(
                cursor, code=code, kind="file", agency=caller.agency, client=caller.key, at=timezone.now(),
                head=head | {"size": source.size}, box=sealing.seal_key(public, data_key, code.hex),
                idempotency=key, request=_request_of(head),
            )  # fmt: skip
            if first:
                with sealed.open("rb") as stored:
                    for number, chunk in enumerate(iter(lambda: stored.read(store.CHUNK), b"")):
                        store.add_chunk(cursor, item.id, number, chunk)
    return item, first


class DeliveryStatus(APIView):
    """一次报送的结果。"""

    authentication_classes = [SignedRequest]
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="deliveries_read",
        summary="查询报送结果 · What became of a file",
        description="`final` 为 true 时结果不再变化。\n\nWith `final` true this is the last word.",
        parameters=[
            OpenApiParameter("code", uuid.UUID, OpenApiParameter.PATH, description="报送编号。Its number.")
        ],
        responses={200: OpenApiResponse(Outcome, "现状。As it stands."), **problems(401, 404)},
    )
    def get(self, request: Request, code: uuid.UUID) -> Response:
        with connections[FRONT].cursor() as cursor:
            item = store.handed_in(cursor, code, agency=cast(AgencyCaller, request.user).agency)
        if item is None:
            raise Http404
        receipt = item.status if item.status and "files" in item.status else None
        status = item.status or {"state": "waiting"}
        body = {
            "id": item.code, "state": status["state"], "receipt": receipt,
            "final": bool(receipt and receipt["final"]) or status["state"] == "refused",
        }  # fmt: skip
        if status.get("problem"):
            body["problem"] = status["problem"]
        return Response(body, headers={"Cache-Control": "no-store"})
