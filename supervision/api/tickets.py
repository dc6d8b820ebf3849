"""The agencies' door to data tickets: what they are asked about their own data, and their answers."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chuxiong.accounts.refused import Refused
from ingestion.models import DataTicket
from ingestion.tickets import actions, reading
from supervision.api.problems import Conflict, PreconditionFailed, PreconditionRequired
from supervision.api.schema import ETAG, IF_MATCH, problems
from supervision.api.views import AgencyView, ListQuery, StrictSerializer

_PAGE = 50
TICKET = OpenApiParameter(
    "ticket", int, OpenApiParameter.PATH, description="问题单编号。The ticket's number."
)


class TicketOut(serializers.ModelSerializer[DataTicket]):
    state = serializers.CharField(
        help_text="sent 待答复、answered 已答复、closed 已关闭。Waits, answered, closed."
    )
    batch = serializers.IntegerField(
        source="batch_id", allow_null=True, help_text="所指批次。The delivery it is about."
    )
    digest = serializers.CharField(
        source="batch.digest", default="", help_text="该批文件的 SHA-256。SHA-256 of the file delivered."
    )
    detail = serializers.JSONField(help_text="列、原因和行数；不含任何数据。Column, reason, rows; no data.")

    class Meta:
        model = DataTicket
        fields = (
            "id",
            "feed",
            "kind",
            "batch",
            "digest",
            "subject",
            "text",
            "detail",
            "rows",
            "state",
            "sent_at",
            "due_on",
            "reminders",
            "answer",
            "answer_text",
            "answered_at",
            "version",
            "updated_at",
        )
        read_only_fields = fields
        extra_kwargs = {
            "id": {"help_text": "编号。Number."},
            "feed": {"help_text": "数据源代码。Code of the feed."},
            "kind": {"help_text": "类别。Kind."},
            "subject": {"help_text": "事由。Subject."},
            "text": {"help_text": "正文。Text."},
            "rows": {"help_text": "涉及行数。Rows it is about."},
            "sent_at": {"help_text": "发出时间。When it was sent."},
            "due_on": {"help_text": "答复期限。The answer is due by this day."},
            "reminders": {"help_text": "催办次数。How often it was urged."},
            "answer": {"help_text": "答复。The answer; empty until given."},
            "answer_text": {"help_text": "答复说明。Words to the answer."},
            "answered_at": {"help_text": "答复时间。When it was answered."},
            "version": {"help_text": "版本，即 ETag。Version, which is the ETag."},
            "updated_at": {"help_text": "最近变化。When it last changed."},
        }


class TicketPage(serializers.Serializer[Any]):
    items = TicketOut(many=True)
    next_cursor = serializers.IntegerField(
        allow_null=True, help_text="下一页的 cursor；null 为末页。Cursor of the next page; null at the end."
    )


class TicketAnswerIn(StrictSerializer):
    """对问题单的答复；多余的字段不予受理。An answer to a ticket; unknown fields are refused."""

    answer = serializers.ChoiceField(
        choices=DataTicket.Answer.choices,
        help_text="答复。The answer: corrected and delivered again, will be, the data are right, an explanation, more time"
        " asked.",
    )
    text = serializers.CharField(
        max_length=5000, allow_blank=True, required=False, default="", help_text="说明。Words to it."
    )


def _respond(ticket: DataTicket) -> Response:
    return Response(
        TicketOut(ticket).data, headers={"ETag": f'"{ticket.version}"', "Cache-Control": "no-store"}
    )


class TicketList(AgencyView):
    """发给本单位的数据问题单（按编号递增，游标翻页）。"""

    @extend_schema(
        operation_id="tickets_list",
        summary="列出数据问题单 · List data tickets",
        description="请本单位核对或更正本单位数据的问题单，按编号递增，每页 50 件。所涉各行不在其中，按批次和回执核对。\n\n"
        "What the calling agency is asked about its own data, in order of number, 50 a page. The rows themselves are"
        " not among it: they follow from the delivery and its receipt.",
        parameters=[ListQuery],
        responses={
            200: OpenApiResponse(TicketPage, "一页问题单。One page of tickets."),
            **problems(400, 401),
        },
    )
    def get(self, request: Request) -> Response:
        query = ListQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = reading.provider_tickets_since(
            self._caller(request).agency,
            updated_since=query.validated_data.get("updated_since"),
            after=query.validated_data.get("cursor", 0),
            limit=_PAGE,
        )
        following = found[-1].pk if len(found) == _PAGE else None
        return Response({"items": TicketOut(found, many=True).data, "next_cursor": following})


class TicketOne(AgencyView):
    """一件数据问题单。"""

    @extend_schema(
        operation_id="tickets_read",
        summary="读取一件问题单 · Read one ticket",
        description="正文、所涉列和原因、期限与本单位的答复。\n\nIts text, columns and reasons, its term and our answer.",
        parameters=[TICKET, ETAG],
        responses={
            200: OpenApiResponse(TicketOut, "此件现状。The ticket as it is now."),
            **problems(401, 404),
        },
    )
    def get(self, request: Request, ticket: int) -> Response:
        found = reading.provider_ticket(self._caller(request).agency, ticket)
        if found is None:
            raise Http404
        return _respond(found[0])


class TicketAnswer(AgencyView):
    """答复问题单。同一答复重复提交不改变任何内容。"""

    @extend_schema(
        operation_id="tickets_answer",
        summary="答复问题单 · Answer a ticket",
        description="已答复的可再次答复，以新的为准；同一答复重复提交不改变任何内容。除“已更正重报”外须写说明。\n\n"
        "An answer may be replaced by a later one; the same answer given again changes nothing. All but “delivered"
        " again” need words.",
        parameters=[TICKET, IF_MATCH, ETAG],
        request=TicketAnswerIn,
        responses={
            200: OpenApiResponse(TicketOut, "此件现状。The ticket as it is now."),
            **problems(400, 401, 404, 409, 412, 428),
        },
    )
    def post(self, request: Request, ticket: int) -> Response:
        body = TicketAnswerIn(data=request.data)
        body.is_valid(raise_exception=True)
        text = body.validated_data["text"]
        if "\x00" in text:
            raise exceptions.ValidationError({"text": ["含有不可用的字符。"]})
        tag = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
        if not tag:
            raise PreconditionRequired
        if not tag.isascii() or not tag.isdigit() or len(tag) > 9:
            raise PreconditionFailed("If-Match 不是本接口给出的 ETag。")
        caller = self._caller(request)
        if reading.provider_ticket(caller.agency, ticket) is None:
            raise Http404
        try:
            actions.answer_of_provider(
                agency=caller.agency,
                who=caller.key,
                pk=ticket,
                at=timezone.now(),
                answer=body.validated_data["answer"],
                text=text,
                version=int(tag),
            )
        except actions.Changed as changed:
            raise PreconditionFailed(changed.zh) from changed
        except Refused as refused:
            raise Conflict(refused.zh) from refused
        found = reading.provider_ticket(caller.agency, ticket)
        if found is None:
            raise Http404
        return _respond(found[0])
