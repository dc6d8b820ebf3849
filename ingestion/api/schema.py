"""What the descriptions of all agency interfaces share: how a request is signed, which errors come."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers


class SignatureScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The four headers of ``signing.SignedRequest``; all are needed."""

    target_class = "ingestion.api.signing.SignedRequest"
    match_subclasses = True
    name = ["AppKey", "Timestamp", "Nonce", "Signature"]
    _HEADERS = {
        "X-App-Key": "本单位的应用标识。The agency's application key.",
        "X-Timestamp": "毫秒时间戳，与服务器相差不超过 5 分钟。Milliseconds since 1970, within 5 minutes.",
        "X-Nonce": "8 至 64 个字符，每次请求不同。8 to 64 characters, new for each request.",
        "X-Signature": "签名串的 HMAC（十六进制）；算法由 X-Signature-Alg 指定，缺省 HMAC-SM3，也可 HMAC-SHA256。"
        "HMAC (hex) of the string to sign; X-Signature-Alg names it: HMAC-SM3 (default) or HMAC-SHA256.",
    }

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "header", "name": name, "description": words}
            for name, words in self._HEADERS.items()
        ]


class FieldProblemOut(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="字段位置。Where in the body.")
    detail = serializers.CharField(help_text="原因。Why.")


class ProblemOut(serializers.Serializer[Any]):
    """错误（RFC 9457）。An error (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField(help_text="中文标题。Title in Chinese.")
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="供程序判断的代码。Code for programs.")
    detail = serializers.CharField(help_text="说明及办法。What happened and what to do.")
    # The metaclass takes it for a field; the property of the name stays.
    errors = FieldProblemOut(many=True, required=False, help_text="仅 400。With 400 only.")  # type: ignore[assignment]
    current = serializers.JSONField(
        required=False, help_text="仅 412：此件现状。With 412 only: how it stands."
    )


_PROBLEMS = {
    400: "请求内容有误，见 errors。The request is malformed; see errors.",
    401: "签名、时间或随机数不符。Signature, time or nonce refused.",
    404: "不存在或不属于本单位。Does not exist, or is another agency's.",
    403: "本应用标识不用于这一事项。This client is not for that.",
    406: "只返回 application/json。Only application/json is given.",
    415: "正文须为 application/json。The body must be application/json.",
    429: "请求过于频繁，Retry-After 给出须等待的秒数。Too many requests; Retry-After says how many seconds to wait.",
    409: "与当前状态冲突。In conflict with its present state.",
    413: "文件过大。The file is too large.",
    422: "Idempotency-Key 已用于另一内容。The key was used for something else.",
    503: "暂不可用，请稍后重试。Not available at present: try again later.",
    412: "此件已变化，current 为现状，请看过后再提交。It has changed; `current` is how it stands: look at it first.",
    428: "缺少 If-Match。If-Match is missing.",
}


def problems(*codes: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The error answers of an operation, for ``extend_schema(responses=…)``: its own and those of every one."""
    every = {401, 403, 406, 429, 503, *codes}
    return {
        (code, "application/problem+json"): OpenApiResponse(ProblemOut, _PROBLEMS[code])
        for code in sorted(every)
    }


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 8, "maxLength": 120, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="本次提交的标识，重试时不变；同一标识只办理一次。Names this request, the same when it is tried again: it is done once.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="所读内容的 ETag。The ETag of what was read.",
)
ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200],
    description="此件的版本，用于下一次 If-Match。Its version, for the next If-Match.",
)
