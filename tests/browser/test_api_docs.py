"""The agencies' documentation, in a browser, served by the front's face under its content policy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from chuxiong.up.services import of_duty
from tests.browser import test_whole_way as whole_way
from tests.up.test_up import ROOT, _free_port

chromium, pytestmark = whole_way.chromium, whole_way.pytestmark
_WATCH = """
window.refused = [];
document.addEventListener('securitypolicyviolation', e => window.refused.push(e.violatedDirective + ' ' + e.blockedURI));
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from tests.conftest import _services

    port = _free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "chuxiong.asgi:application",
        "--port",
        str(port),
        "--ws",
        "none",
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, env=of_duty("front", _services.environment), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    assert any("running on" in line for line in process.stderr), "no page"
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(15)


@pytest.mark.parametrize("width", [1366, 1920, 390])
def test_every_operation_is_shown_and_nothing_is_refused_or_fetched_elsewhere(
    chromium, address, width, tmp_path
):
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith((address, "data:")) else complaints.append(r.url))
    page.on("response", lambda r: complaints.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    page.add_init_script(_WATCH)
    answer = page.goto(f"{address}/api/v1/docs/")
    assert answer
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    schema = page.request.get(f"{address}/api/v1/openapi.json").json()
    operations = {(verb.upper(), path) for path, verbs in schema["paths"].items() for verb in verbs}
    page.wait_for_selector(".opblock")
    shown = {
        (block.query_selector(".opblock-summary-method").text_content(),
         block.query_selector(".opblock-summary-path").get_attribute("data-path"))
        for block in page.query_selector_all(".opblock")
    }  # fmt: skip
    assert shown == operations and len(operations) == 12
    text = page.text_content("body") or ""
    for words in (
        "列出收到的事项",
        "List what was received",
        "X-Signature",
        "If-Match",
        "Idempotency-Key",
        "application/problem+json",
    ):
        assert words in text, words
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / f"docs-{width}.png", full_page=True)
    assert page.evaluate("window.refused") == []
    assert complaints == []
    page.context.close()


def test_the_watch_sees_what_is_refused(chromium, address):
    """The test above is able to fail."""
    page = chromium.new_page()
    page.add_init_script(_WATCH)
    page.goto(f"{address}/api/v1/docs/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    assert page.evaluate("window.refused") != []
    page.close()
