"""Errors as RFC 9457 ``application/problem+json``; input is never echoed."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response

_TITLES = {
    400: "请求内容有误",
    401: "未通过身份验证",
    403: "没有权限",
    404: "不存在或不属于贵单位",
    405: "不支持的方法",
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
    default_detail = "这个 Idempotency-Key 已用于另一个文件；请换一个新的。"


class NotYet(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "not_connected"
    default_detail = "与内侧的交换尚未建立，未接收；请稍后重试。"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """One face for every error of the API."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
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
    body = {"type": "about:blank", "title": _TITLES[404], "status": 404, "code": "not_found"}
    return JsonResponse(body, status=404, content_type="application/problem+json")
