"""The agencies' door: what was fed back to us, acknowledge, answer."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any, cast

from django.db import connections, transaction
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingestion.api.problems import NotYet, PreconditionFailed, PreconditionRequired
from ingestion.api.schema import problems
from ingestion.api.signing import FRONT, AgencyCaller, SignedRequest
from ingestion.exchange import sealing
from ingestion.exchange.front import store
from ingestion.exchange.front.store import LetterCopy
from supervision.api.schema import ETAG, IF_MATCH, NUMBER
from supervision.models import Letter

_PAGE = 50


@extend_schema_field({"type": "array", "items": {}})
class RowsField(serializers.JSONField):
    """Records as they were attached; their columns are the feed's."""


class LetterOut(serializers.ModelSerializer[Letter]):
    rows = RowsField(read_only=True, help_text="所附记录。The records attached.")
    answer_display = serializers.CharField(
        source="get_answer_display", read_only=True, help_text="答复的中文名称。The answer's name in Chinese."
    )

    class Meta:
        model = Letter
        fields = (
            "number",
            "subject",
            "text",
            "rows",
            "sent_at",
            "due_on",
            "acknowledged_at",
            "answer",
            "answer_display",
            "answer_text",
            "answered_at",
            "version",
            "updated_at",
        )
        read_only_fields = fields
        extra_kwargs = {
            "number": {"help_text": "编号。Number."},
            "subject": {"help_text": "事由。Subject."},
            "text": {"help_text": "正文。Text."},
            "sent_at": {"help_text": "发出时间。When it was sent."},
            "due_on": {"help_text": "答复期限。The answer is due by this day."},
            "acknowledged_at": {"help_text": "签收时间。When it was signed for."},
            "answer": {"help_text": "答复。The answer; empty until given."},
            "answer_text": {"help_text": "答复说明。Words to the answer."},
            "answered_at": {"help_text": "答复时间。When it was answered."},
            "version": {"help_text": "版本，即 ETag。Version, which is the ETag."},
            "updated_at": {"help_text": "最近变化。When it last changed."},
        }


class LetterPage(serializers.Serializer[Any]):
    items = LetterOut(many=True)
    next_cursor = serializers.IntegerField(
        allow_null=True, help_text="下一页的 cursor；null 为末页。Cursor of the next page; null at the end."
    )


class ListQuery(serializers.Serializer[Any]):
    updated_since = serializers.DateTimeField(
        required=False, help_text="只列此时之后有变化的。Only what has changed since."
    )
    cursor = serializers.IntegerField(
        required=False, min_value=0, max_value=2**62, help_text="上一页的 next_cursor。Of the page before."
    )


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses keys it does not know: a misspelt field must not pass as an empty one."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError({str(name): ["没有这个字段。"] for name in unknown})
        return super().to_internal_value(data)


class EmptyIn(StrictSerializer):
    """空对象；多余的字段不予受理。An empty object; unknown fields are refused."""


class AnswerIn(StrictSerializer):
    """一份答复；多余的字段不予受理。An answer; unknown fields are refused."""

    answer = serializers.ChoiceField(
        choices=Letter.Answer.choices,
        help_text="答复。The answer: corrected, partly corrected, more time asked, objection, not ours to answer, "
        "data in error.",
    )
    text = serializers.CharField(
        max_length=5000, allow_blank=True, required=False, default="", help_text="说明。Words to it."
    )


class AgencyView(APIView):
    authentication_classes = [SignedRequest]
    permission_classes = [IsAuthenticated]

    @staticmethod
    def _caller(request: Request) -> AgencyCaller:
        return cast(AgencyCaller, request.user)

    def _letter(self, request: Request, number: str, *, lock: bool = False) -> LetterCopy:
        with connections[FRONT].cursor() as cursor:
            copy = store.letter(cursor, number, agency=self._caller(request).agency, lock=lock)
        if copy is None:
            raise Http404
        return copy

    def _respond(self, copy: LetterCopy) -> Response:
        return Response(copy.document, headers={"ETag": f'"{copy.version}"', "Cache-Control": "no-store"})

    def _answer(self, request: Request, number: str, answer: str | None, text: str) -> Response:
        tag = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
        if not tag:
            raise PreconditionRequired
        if not tag.isascii() or not tag.isdigit() or len(tag) > 9:
            raise PreconditionFailed("If-Match 不是本接口给出的 ETag。")
        with transaction.atomic(using=FRONT):
            copy = self._letter(request, number, lock=True)
            said = copy.document
            if answer is None and said["acknowledged_at"]:
                return self._respond(copy)
            if answer is not None and (said["answer"], said["answer_text"]) == (answer, text):
                return self._respond(copy)
            if copy.version != int(tag):
                raise PreconditionFailed("内容已变化，请重新获取后再提交")
            copy = _hand_in(copy, self._caller(request), answer, text, timezone.now())
        return self._respond(copy)


