"""The agencies' door: what was fed back to us, acknowledge, answer."""

from __future__ import annotations

from typing import Any, cast

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from supervision import selectors
from supervision.api.problems import Conflict, PreconditionFailed, PreconditionRequired
from supervision.api.schema import ETAG, IF_MATCH, NUMBER, problems
from supervision.api.signing import AgencyCaller, SignedRequest, set_agency_scope
from supervision.clues import actions
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

    def _letter(self, request: Request, number: str) -> Letter:
        set_agency_scope(self._caller(request).agency)
        letter = Letter.objects.filter(number=number).first()
        if letter is None:
            raise Http404
        return letter

    def _respond(self, letter: Letter) -> Response:
        return Response(
            LetterOut(letter).data, headers={"ETag": f'"{letter.version}"', "Cache-Control": "no-store"}
        )

    def _answer(self, request: Request, number: str, answer: str | None, text: str) -> Response:
        tag = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
        if not tag:
            raise PreconditionRequired
        if not tag.isascii() or not tag.isdigit() or len(tag) > 9:
            raise PreconditionFailed("If-Match 不是本接口给出的 ETag。")
        with transaction.atomic():
            letter = self._letter(request, number)
            try:
                letter = actions.take_answer(
                    letter=letter,
                    client=self._caller(request).key,
                    at=timezone.now(),
                    answer=answer,
                    text=text,
                    expected_version=int(tag),
                )
            except actions.Refused as refused:
                if refused.current_version is not None:
                    raise PreconditionFailed(refused.zh) from refused
                raise Conflict(refused.zh) from refused
        return self._respond(letter)


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
        with transaction.atomic():
            set_agency_scope(self._caller(request).agency)
            letters = selectors.letters_of(
                self._caller(request).agency,
                updated_since=query.validated_data.get("updated_since"),
                after=query.validated_data.get("cursor", 0),
                limit=_PAGE,
            )
        following = letters[-1].pk if len(letters) == _PAGE else None
        return Response({"items": LetterOut(letters, many=True).data, "next_cursor": following})


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
        with transaction.atomic():
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
            **problems(400, 401, 404, 409, 412, 428),
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
            **problems(400, 401, 404, 409, 412, 428),
        },
    )
    def post(self, request: Request, number: str) -> Response:
        body = AnswerIn(data=request.data)
        body.is_valid(raise_exception=True)
        if "\x00" in body.validated_data["text"]:
            raise exceptions.ValidationError({"text": ["含有不可用的字符。"]})
        return self._answer(request, number, body.validated_data["answer"], body.validated_data["text"])
