"""What was sent to us, as an agency asks: list, read, sign for, answer with attachments.

Feedback letters and data tickets are one resource; each copy says itself which answers it takes and what each needs, so the
front knows nothing of supervision.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from django.db import connections
from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.api.agency import AgencyView, caller, once
from ingestion.api.limits import LIMITS
from ingestion.api.problems import NotYet, PreconditionFailed, PreconditionRequired
from ingestion.api.schema import ETAG, IDEMPOTENCY_KEY, IF_MATCH, problems
from ingestion.api.signing import FRONT, AgencyCaller
from ingestion.exchange import sealing
from ingestion.exchange.front import received, store
from ingestion.exchange.front.own_key import own_key
from ingestion.exchange.front.received import Copy

#: which scope of a client each kind takes
SCOPE_OF = {"letter": "letters", "ticket": "data"}
_KINDS = [("letter", "反馈函"), ("ticket", "数据问题单")]
_STATES = [
    ("waiting", "待签收"),
    ("acknowledged", "已签收"),
    ("answered", "已答复"),
    ("closed", "已关闭"),
]

NUMBER = OpenApiParameter(
    "number",
    str,
    OpenApiParameter.PATH,
    description="编号，以 UTF-8 百分号编码写入路径。Its number, percent-encoded as UTF-8 in the path.",
)


class AnswerKindOut(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="答复代码。Code to send.")
    zh = serializers.CharField(help_text="中文名称。In Chinese.")
    en = serializers.CharField(help_text="英文名称。In English.")
    needs = serializers.ListField(
        child=serializers.CharField(),
        help_text="须填写的：text 说明，until 延至日期。What it needs: text, until (a date).",
    )


class FileOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="附件编号。Its number.")
    name = serializers.CharField(help_text="文件名。File name.")
    size = serializers.IntegerField(help_text="字节数。Bytes.")
    sha256 = serializers.CharField(help_text="SHA-256（十六进制）。In hex.")


class RecordsOut(serializers.Serializer[Any]):
    rows = serializers.IntegerField(help_text="行数。Rows.")
    media_type = serializers.CharField(help_text="格式。Media type.")
    path = serializers.CharField(help_text="读取地址。Where to read them.")


class ExtensionOut(serializers.Serializer[Any]):
    granted = serializers.BooleanField(help_text="是否同意。Whether it was granted.")
    asked_until = serializers.DateField(help_text="申请延至。The day that was asked for.")
    due_on = serializers.DateField(help_text="决定后的期限。The term from then on.")
    reason = serializers.CharField(help_text="理由；可为空。Why; may be empty.")
    decided_at = serializers.DateTimeField(help_text="决定时间。When it was decided.")


class ReceivedOut(serializers.Serializer[Any]):
    """一件收到的事项。One thing that was sent to us."""

    number = serializers.CharField(help_text="编号。Number.")
    kind = serializers.ChoiceField(choices=_KINDS, help_text="种类。Kind: feedback letter, data ticket.")
    state = serializers.ChoiceField(
        choices=_STATES, help_text="状态。To sign for, signed for, answered, closed."
    )
    subject = serializers.CharField(help_text="事由。Subject.")
    text = serializers.CharField(help_text="正文。Text.")
    feed = serializers.CharField(
        allow_null=True, help_text="所涉数据源（问题单）。The feed that a ticket is about."
    )
    records = RecordsOut(allow_null=True, help_text="所附记录。The records that go with it.")
    sent_at = serializers.DateTimeField(help_text="发出时间。When it was sent.")
    due_on = serializers.DateField(help_text="答复期限。The answer is due by this day.")
    acknowledged_at = serializers.DateTimeField(
        allow_null=True, help_text="签收时间。When it was signed for."
    )
    answers = AnswerKindOut(
        many=True, help_text="可选的答复；空为不再接受答复。Answers it takes; none: no more."
    )
    answer = serializers.CharField(help_text="答复代码；未答复为空。The answer's code; empty until given.")
    answer_text = serializers.CharField(help_text="答复说明。Words to the answer.")
    answer_until = serializers.DateField(allow_null=True, help_text="申请延至。Asked for until.")
    answer_files = FileOut(many=True, help_text="答复附件。Attachments of the answer.")
    answered_at = serializers.DateTimeField(allow_null=True, help_text="答复时间。When it was answered.")
    extension = ExtensionOut(
        allow_null=True,
        required=False,
        help_text="最近一次延期申请的决定；决定后仍须答复。What was last decided on a request for more time; an answer is still due.",
    )
    version = serializers.IntegerField(help_text="版本，即 ETag。Version, which is the ETag.")
    updated_at = serializers.DateTimeField(help_text="最近变化。When it last changed.")


class ReceivedPage(serializers.Serializer[Any]):
    items = ReceivedOut(many=True)
    next_cursor = serializers.IntegerField(
        allow_null=True, help_text="下一页的 cursor；null 为末页。Cursor of the next page; null at the end."
    )


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses keys it does not know: a misspelt field must not pass as an empty one."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError({str(name): ["没有这个字段。"] for name in unknown})
        return super().to_internal_value(data)


class ListQuery(StrictSerializer):
    kind = serializers.ChoiceField(choices=_KINDS, required=False, help_text="只列一种。Only one kind.")
    updated_since = serializers.DateTimeField(
        required=False, help_text="只列此时之后有变化的。Only what has changed since."
    )
    cursor = serializers.IntegerField(
        required=False, min_value=0, max_value=2**62, help_text="上一页的 next_cursor。Of the page before."
    )
    limit = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=LIMITS.page_most.value,
        help_text=f"每页件数，缺省 {LIMITS.page.value}。Items a page.",
    )


class EmptyIn(StrictSerializer):
    """空对象；多余的字段不予受理。An empty object; unknown fields are refused."""


class AnswerIn(StrictSerializer):
    """一份答复；多余的字段不予受理。An answer; unknown fields are refused."""

    answer = serializers.CharField(
        max_length=20, help_text="此件 answers 中的一个 code。One `code` of its `answers`."
    )
    text = serializers.CharField(
        max_length=5000, allow_blank=True, required=False, default="", help_text="说明。Words to it."
    )
    until = serializers.DateField(
        required=False, allow_null=True, default=None, help_text="申请延至的日期。Asked for until this day."
    )
    files = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        default=list,
        max_length=LIMITS.attachments.value,
        help_text="先行上传的附件编号。Attachments handed in before, by their `id`.",
    )


def kinds(who: AgencyCaller) -> list[str]:
    """Of what the client may see: data contact and business contact are separate addressees."""
    return [kind for kind, scope in SCOPE_OF.items() if scope in who.scopes]


def copy_of(cursor: store.Cursor, who: AgencyCaller, number: str, *, lock: bool = False) -> Copy:
    if "\x00" in number:
        raise Http404
    copy = received.one(cursor, number, agency=who.agency, kinds=kinds(who), lock=lock)
    if copy is None:
        raise Http404
    return copy


def _matched(request: Request, copy: Copy) -> None:
    """The caller has seen the copy as it is now."""
    tag = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if not tag:
        raise PreconditionRequired
    if tag != str(copy.version):
        raise PreconditionFailed("此件已变化，请看过 current 中的现状后再提交。", copy.document)


class ReceivedList(AgencyView):
    """本单位收到的事项。"""

    @extend_schema(
        operation_id="received_list",
        summary="列出收到的事项 · List what was received",
        description="反馈函和数据问题单，按送达先后排列，用 cursor 翻页；`updated_since` 只列其后有变化的。\n\n"
        "Feedback letters and data tickets in order of arrival, page by page through `cursor`; with `updated_since` only"
        " those that changed since.",
        parameters=[ListQuery],
        responses={200: OpenApiResponse(ReceivedPage, "一页。One page."), **problems(400)},
    )
    def get(self, request: Request) -> Response:
        query = ListQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked, may = query.validated_data, kinds(caller(request))
        limit = asked.get("limit", LIMITS.page.value)
        with connections[FRONT].cursor() as cursor:
            found = received.page(
                cursor,
                agency=caller(request).agency,
                kinds=[k for k in may if asked.get("kind", k) == k],
                updated_since=asked.get("updated_since"),
                after=asked.get("cursor", 0),
                limit=limit,
            )
        following = found[-1].seq if len(found) == limit else None
        return Response(
            {"items": [copy.document for copy in found], "next_cursor": following},
            headers={"Cache-Control": "no-store"},
        )


class ReceivedOne(AgencyView):
    """一件收到的事项。"""

    @extend_schema(
        operation_id="received_read",
        summary="读取一件 · Read one",
        description="正文、期限、可选的答复与本单位的答复。带 `If-None-Match` 而未变化时返回 304。\n\n"
        "Its text, its term, the answers it takes and ours. With `If-None-Match`, 304 says that nothing has changed.",
        parameters=[
            NUMBER,
            ETAG,
            OpenApiParameter(
                "If-None-Match",
                str,
                OpenApiParameter.HEADER,
                description="已有内容的 ETag。The ETag of what one has.",
            ),
        ],
        responses={
            200: OpenApiResponse(ReceivedOut, "此件现状。As it is now."),
            304: OpenApiResponse(description="没有变化。Nothing has changed."),
            **problems(404),
        },
    )
    def get(self, request: Request, number: str) -> Response:
        with connections[FRONT].cursor() as cursor:
            copy = copy_of(cursor, caller(request), number)
        headers = {"ETag": f'"{copy.version}"', "Cache-Control": "no-store"}
        if f'"{copy.version}"' in request.headers.get("If-None-Match", ""):
            return Response(status=304, headers=headers)
        return Response(copy.document, headers=headers)


class Records(AgencyView):
    """一件所附的记录。"""

    @extend_schema(
        operation_id="received_records",
        summary="读取所附记录 · Read its records",
        description="反馈函附带的记录为 JSON（列、行、依据的协议条款）；问题单附带的是本单位未能入库的行，为 .xlsx。\n\n"
        "Records with a letter come as JSON (columns, rows, the clause that lets each leave); those with a ticket are the"
        " agency's own rows that could not be entered, as .xlsx.",
        parameters=[NUMBER],
        responses={
            (200, "application/json"): OpenApiResponse(OpenApiTypes.OBJECT, "记录。The records."),
            (200, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"): OpenApiResponse(
                OpenApiTypes.BINARY, "表格。A workbook."
            ),
            **problems(404),
        },
    )
    def get(self, request: Request, number: str) -> HttpResponse:
        with connections[FRONT].cursor() as cursor:
            copy = copy_of(cursor, caller(request), number)
        if copy.box is None or not copy.document["records"]:
            raise Http404
        content = sealing.open_key(own_key(), copy.box, received.place(copy.number))
        answer = HttpResponse(content, content_type=copy.document["records"]["media_type"])
        answer["Cache-Control"] = "no-store"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer


class Acknowledge(AgencyView):
    """签收。重复签收不改变任何内容。"""

    @extend_schema(
        operation_id="received_acknowledge",
        summary="签收 · Sign for it",
        description="正文可为空或 `{}`。重复签收不改变任何内容。\n\nThe body may be empty or `{}`. Signing twice changes nothing.",
        parameters=[NUMBER, IF_MATCH, IDEMPOTENCY_KEY, ETAG],
        request=EmptyIn,
        responses={
            200: OpenApiResponse(ReceivedOut, "此件现状。As it is now."),
            **problems(400, 404, 412, 415, 422, 428),
        },
    )
    def post(self, request: Request, number: str) -> Response:
        EmptyIn(data=request.data).is_valid(raise_exception=True)
        who = caller(request)

        def act(cursor: store.Cursor) -> tuple[dict[str, Any], str]:
            copy = copy_of(cursor, who, number, lock=True)
            if not copy.document["acknowledged_at"]:
                _matched(request, copy)
                copy = _hand_in(cursor, copy, who, {"answer": None}, timezone.now())
            elif not request.headers.get("If-Match"):
                raise PreconditionRequired
            return copy.document, str(copy.version)

        return once(request, act)


class Answer(AgencyView):
    """答复。"""

    @extend_schema(
        operation_id="received_answer",
        summary="答复 · Answer it",
        description="`answer` 取此件 `answers` 中的一个；其 `needs` 列出须填写的字段。答复即签收，不必先签收。已答复的可再次答复，"
        "以新的为准，先前的答复留存备查。附件先上传，再在 `files` 中列出。\n\n"
        "`answer` is one of its `answers`, whose `needs` names the fields it takes. Answering also signs for it. An answer"
        " may be replaced by a later one; earlier ones are kept. Attachments are handed in first and named in `files`.",
        parameters=[NUMBER, IF_MATCH, IDEMPOTENCY_KEY, ETAG],
        request=AnswerIn,
        responses={
            200: OpenApiResponse(ReceivedOut, "此件现状。As it is now."),
            **problems(400, 404, 412, 415, 422, 428),
        },
    )
    def post(self, request: Request, number: str) -> Response:
        body = AnswerIn(data=request.data)
        body.is_valid(raise_exception=True)
        said, who = body.validated_data, caller(request)

        def act(cursor: store.Cursor) -> tuple[dict[str, Any], str]:
            copy = copy_of(cursor, who, number, lock=True)
            _fitting(copy, said)
            files = _files(cursor, copy, who, said["files"])
            document = copy.document
            until = said["until"].isoformat() if said["until"] else None
            same = (
                document["answer"], document["answer_text"], document["answer_until"], document["answer_files"]
            ) == (said["answer"], said["text"], until, files)  # fmt: skip
            if same and request.headers.get("If-Match"):
                return document, str(copy.version)
            _matched(request, copy)
            answer = {"answer": said["answer"], "text": said["text"], "until": until, "files": files}
            copy = _hand_in(cursor, copy, who, answer, timezone.now())
            return copy.document, str(copy.version)

        return once(request, act)


def _fitting(copy: Copy, said: dict[str, Any]) -> None:
    """The answer is one that this copy takes, with what it needs; every fault at its field."""
    taken = {kind["code"]: kind for kind in copy.document["answers"]}
    faults: dict[str, list[str]] = {}
    if "\x00" in said["text"]:
        faults["text"] = ["含有不可用的字符。"]
    kind = taken.get(said["answer"])
    if kind is None:
        words = "、".join(f"{code}（{k['zh']}）" for code, k in taken.items())
        faults["answer"] = [f"此件可选：{words}。" if words else "此件已不接受答复。"]
    else:
        if "text" in kind["needs"] and not said["text"].strip():
            faults["text"] = [f"“{kind['zh']}”须写明说明。"]
        if "until" in kind["needs"]:
            if said["until"] is None:
                faults["until"] = [f"“{kind['zh']}”须写明日期。"]
            elif said["until"].isoformat() <= copy.document["due_on"]:
                faults["until"] = [f"须晚于现在的期限 {copy.document['due_on']}。"]
        elif said["until"] is not None:
            faults["until"] = [f"“{kind['zh']}”没有这一项。"]
    if len(set(said["files"])) < len(said["files"]):
        faults["files"] = ["同一附件列了两次。"]
    if faults:
        raise exceptions.ValidationError(faults)


def _files(
    cursor: store.Cursor, copy: Copy, who: AgencyCaller, wanted: list[uuid.UUID]
) -> list[dict[str, Any]]:
    """The attachments as they were handed in for this copy by this agency."""
    held = store.attachments(cursor, wanted, number=copy.number, agency=who.agency)
    if missing := [str(code) for code in wanted if code not in held]:
        raise exceptions.ValidationError({"files": [f"没有为此件上传过附件 {code}。" for code in missing]})
    return [{"id": str(code), **{k: held[code][k] for k in ("name", "size", "sha256")}} for code in wanted]


def _hand_in(
    cursor: store.Cursor, copy: Copy, who: AgencyCaller, answer: dict[str, Any], at: datetime
) -> Copy:
    """The answer on the agency's own copy, and sealed on its way to the inner side, in one transaction."""
    public = store.key(cursor, "inner")
    if public is None:
        raise NotYet
    moment, code = timezone.localtime(at).isoformat(), uuid.uuid4()
    said = {**copy.document, "version": copy.version + 1, "updated_at": moment}
    said["acknowledged_at"] = said["acknowledged_at"] or moment
    if answer["answer"] is None:
        said["state"] = "acknowledged"
    else:
        said |= {
            "state": "answered", "answer": answer["answer"], "answer_text": answer["text"],
            "answer_until": answer["until"], "answer_files": answer["files"], "answered_at": moment,
        }  # fmt: skip
    document = {"kind": copy.kind, "number": copy.number, "version": copy.version, **answer}
    newer = Copy(copy.number, copy.kind, copy.agency, copy.version + 1, said, copy.mark, copy.box, copy.seq)
    received.write(cursor, newer, updated_at=at)
    store.hand_in(
        cursor, code=code, kind="answer", agency=who.agency, client=who.key, at=at,
        head={"number": copy.number, "kind": copy.kind},
        box=sealing.seal_key(public, json.dumps(document).encode(), code.hex),
    )  # fmt: skip
    return newer