def _hand_in(
    copy: LetterCopy, caller: AgencyCaller, answer: str | None, text: str, at: datetime
) -> LetterCopy:
    """The answer on the agency's own copy, and sealed on its way to the inner side, in one transaction."""
    moment, code = timezone.localtime(at).isoformat(), uuid.uuid4()
    said = {**copy.document, "version": copy.version + 1, "updated_at": moment}
    said["acknowledged_at"] = said["acknowledged_at"] or moment
    if answer is not None:
        said |= {
            "answer": answer, "answer_display": str(Letter.Answer(answer).label), "answer_text": text, "answered_at": moment
        }  # fmt: skip
    document = {"letter": copy.number, "version": copy.version, "answer": answer, "text": text}
    newer = LetterCopy(copy.id, copy.number, copy.agency, copy.version + 1, said)
    with connections[FRONT].cursor() as cursor:
        public = store.key(cursor, "inner")
        if public is None:
            raise NotYet
        store.write_letter(cursor, newer, updated_at=at)
        store.hand_in(
            cursor, code=code, kind="answer", agency=caller.agency, client=caller.key, at=at,
            head={"letter": copy.number}, box=sealing.seal_key(public, json.dumps(document).encode(), code.hex),
        )  # fmt: skip
    return newer


class LetterList(AgencyView):
    """反馈给本单位的事项（按编号递增，游标翻页）。"""

    @extend_schema(
        operation_id="letters_list",
        summary="列出反馈函 · List feedback letters",
        description="反馈给本单位的事项，按编号递增，每页 50 件。\n\n"
        "What was fed back to the calling agency, in order of number, 50 a page.",
        parameters=[ListQuery],
        responses={
            200: OpenApiResponse(LetterPage, "一页反馈函。One page of letters."),
            **problems(400, 401),
        },
    )
    def get(self, request: Request) -> Response:
        query = ListQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        with connections[FRONT].cursor() as cursor:
            letters = store.letters(
                cursor,
                agency=self._caller(request).agency,
                updated_since=query.validated_data.get("updated_since"),
                after=query.validated_data.get("cursor", 0),
                limit=_PAGE,
            )
        following = letters[-1].id if len(letters) == _PAGE else None
        return Response({"items": [copy.document for copy in letters], "next_cursor": following})


class LetterOne(AgencyView):
    """一件反馈事项。"""

    @extend_schema(
        operation_id="letters_read",
        summary="读取一件 · Read one letter",
        description="正文、所附记录、期限与本单位的答复。\n\nIts text, the records attached, its term and our answer.",
        parameters=[NUMBER, ETAG],
        responses={
            200: OpenApiResponse(LetterOut, "此件现状。The letter as it is now."),
            **problems(401, 404),
        },
    )
    def get(self, request: Request, number: str) -> Response:
        return self._respond(self._letter(request, number))


class Acknowledge(AgencyView):
    """签收。重复签收不改变任何内容。"""

    @extend_schema(
        operation_id="letters_acknowledge",
        summary="签收 · Sign for a letter",
        description="正文可为空或 `{}`。重复签收不改变任何内容。\n\nThe body may be empty or `{}`. Signing twice changes nothing.",
        parameters=[NUMBER, IF_MATCH, ETAG],
        request=EmptyIn,
        responses={
            200: OpenApiResponse(LetterOut, "此件现状。The letter as it is now."),
            **problems(400, 401, 404, 412, 428, 503),
        },
    )
    def post(self, request: Request, number: str) -> Response:
        EmptyIn(data=request.data).is_valid(raise_exception=True)
        return self._answer(request, number, None, "")


class Answer(AgencyView):
    """答复。同一答复重复提交不改变任何内容。"""

    @extend_schema(
        operation_id="letters_answer",
        summary="答复 · Answer a letter",
        description="答复即签收，不必先签收。已答复的可再次答复，以新的为准；同一答复重复提交不改变任何内容。\n\n"
        "Answering also signs for the letter. An answer may be replaced by a later one; the same answer given"
        " again changes nothing.",
        parameters=[NUMBER, IF_MATCH, ETAG],
        request=AnswerIn,
        responses={
            200: OpenApiResponse(LetterOut, "此件现状。The letter as it is now."),
            **problems(400, 401, 404, 412, 428, 503),
        },
    )
    def post(self, request: Request, number: str) -> Response:
        body = AnswerIn(data=request.data)
        body.is_valid(raise_exception=True)
        if "\x00" in body.validated_data["text"]:
            raise exceptions.ValidationError({"text": ["含有不可用的字符。"]})
        return self._answer(request, number, body.validated_data["answer"], body.validated_data["text"])
