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
from rest_framework.request import Request
from rest_framework.response import Response

from chuxiong.vault import envelope
from ingestion.api import limits
from ingestion.api.agency import AgencyView, caller, idempotency_key
from ingestion.api.problems import Conflict, KeyReused, NotYet, TooLarge
from ingestion.api.received import NUMBER, FileOut, copy_of
from ingestion.api.schema import IDEMPOTENCY_KEY, problems
from ingestion.api.signing import FRONT, AgencyCaller
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

    def __init__(self, stream: BinaryIO, most: int, cure: str) -> None:
        self._stream, self._most, self._cure = stream, most, cure
        self.size, self._digest = 0, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.size += len(data)
        if self.size > self._most:
            raise TooLarge(f"文件超过 {self._most} 字节。{self._cure}")
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
    problem = serializers.JSONField(
        required=False, help_text="仅 refused：位置、原因和办法。With refused only: where, why, what to do."
    )


_FEED = OpenApiParameter("feed", str, OpenApiParameter.PATH, description="数据源代码。The feed's code.")
_DIGEST = OpenApiParameter(
    "X-Content-SHA256", {"type": "string", "pattern": "^[0-9a-f]{64}$"}, OpenApiParameter.HEADER, required=True,
    description="正文的 SHA-256（十六进制），签名串用它。SHA-256 of the body (hex), as signed.",
)  # fmt: skip
_NAME = OpenApiParameter(
    "X-File-Name", {"type": "string", "pattern": "^[!-~]+$"}, OpenApiParameter.HEADER, required=True,
    description="文件名，UTF-8 百分号编码。The file's name, percent-encoded UTF-8.",
)  # fmt: skip
_HEADERS = [
    _FEED,
    IDEMPOTENCY_KEY,
    _DIGEST,
    _NAME,
    *(
        OpenApiParameter(name, str, OpenApiParameter.HEADER, required=needed, description=words)
        for name, needed, words in (
            ("X-Covers-Until", False, "数据截至日期，如 2026-10-31。The day up to which it is complete."),
            (
                "X-Snapshot", False,
                "true：全量，文件中没有的记录视为已不存在；false：增量或更正；不写则按该数据源约定的方式。"
                "True: what is not in it has ended; false: an addition or correction; left out: as agreed for the feed.",
            ),
        )
    ),
]  # fmt: skip


class FeedFiles(AgencyView):
    """向一个数据源报送文件。"""

    scopes = frozenset({"data"})
    counted_as = "uploads"
    #: the body is not held in memory: see ``SignedRequest.digest_of``
    streamed = True
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
            **problems(400, 404, 413, 422),
        },
    )
    def post(self, request: Request, feed: str) -> Response:
        who, head, key = caller(request), _head(request, feed), idempotency_key(request)
        with connections[FRONT].cursor() as cursor:
            if store.feed(cursor, feed, agency=who.agency) is None:
                raise Http404
        source = Counted(_stream(request), LIMITS.push_bytes.value, "更大的请用数据包报送。")
        item, first = _seal_and_lay_down(source, who, "file", head, key)
        body = {
            "id": item.code, "status_url": f"/api/v1/deliveries/{item.code}", "feed": item.head["feed"],
            "sha256": item.head["sha256"], "size": item.head["size"], "first": first,
        }  # fmt: skip
        return Response(
            body, status=202, headers={"Location": body["status_url"], "Cache-Control": "no-store"}
        )


def _stream(request: Request) -> BinaryIO:
    return cast(BinaryIO, request._request)


def _named(request: Request, faults: dict[str, list[str]]) -> str:
    name = unquote(request.headers.get("X-File-Name", ""), errors="replace")
    if not 1 <= len(name) <= _NAME_LENGTH or Path(name).name != name or any(ord(c) < 32 for c in name):
        faults["X-File-Name"] = [f"须为 1 至 {_NAME_LENGTH} 个字符的文件名，不含路径。"]
    return name


def _head(request: Request, feed: str) -> dict[str, Any]:
    """What the headers say of the file; every fault at its header."""
    faults: dict[str, list[str]] = {}
    name = _named(request, faults)
    covers, snapshot = request.headers.get("X-Covers-Until", ""), request.headers.get("X-Snapshot", "")
    try:
        day = date.fromisoformat(covers) if covers else None
    except ValueError:
        faults["X-Covers-Until"] = ["日期须写成 2026-10-31。"]
    else:
        covers = day.isoformat() if day else ""
        if day and day > timezone.localdate():
            faults["X-Covers-Until"] = ["不能晚于今天：数据只能完整到已经过去的日期。"]
    if snapshot not in ("", "true", "false"):
        faults["X-Snapshot"] = ["只能是 true 或 false。"]
    if faults:
        raise exceptions.ValidationError(faults)
    digest = request.headers["X-Content-SHA256"].lower()
    return {
        "feed": feed,
        "name": name,
        "sha256": digest,
        "covers_until": covers,
        "snapshot": snapshot == "true" if snapshot else None,
    }


def _request_of(head: dict[str, Any]) -> str:
    said = "\n".join(
        str(head[k]) for k in ("feed", "number", "name", "sha256", "covers_until", "snapshot") if k in head
    )
    return hashlib.sha256(said.encode()).hexdigest()


