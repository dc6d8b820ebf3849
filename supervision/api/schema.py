"""What the interface's description says beyond the views: how a request is signed, which errors come, the page.

Every text is there in both languages in the one document: an agency's engineer and its vendor's read the same.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

from drf_spectacular.views import SpectacularSwaggerSplitView

from ingestion.api.signing import sign, string_to_sign

#: Something received, a client and a moment as they could be; the signatures shown are computed from them.
_NUMBER = "楚检反馈〔2026〕1号"
_PATH = f"/api/v1/received/{quote(_NUMBER)}/answer"
_SECRET = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"  # noqa: S105  an example
_BODY = '{"answer": "corrected", "text": "done"}'
_STAMP, _NONCE = "1767225600000", "8d1f0a5be2c94f73"


def introduction() -> str:
    """How to sign, with a worked example whose every value follows from the ones before it; which errors come."""
    body = _BODY.encode()
    signed = string_to_sign("POST", _PATH, body, _STAMP, _NONCE)
    secret = bytes.fromhex(_SECRET)
    return f"""\
各单位由此签收并答复检察机关反馈的事项，报送数据文件。每个请求须签名；错误以 `application/problem+json` 返回（RFC 9457）。

Here agencies sign for and answer what the procuratorate fed back to them, and hand data files in. Every request is signed; errors come as
`application/problem+json` (RFC 9457).

**签名 · Signature**

以换行符（LF，末尾没有）连接五个值：方法、路径及查询串、正文的 SHA-256（十六进制）、`X-Timestamp`、`X-Nonce`；
用本单位密钥（由十六进制还原为字节）计算 HMAC，结果以十六进制写入 `X-Signature`。

Join five values by line feeds (LF, none at the end): method, path with query, SHA-256 of the body (hex), `X-Timestamp`,
`X-Nonce`. Take the HMAC under the agency's secret (decoded from hex to bytes) and send it in hex as `X-Signature`.

- 路径按发出的样子签名，即百分号编码之后（十六进制大写）：编号 `{_NUMBER}` 写成 `{quote(_NUMBER)}`。
  The path is signed as sent, percent-encoded with upper-case hex.
- 没有正文时，取空字节串的 SHA-256：`{hashlib.sha256(b"").hexdigest()}`。
  Without a body, that of the empty bytes.
- `X-Timestamp`：毫秒，与服务器相差不超过 5 分钟。Milliseconds, within 5 minutes of the server's clock.
- `X-Nonce`：8 至 64 个字符，每次请求不同，用过的不再受理。8 to 64 characters, new for each request.
- `X-Signature-Alg`：`HMAC-SM3`（缺省 default）、`HMAC-SHA256`。
- `X-App-Key`：应用标识，随密钥一并发给。The application key, given together with the secret.

**算例 · Worked example**

```
secret (hex)
{_SECRET}

body
{_BODY}

string to sign
{signed.decode()}

X-Signature, HMAC-SM3
{sign(secret, signed, "HMAC-SM3")}

X-Signature, HMAC-SHA256
{sign(secret, signed, "HMAC-SHA256")}
```

**签收与答复 · Signing for and answering**

每件的 `answers` 列出可选的答复及须填写的字段。答复即签收；答复可以更正，以最后一次为准。每次写入须带 `If-Match`（所读内容的
`ETag`），其间有变化即返回 412，`current` 为现状；并带 `Idempotency-Key`：重试时不变，同一标识只办理一次，重发得到同一答复。

Each says in `answers` what may be answered and what that needs. Answering also signs for it; an answer may be replaced, the
last one stands. Every write carries `If-Match` (the `ETag` of what was read); 412 says that it has changed since and how it
stands (`current`). It also carries `Idempotency-Key`: the same when it is tried again, so that it is done once and answered
alike.

**随时取得变化 · Keeping up**

记下最近一件的 `updated_at`，下次以 `updated_since` 查询，用 `next_cursor` 翻页至 null。返回 429 时按 `Retry-After` 等待。

Remember the latest `updated_at` and ask with `updated_since` next time, page by page until `next_cursor` is null. After 429 wait
for as long as `Retry-After` says.

**变化通知 · Being told of changes**

不便轮询的单位可订阅通知（`PUT /api/v1/webhook`）：有变化时向贵单位登记的地址发一次请求，正文如下，签名与上文相同（密钥也相同）。
请先验签、再按 `path` 读取；以 2xx 应答。同一 `X-Webhook-Id` 可能收到两次。接收地址须先由检察机关列入清单。

Who cannot poll subscribes (`PUT /api/v1/webhook`) and is called at its listed address whenever something changes, with the body
below, signed as above with the same secret. Check the signature, read what changed at `path`, answer with a 2xx. The same
`X-Webhook-Id` may come twice.

```
{{
  "id": "3f0e…", "event": "received.changed", "kind": "letter", "number": "{_NUMBER}", "version": 2,
  "state": "waiting", "path": "/api/v1/received/{quote(_NUMBER)}", "created_at": "2026-01-01T08:00:00+08:00"
}}
```

**客户端证书 · Client certificates**

登记了客户端证书的应用标识，每个请求都须出示其中一张，且在有效期内；否则返回 403 `certificate_refused`。

A client for which certificates are registered shows one of them, within its days, with every request; else 403
`certificate_refused`.

**报送文件 · Handing files in**

正文就是文件。签名串中的正文摘要取 `X-Content-SHA256`，收到的正文须与它一致。`Idempotency-Key` 每次报送不同，重试时不变。
收到即答 202，结果用 `status_url` 查询，`final` 为 true 时不再变化。

The body is the file. The digest in the string to sign is `X-Content-SHA256`, and the body must agree with it.
`Idempotency-Key` is new for each hand-over and the same when it is tried again. The answer is 202; ask `status_url` what
became of it until `final` is true.

**错误 · Errors**

```
{{
  "type": "about:blank",
  "title": "请求内容有误",                     中文标题 title in Chinese
  "status": 400,
  "code": "invalid",                           供程序判断 for programs
  "detail": "有字段未通过校验，见 errors。",   说明及办法 what happened, what to do
  "errors": [{{"pointer": "/text", "detail": "…"}}]   仅 400 with 400 only
}}
```"""


def introduce(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: the description's head."""
    result["info"]["description"] = introduction()
    return result


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from local files; page and script apart, so that the content policy needs no exception."""

    url_name = "api:schema"
    template_name = "api/docs.html"
    template_name_js = "api/docs.js"
