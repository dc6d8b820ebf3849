"""Ask an agency's address: only what changed, under caps, never led to another host."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from chuxiong.kit.problems import Problem
from ingestion.exchange.fetching import Fetched, FetchFailed
from ingestion.exchange.limits import LIMITS
from ingestion.exchange.sources import Pull, SourcesFault, secret

_CHUNK = 1 << 16
_PAGES = 10_000


class _SameHost(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            raise urllib.error.HTTPError(req.full_url, code, "redirected to another host", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(source: Pull, mark: dict[str, Any], whole: bool = False) -> Fetched | None:
    """What is new since ``mark``, None when nothing is; of pages, all of them when the ``whole`` list is wanted.

    Raises ``FetchFailed``, also when a whole list has more pages than may be asked for.
    """
    out = os.fdopen(os.memfd_create("pull"), "w+b")
    try:
        if source.pages:
            found = _pages(source, {} if whole else mark, out, whole=whole)
        else:
            found = _whole(source, mark, out)
        if found is None:
            out.close()
            return None
        out.flush()
        out.seek(0)
        return Fetched(out, source.name, found)
    except BaseException:
        out.close()
        raise


def _whole(source: Pull, mark: dict[str, Any], out: BinaryIO) -> dict[str, Any] | None:
    known = {"If-None-Match": mark.get("etag"), "If-Modified-Since": mark.get("modified")}
    answer = _ask(source, source.url, {k: v for k, v in known.items() if v})
    if answer is None:
        return None
    with answer:
        _copy(source, answer, out)
    return {
        key: value
        for key, value in (("etag", answer.headers["ETag"]), ("modified", answer.headers["Last-Modified"]))
        if value
    }


def _pages(source: Pull, mark: dict[str, Any], out: BinaryIO, *, whole: bool) -> dict[str, Any] | None:
    """Rows of all pages from the cursor on, one JSON line each."""
    pages, cursor, rows = source.pages, mark.get("cursor"), 0
    assert pages is not None  # noqa: S101  the caller asked
    complete = False
    for _ in range(min(pages.most, _PAGES)):
        url = _with(source.url, pages.parameter, cursor) if cursor is not None else source.url
        answer = _ask(source, url, {})
        if answer is None:
            break
        with answer, os.fdopen(os.memfd_create("page"), "w+b") as page:
            _copy(source, answer, page)
            page.seek(0)
            try:
                document = json.load(page)
                found, following = document[pages.rows], document.get(pages.next)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise _failed(source, f"返回的不是带“{pages.rows}”的 JSON") from None
        if not isinstance(found, list) or not isinstance(following, str | int | None):
            raise _failed(source, f"“{pages.rows}”不是数组，或“{pages.next}”不是游标")
        for row in found:
            # Escaped: half a character ("\\ud800") has no bytes of its own, and is the reader's to put aside.
            out.write(json.dumps(row).encode() + b"\n")
        rows += len(found)
        if out.tell() > LIMITS.pull_bytes.value:
            raise _failed(source, f"超过 {LIMITS.pull_bytes.value} 字节")
        if following is None or following == cursor:
            complete = True
            break
        cursor = following
    if whole and not complete:
        raise _failed(source, "全量清单没有取完就停止了；请核对接口，或加大 pages.most")
    return {"cursor": cursor} if rows else None


def _with(url: str, name: str, value: Any) -> str:
    parts = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, str(value))])))


def _ask(source: Pull, url: str, headers: dict[str, str]) -> http.client.HTTPResponse | None:
    try:
        own = {name: secret(reference) for name, reference in source.headers.items()}
    except SourcesFault as fault:
        raise _failed(source, str(fault)) from None
    # No proxy of the environment's: the address is the operator's word.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SameHost())
    request = urllib.request.Request(  # noqa: S310  the scheme was checked when it was declared
        url, headers={"User-Agent": "chuxiong-exchange", **headers, **own}
    )
    try:
        answer: http.client.HTTPResponse = opener.open(request, timeout=source.timeout_seconds)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 304:
                return None
            if 300 <= error.code < 400:
                raise _failed(source, "要求转到另一台主机，未跟随") from None
            raise _failed(source, f"返回 {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _failed(source, f"无法连接（{type(error).__name__}）") from None
    return answer


def _copy(source: Pull, answer: http.client.HTTPResponse, out: BinaryIO) -> None:
    declared, size = answer.headers["Content-Length"], 0
    try:
        while chunk := answer.read(_CHUNK):
            size += len(chunk)
            if size > LIMITS.pull_bytes.value:
                raise _failed(source, f"超过 {LIMITS.pull_bytes.value} 字节")
            out.write(chunk)
    except (OSError, http.client.HTTPException) as error:
        raise _failed(source, f"传输中断（{type(error).__name__}）") from None
    if declared is not None and declared.isdigit() and int(declared) != size:
        raise _failed(source, "传输中断：长度与声明不符")


def _failed(source: Pull, what: str) -> FetchFailed:
    return FetchFailed(
        Problem(
            place=f"来源 {source.code}（{urlsplit(source.url).hostname}）",
            what=what,
            cure="将按退避间隔自动重试；持续失败请与报送单位核对地址、凭据和接口说明。",
        )
    )
