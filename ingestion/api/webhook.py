"""Where a client wants to be told of changes: read, set, end. What is told are numbers and states; the rest is fetched."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import urlsplit

from django.db import connections
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.api.agency import AgencyView, caller, once
from ingestion.api.problems import NotYet
from ingestion.api.received import EmptyIn, StrictSerializer
from ingestion.api.schema import IDEMPOTENCY_KEY, problems
from ingestion.api.signing import FRONT, AgencyCaller
from ingestion.exchange import sealing
from ingestion.exchange.front import store

_ALGORITHMS = [("HMAC-SM3", "HMAC-SM3"), ("HMAC-SHA256", "HMAC-SHA256")]
_STATES = [
    ("none", "未订阅"),
    ("pending", "已收到，待生效"),
    ("active", "有效"),
    ("not_listed", "地址未列入清单"),
    ("failing", "有通知未送达"),
]
_NONE: dict[str, Any] = {
    "url": "", "algorithm": "HMAC-SM3", "state": "none", "problem": "", "last_success_at": None, "waiting": 0, "dead": 0,
}  # fmt: skip


class WebhookIn(StrictSerializer):
    """订阅；多余的字段不予受理。A subscription; unknown fields are refused."""

    url = serializers.RegexField(
        r"^https?://[!-~]+$",
        max_length=500,
        help_text="接收通知的地址，须先由检察机关列入清单。Where calls go; the procuratorate lists it beforehand.",
    )
    algorithm = serializers.ChoiceField(
        choices=_ALGORITHMS,
        required=False,
        default="HMAC-SM3",
        help_text="通知的签名算法。How calls are signed.",
    )

    def validate_url(self, value: str) -> str:
        try:
            parts = urlsplit(value)
            fits = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and not parts.fragment
        except ValueError:
            fits = False
        if not fits:
            raise serializers.ValidationError("须为 https 或 http 地址，不含用户名、密码和 # 后的部分。")
        return value


class WebhookOut(serializers.Serializer[Any]):
    """本应用标识的通知订阅。The subscription of this client."""

    url = serializers.CharField(help_text="接收通知的地址；未订阅为空。Where calls go; empty without one.")
    algorithm = serializers.ChoiceField(choices=_ALGORITHMS, help_text="签名算法。How calls are signed.")
    state = serializers.ChoiceField(choices=_STATES, help_text="现状。How it stands.")
    problem = serializers.CharField(help_text="未生效的原因。Why nothing is sent; empty when it is.")
    last_success_at = serializers.DateTimeField(
        allow_null=True, help_text="最近一次送达。The last that arrived."
    )
    waiting = serializers.IntegerField(help_text="待发的通知。Calls that wait.")
    dead = serializers.IntegerField(help_text="多次未送达而停发的通知。Calls that were given up.")


def _said(cursor: store.Cursor, who: AgencyCaller) -> dict[str, Any]:
    return {**_NONE, **(store.webhook(cursor, who.key) or {})}


class WebhookView(AgencyView):
    """变化通知的订阅。"""

    @extend_schema(
        operation_id="webhook_read",
        summary="查看通知订阅 · Read the subscription",
        description="通知只含编号、种类、版本和状态，收到后按 `path` 读取内容；不接收通知的单位用 `updated_since` 轮询即可。\n\n"
        "A call holds number, kind, version and state alone; what changed is read at `path`. Without a subscription ask with"
        " `updated_since`.",
        responses={200: OpenApiResponse(WebhookOut, "订阅现状。As it stands."), **problems()},
    )
    def get(self, request: Request) -> Response:
        with connections[FRONT].cursor() as cursor:
            body = _said(cursor, caller(request))
        return Response(body, headers={"Cache-Control": "no-store"})

    @extend_schema(
        operation_id="webhook_set",
        summary="订阅通知 · Subscribe",
        description="地址换新即以新的为准。先收到一条 `subscription.active`，其后每有变化发一条 `received.changed`。通知的签名与本接口的"
        "请求相同（方法 POST，路径及查询串为接收地址的），另带 `X-Webhook-Id`，重发时不变。以 2xx 应答即为送达；不跟随转址；"
        "未送达的隔一段时间重发，先后 9 次后停发，由检察机关重发。同一变化可能收到两次。\n\n"
        "A new address replaces the former. First comes `subscription.active`, then one `received.changed` for every"
        " change. Calls are signed as requests to this interface are (method POST, path and query of the receiving"
        " address) and carry `X-Webhook-Id`, the same when sent again. A 2xx is an arrival; redirects are not followed; what"
        " did not arrive is sent again with longer pauses, nine times in all. A change may come twice.",
        parameters=[IDEMPOTENCY_KEY],
        request=WebhookIn,
        responses={200: OpenApiResponse(WebhookOut, "订阅现状。As it stands."), **problems(400, 415, 422)},
    )
    def put(self, request: Request) -> Response:
        body = WebhookIn(data=request.data)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        return self._change(request, {"url": said["url"], "algorithm": said["algorithm"]})

    @extend_schema(
        operation_id="webhook_end",
        summary="停止通知 · End the subscription",
        description="正文可为空或 `{}`。\n\nThe body may be empty or `{}`.",
        parameters=[IDEMPOTENCY_KEY],
        responses={200: OpenApiResponse(WebhookOut, "订阅现状。As it stands."), **problems(400, 415, 422)},
    )
    def delete(self, request: Request) -> Response:
        EmptyIn(data=request.data).is_valid(raise_exception=True)
        return self._change(request, None)

    def _change(self, request: Request, wanted: dict[str, str] | None) -> Response:
        who, at = caller(request), timezone.now()

        def act(cursor: store.Cursor) -> tuple[dict[str, Any], str]:
            now = {**_NONE, **wanted, "state": "pending"} if wanted else _NONE
            held = store.webhook(cursor, who.key, lock=True)
            if not wanted and held is None:
                return now, ""
            public, code = store.key(cursor, "inner"), uuid.uuid4()
            if public is None:
                raise NotYet
            document: dict[str, Any] = {"kind": "webhook", "number": who.key, **(wanted or {"url": None})}
            store.hand_in(
                cursor, code=code, kind="answer", agency=who.agency, client=who.key, at=at,
                head={"number": who.key, "kind": "webhook"},
                box=sealing.seal_key(public, json.dumps(document).encode(), code.hex),
            )  # fmt: skip
            store.set_webhook(cursor, who.key, now if wanted else None)
            return now, ""

        answer = once(request, act)
        del answer.headers["ETag"]
        return answer
