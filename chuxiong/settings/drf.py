"""Django REST framework: JSON only, problem+json errors, OpenAPI with local assets."""

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "supervision.api.problems.exception_handler",
}
_INTRODUCTION = """\
各单位由此签收并答复检察机关反馈的事项。每个请求须签名；错误以 `application/problem+json` 返回（RFC 9457）。

Here agencies sign for and answer what the procuratorate fed back to them. Every request is signed; errors come as
`application/problem+json` (RFC 9457).

**签名 · Signature**

以换行符连接五个值，用本单位密钥（由十六进制还原）计算 HMAC，结果以十六进制写入 `X-Signature`：

Join five values by line feeds, take the HMAC under the agency's secret (decoded from hex), and send it in hex as
`X-Signature`:

```
POST                                          方法 method
/api/v1/letters/FK2026-0001/answer            发出的路径及查询串 path and query as sent
9f86d081884c7d659a2feaa0c55ad015a3bf4f1b...   正文的 SHA-256（十六进制）SHA-256 of the body (hex)
1767225600000                                 X-Timestamp
8d1f0a5be2c94f73                              X-Nonce
```

`X-App-Key`: 应用标识 application key; `X-Signature-Alg`: `HMAC-SM3`（缺省 default）, `HMAC-SHA256`

**错误 · Errors**

```
{
  "type": "about:blank",
  "title": "请求内容有误",                     中文标题 title in Chinese
  "status": 400,
  "code": "invalid",                           供程序判断 for programs
  "detail": "有字段未通过校验，见 errors。",   说明及办法 what happened, what to do
  "errors": [{"pointer": "/text", "detail": "…"}]   仅 400 with 400 only
}
```"""

SPECTACULAR_SETTINGS = {
    "TITLE": "检察业务大数据中心 · 单位接口 Agency interface",
    "DESCRIPTION": _INTRODUCTION,
    "VERSION": "1.0.0",
    "TAGS": [{"name": "letters", "description": "反馈函 Feedback letters"}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # A request must be signed: the page shows, it does not send.
    "SWAGGER_UI_SETTINGS": {
        "supportedSubmitMethods": [],
        "docExpansion": "full",
        "defaultModelRendering": "model",
        "defaultModelExpandDepth": 2,
        "defaultModelsExpandDepth": -1,
        "validatorUrl": None,
    },
}
