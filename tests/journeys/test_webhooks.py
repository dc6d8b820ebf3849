"""Agencies are told of changes at their own receivers: signed, once a change, again when it fails, never elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.db import ProgrammingError, connections, transaction
from django.test import Client, override_settings
from django.utils import timezone

from chuxiong.work.jobs import work_off
from ingestion.api.limits import LIMITS
from ingestion.api.signing import sign, string_to_sign
from supervision.models import WebhookCall
from supervision.webhooks import actions, hosts, reading
from tests.conftest import acting_as
from tests.front import carry
from tests.journeys import test_agency_answer
from tests.prefecture import person

agency, letter = test_agency_answer.agency, test_agency_answer.letter


class Receiver(ThreadingHTTPServer):
    """What an agency runs: keeps what came and answers as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        self.answer, self.location = 204, ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?from=cx"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.path, dict(self.headers.items()), body))
        self.send_response(self.server.answer)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on the console."""


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver() as server, override_settings(WEBHOOK_HOSTS=tmp_path / "webhooks.yaml"):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        _list(tmp_path, server)
        yield server
        server.shutdown()


def _list(folder: Path, server: Receiver, addresses: str = "[127.0.0.0/8]") -> None:
    (folder / "webhooks.yaml").write_text(
        f"hosts:\n  - {{agency: hr_bureau, scheme: http, host: 127.0.0.1, port: {server.server_port},"
        f" addresses: {addresses}, source: 测试}}\n",
        encoding="utf-8",
    )


def _subscribe(agency, url: str, **more: str):  # type: ignore[no-untyped-def]
    return agency.send(
        "PUT", "/api/v1/webhook", {"url": url, **more}, **{"Idempotency-Key": f"key-{url}"[:100]}
    )


def _round(after: timedelta = timedelta(0)) -> None:
    """What beat and worker do, as if ``after`` had gone by."""
    with connections["owner"].cursor() as cursor:
        for statement in (
            "update supervision_webhookcall set due_at = due_at - %s where state = 'waiting'",
            "update work_job set run_after = run_after - %s where kind = 'webhook' and state = 'queued'",
        ):
            cursor.execute(statement, [after])
    with acting_as("worker"):
        actions.look(at=timezone.now())
        work_off(kinds=["webhook"])


def _calls(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _path, _headers, body in receiver.came]


def test_a_subscriber_is_told_each_change_once_signed_and_without_content(agency, letter, receiver):
    assert agency.send("GET", "/api/v1/webhook").json()["state"] == "none"
    made = _subscribe(agency, receiver.address)
    assert (made.status_code, made.json()["state"]) == (200, "pending"), made.content
    carry()
    assert agency.send("GET", "/api/v1/webhook").json()["state"] == "active"
    _round()
    _round()
    first, *more = _calls(receiver)
    assert (first["event"], first["number"]) == ("subscription.active", agency.key) and more == []
    signed = agency.send("POST", test_agency_answer._path(letter, "acknowledge"), {}, **{"If-Match": '"1"'})
    assert signed.status_code == 200, signed.content
    carry()
    _round()
    _round()
    told = _calls(receiver)[1:]
    assert [(c["event"], c["kind"], c["number"], c["version"], c["state"]) for c in told] == [
        ("received.changed", "letter", letter.number, 2, "acknowledged")
    ]
    assert told[0]["path"] == test_agency_answer._path(letter)
    for path, headers, body in receiver.came:
        text = string_to_sign("POST", path, body, headers["X-Timestamp"], headers["X-Nonce"])
        assert headers["X-Signature"] == sign(agency.secret, text) and headers["X-App-Key"] == agency.key
        assert json.loads(body)["id"] == headers["X-Webhook-Id"]
        said = body.decode()
        assert letter.subject not in said and letter.text not in said and letter.clue.number not in said
    assert len({c["id"] for c in _calls(receiver)}) == 2
    carry()
    stands = agency.send("GET", "/api/v1/webhook").json()
    assert stands["last_success_at"] and (stands["waiting"], stands["dead"]) == (0, 0)


def test_what_does_not_arrive_comes_again_with_pauses_then_stops_until_a_person_sends_it(agency, receiver):
    receiver.answer = 500
    _subscribe(agency, receiver.address, algorithm="HMAC-SHA256")
    carry()
    _round()
    _round()
    assert len(receiver.came) == 1, "the second attempt waits for its pause"
    pauses = LIMITS.webhook_pauses.value
    for n, pause in enumerate(pauses, 2):
        _round(timedelta(seconds=pause - 5))
        assert len(receiver.came) == n - 1
        _round(timedelta(seconds=10))
        assert len(receiver.came) == n
    _round(timedelta(days=2))
    assert len(receiver.came) == len(pauses) + 1
    assert len({headers["X-Webhook-Id"] for _p, headers, _b in receiver.came}) == 1
    assert len({headers["X-Nonce"] for _p, headers, _b in receiver.came}) == len(receiver.came)
    call = WebhookCall.objects.get()
    assert (call.state, call.status, call.attempts) == ("dead", 500, len(pauses) + 1)
    carry()
    assert agency.send("GET", "/api/v1/webhook").json()["state"] == "failing"
    desk = Client()
    desk.force_login(person("c", roles=("custodian",)))
    page = desk.get("/exchange/webhooks").content.decode()
    assert "返回 500" in page and f"/exchange/webhooks/{call.pk}/resend" in page and " style=" not in page
    assert "1 条变化通知多次未送达" in desk.get("/exchange/").content.decode()
    receiver.answer = 200
    assert desk.post(f"/exchange/webhooks/{call.pk}/resend").status_code == 302
    assert desk.post(f"/exchange/webhooks/{call.pk}/resend").status_code == 409
    _round()
    call.refresh_from_db()
    assert (call.state, call.resent_by) == ("done", "c") and len(receiver.came) == len(pauses) + 2
    assert reading.dead_count() == 0


def test_no_call_follows_a_redirect_or_goes_where_the_list_does_not_name(agency, receiver, tmp_path):
    with Receiver() as other:
        threading.Thread(target=other.serve_forever, args=(0.05,), daemon=True).start()
        receiver.answer, receiver.location = 307, other.address
        _subscribe(agency, receiver.address)
        carry()
        _round()
        assert (len(receiver.came), len(other.came)) == (1, 0)
        assert WebhookCall.objects.get().problem.startswith("要求转到别处，未跟随")
        # A network that the entry does not name; then another port; then no list at all.
        _list(tmp_path, receiver, "[10.0.0.0/8]")
        _round(timedelta(hours=1))
        assert "不在清单允许的网段内" in WebhookCall.objects.get().problem
        _list(tmp_path, receiver, "[]")
        _round(timedelta(hours=1))
        assert (len(receiver.came), WebhookCall.objects.get().attempts) == (1, 3)
        _subscribe(agency, other.address)
        carry()
        _round(timedelta(hours=1))
        carry()
        stands = agency.send("GET", "/api/v1/webhook").json()
        assert stands["state"] == "not_listed" and "清单" in stands["problem"]
        (tmp_path / "webhooks.yaml").write_text("hosts: [{agency: hr_bureau, url: x}]", encoding="utf-8")
        _round(timedelta(hours=1))
        assert (len(receiver.came), len(other.came)) == (1, 0)
        other.shutdown()


def test_a_subscription_ends_and_begins_again_and_is_the_clients_own(agency, letter, receiver):
    for url in (
        "ftp://x/",
        "https://u:p@h/",
        "https://h:0/",
        "https://h/#x",
        "https://[x/",
        "https://h:99999/",
        "x",
    ):
        assert _subscribe(agency, url).status_code == 400, url
    _subscribe(agency, receiver.address)
    carry()
    ended = agency.send("DELETE", "/api/v1/webhook", **{"Idempotency-Key": "end-of-it"})
    assert (ended.status_code, ended.json()["state"]) == (200, "none"), ended.content
    carry()
    _round()
    assert receiver.came == [] and agency.send("GET", "/api/v1/webhook").json()["state"] == "none"
    again = agency.send(
        "PUT", "/api/v1/webhook", {"url": receiver.address}, **{"Idempotency-Key": "begins-again"}
    )
    assert again.status_code == 200
    carry()
    _round()
    assert [c["event"] for c in _calls(receiver)] == ["subscription.active"]


def test_with_sql_in_hand_the_web_role_makes_no_call(agency, receiver):
    _subscribe(agency, receiver.address)
    carry()
    _round()
    for statement in (
        "insert into supervision_webhookcall select * from supervision_webhookcall",
        "update supervision_webhookcall set number = 'x'",
        "delete from supervision_webhookcall",
    ):
        with pytest.raises(ProgrammingError), transaction.atomic(), connections["default"].cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://h.example/a?b=1", ("https", "h.example", 443, "/a?b=1")),
        ("http://h.example", ("http", "h.example", 80, "/")),
        ("https://[::1]:8443/x", ("https", "::1", 8443, "/x")),
        ("https://h.example/a b", None),
        ("https://h.example/\n", None),
        ("https://名.example/", None),
        ("gopher://h/", None),
    ],
)
def test_an_address_is_taken_apart(url, wanted):
    found = hosts.target(url)
    assert (found and (found.scheme, found.host, found.port, found.path)) == wanted


def test_only_public_addresses_without_a_network_and_only_the_network_with_one():
    public = hosts.Host(agency="a", host="h", source="x")
    for address, fits in (
        ("8.8.8.8", True), ("10.0.0.1", False), ("127.0.0.1", False), ("169.254.169.254", False), ("::1", False),
        ("fe80::1%eth0", False), ("224.0.0.1", False), ("100.64.0.1", False), ("::ffff:127.0.0.1", False),
    ):  # fmt: skip
        assert public.takes(address) is fits, address
    inside = public.model_copy(update={"addresses": ("10.20.0.0/16",)})
    assert inside.takes("10.20.3.4") and not inside.takes("10.21.0.1") and not inside.takes("8.8.8.8")
