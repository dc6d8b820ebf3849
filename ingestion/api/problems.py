"""Errors as RFC 9457 ``application/problem+json``; input is never echoed."""

from __future__ import annotations

import math
from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response

_TITLES = {
    400: "请求内容有误",
    401: "未通过身份验证",
    403: "没有权限",
    404: "不存在或不属于贵单位",
    405: "不支持的方法",
    406: "不支持的返回格式",
    409: "与当前状态冲突",
    412: "版本已变化",
    413: "请求过大",
    415: "不支持的内容类型",
    422: "同一 Idempotency-Key 用于另一内容",
    428: "缺少 If-Match",
    429: "请求过于频繁",
    503: "暂不可用",
}


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "version_changed"

    def __init__(self, detail: str, current: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        #: how it stands now, so that the caller sees what changed
        self.more = {"current": current} if current else {}


class PreconditionRequired(exceptions.APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_code = "if_match_required"
    default_detail = "请在 If-Match 中给出所读内容的 ETag。"


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class KeyReused(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = "这个 Idempotency-Key 已用于另一内容；请换一个新的。"


class OutOfScope(exceptions.PermissionDenied):
    default_code = "out_of_scope"
    default_detail = "本应用标识不用于这一事项：报送数据与接收反馈分别使用各自的应用标识，请联系检察机关。"


class Unavailable(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "暂时无法处理，未改动任何内容；请稍后以同一 Idempotency-Key 重试。"


class NotYet(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "not_connected"
    default_detail = "与内侧的交换尚未建立，未接收；请稍后重试。"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """One face for every error of the API."""
    if isinstance(error, Http404):
        error = exceptions.NotFound("没有这一件，或不属于贵单位。")
    if isinstance(error, OperationalError):
        # The database is away, or another request held what this one needed for too long.
        error = Unavailable()
    if not isinstance(error, exceptions.APIException):
        return None
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(error.status_code, "请求未完成"),
        "status": error.status_code,
        "code": getattr(error, "default_code", "error"),
    }
    if isinstance(error, exceptions.ValidationError):
        body["errors"] = _pointers(error.detail)
        body["detail"] = "有字段未通过校验，见 errors。"
    else:
        body["detail"] = str(error.detail)
    headers = {}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait))
        body["detail"] = f"请求过于频繁，请在 {math.ceil(wait)} 秒后重试。"
    if isinstance(error, Unavailable | NotYet):
        headers["Retry-After"] = "30"
    body |= getattr(error, "more", {})
    response = Response(body, status=error.status_code, headers=headers)
    response.content_type = "application/problem+json"
    return response


def _pointers(detail: Any, at: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [p for key, value in detail.items() for p in _pointers(value, f"{at}/{key}")]
    if isinstance(detail, list):
        return [p for item in detail for p in _pointers(item, at)]
    return [{"pointer": at or "/", "detail": str(detail)}]


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """For paths under the API that do not exist."""
    return _bare(404, "not_found", "没有这个地址，请核对接口说明 /api/v1/docs/。")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """For requests that reach no view."""
    return _bare(400, "bad_request", "请求无法处理，请核对主机名、路径和请求头。")


def fault(request: HttpRequest) -> JsonResponse:
    """For faults of ours; nothing of them is told."""
    return _bare(500, "fault", "服务器内部错误，未改动任何内容；请稍后以同一 Idempotency-Key 重试。")


def _bare(code: int, word: str, detail: str) -> JsonResponse:
    body = {
        "type": "about:blank", "title": _TITLES.get(code, "请求未完成"), "status": code, "code": word, "detail": detail
    }  # fmt: skip
    return JsonResponse(body, status=code, content_type="application/problem+json")