def _seal_and_lay_down(
    source: Counted, who: AgencyCaller, kind: str, head: dict[str, Any], key: str
) -> tuple[store.Item, bool]:
    """The body sealed into the front's database; it is whole there, or nothing of it is. (item, is it new)"""
    with connections[FRONT].cursor() as cursor:
        public = store.key(cursor, "inner")
    if public is None:
        raise NotYet
    code, data_key = uuid.uuid4(), envelope.new_data_key()
    with tempfile.TemporaryDirectory() as folder:
        sealed = Path(folder) / code.hex
        envelope.store(cast(BinaryIO, source), sealed, data_key)
        if source.digest != head["sha256"]:
            raise exceptions.ValidationError(
                {"X-Content-SHA256": ["与收到的正文不符，可能没有传完；请重新发送。"]}
            )
        with transaction.atomic(using=FRONT), connections[FRONT].cursor() as cursor:
            item, first = store.hand_in(
                cursor, code=code, kind=kind, agency=who.agency, client=who.key, at=timezone.now(),
                head=head | {"size": source.size}, box=sealing.seal_key(public, data_key, code.hex),
                idempotency=key, request=_request_of(head),
            )  # fmt: skip
            if first:
                with sealed.open("rb") as stored:
                    for number, chunk in enumerate(iter(lambda: stored.read(store.CHUNK), b"")):
                        store.add_chunk(cursor, item.id, number, chunk)
    if not first and (item.kind, item.request) != (kind, _request_of(head)):
        raise KeyReused
    return item, first


class AnswerFiles(AgencyView):
    """为一件事项的答复上传附件。"""

    counted_as = "uploads"
    streamed = True
    parser_classes = [Unparsed]

    @extend_schema(
        operation_id="received_files",
        summary="上传答复附件 · Hand in an attachment",
        description=f"正文就是附件本身，每件至多 {limits.LIMITS.attachment_bytes.value} 字节；"
        f"可用格式：{'、'.join(limits.LIMITS.attachment_types.value)}。返回的 `id` 写入答复的 `files`。\n\n"
        "The body is the attachment itself; name the `id` that is answered in the answer's `files`.",
        parameters=[NUMBER, IDEMPOTENCY_KEY, _DIGEST, _NAME],
        request={"application/octet-stream": bytes},
        responses={
            201: OpenApiResponse(FileOut, "已接收。Received."),
            **problems(400, 404, 409, 413, 422),
        },
    )
    def post(self, request: Request, number: str) -> Response:
        who, key = caller(request), idempotency_key(request)
        faults: dict[str, list[str]] = {}
        name, types = _named(request, faults), limits.LIMITS.attachment_types.value
        if not faults and Path(name).suffix.lower().removeprefix(".") not in types:
            faults["X-File-Name"] = [f"附件须为 {'、'.join(types)} 之一。"]
        if faults:
            raise exceptions.ValidationError(faults)
        with connections[FRONT].cursor() as cursor:
            copy = copy_of(cursor, who, number)
        if copy.kind != "letter":
            raise Conflict("问题单的答复不附文件：更正后的数据请按数据源重新报送。")
        head = {"number": copy.number, "name": name, "sha256": request.headers["X-Content-SHA256"].lower()}
        source = Counted(_stream(request), limits.LIMITS.attachment_bytes.value, "请压缩扫描件后再传。")
        item, _first = _seal_and_lay_down(source, who, "attachment", head, key)
        body = {"id": item.code, **{k: item.head[k] for k in ("name", "size", "sha256")}}
        return Response(body, status=201, headers={"Cache-Control": "no-store"})


class Landing(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="数据源代码。Its code.")
    title_zh = serializers.CharField(help_text="中文名称。In Chinese.")
    title_en = serializers.CharField(help_text="英文名称。In English.")
    cadence = serializers.CharField(help_text="约定的报送周期。How often it is agreed to come.")
    state = serializers.ChoiceField(
        choices=[("ok", "正常"), ("late", "迟报"), ("silent", "中断"), ("never", "未报送")],
        help_text="现状。How it stands: in time, late, silent, none yet.",
    )
    covers_until = serializers.DateField(allow_null=True, help_text="数据截至。Complete up to this day.")
    expected_by = serializers.DateField(allow_null=True, help_text="下一次应在此前报送。The next is due by.")
    landed_at = serializers.DateTimeField(allow_null=True, help_text="最近入库。When it last landed.")
    rows_last = serializers.IntegerField(help_text="最近一次接收的行数。Rows received with it.")
    quarantined_last = serializers.IntegerField(help_text="其中隔离的行数。Of these, rows in quarantine.")
    issues = serializers.IntegerField(help_text="未解决的格式问题。Open issues of its layout.")


class FeedsOut(serializers.Serializer[Any]):
    items = Landing(many=True)


class Feeds(AgencyView):
    """本单位的数据源及报送情况。"""

    scopes = frozenset({"data"})

    @extend_schema(
        operation_id="feeds_list",
        summary="本单位报送情况 · How our feeds stand",
        description="本单位各数据源：截至日期、应报日期、最近一次入库的行数。\n\n"
        "The agency's own feeds: covered until, expected by, rows of the last landing.",
        responses={200: OpenApiResponse(FeedsOut, "本单位的数据源。The agency's feeds."), **problems()},
    )
    def get(self, request: Request) -> Response:
        with connections[FRONT].cursor() as cursor:
            found = store.feeds(cursor, agency=caller(request).agency)
        return Response({"items": found}, headers={"Cache-Control": "no-store"})


class DeliveryStatus(AgencyView):
    """一次报送的结果。"""

    scopes = frozenset({"data"})

    @extend_schema(
        operation_id="deliveries_read",
        summary="查询报送结果 · What became of a file",
        description="`final` 为 true 时结果不再变化。\n\nWith `final` true this is the last word.",
        parameters=[
            OpenApiParameter("code", uuid.UUID, OpenApiParameter.PATH, description="报送编号。Its number.")
        ],
        responses={200: OpenApiResponse(Outcome, "现状。As it stands."), **problems(404)},
    )
    def get(self, request: Request, code: uuid.UUID) -> Response:
        with connections[FRONT].cursor() as cursor:
            item = store.handed_in(cursor, code, agency=caller(request).agency)
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
