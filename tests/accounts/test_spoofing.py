"""Fixation, replayed cookies, foreign origins, pending sign-ins: nothing but a signed-in stay opens a page."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from chuxiong.accounts import people, second_factor, sessions
from chuxiong.accounts.models import Person, PersonSession
from chuxiong.accounts.policy import POLICY
from tests.accounts.conftest import PASSWORD, enter, signed_in

INSIDE = ("/", "/clues/new", "/feeds", "/me", "/people", "/rights", "/hand-over", "/second-factor.svg")


def _shut(client: Client) -> bool:
    answers = [client.get(path) for path in INSIDE]
    return all(
        a.status_code == 404 or (a.status_code == 302 and a["Location"].startswith("/login")) for a in answers
    )


def test_a_planted_session_id_does_not_become_a_signed_in_one(hire):
    hire()
    planted = Client()
    planted.get("/login")
    session = planted.session
    session["x"] = 1
    session.save()
    victim = Client()
    victim.cookies["sessionid"] = planted.cookies["sessionid"] = session.session_key
    assert enter(victim).status_code == 302
    assert victim.cookies["sessionid"].value != session.session_key
    assert not Session.objects.filter(pk=session.session_key).exists()
    assert _shut(planted)


def test_the_id_changes_at_each_step(hire):
    person = hire()
    second_factor.begin(person, at=timezone.now())
    from tests.accounts.test_second_factor import secret_of, totp

    secret = secret_of(person)
    assert second_factor.confirm(person, totp(secret, timezone.now().timestamp() - 30), at=timezone.now())
    client = Client()
    enter(client)
    pending = client.cookies["sessionid"].value
    thief = Client()
    thief.cookies["sessionid"] = pending
    assert _shut(thief), "a pending sign-in opens nothing"
    client.post("/login/code", {"code": totp(secret, timezone.now().timestamp())})
    assert client.cookies["sessionid"].value != pending
    assert client.get("/").status_code == 200 and _shut(thief)


def test_a_cookie_is_worthless_after_sign_out(hire):
    hire()
    client = signed_in("zhang")
    kept = client.cookies["sessionid"].value
    client.post("/logout")
    thief = Client()
    thief.cookies["sessionid"] = kept
    assert _shut(thief)


def test_a_restored_session_row_is_worthless_without_its_stay(hire):
    """Even a copy of the whole session, put back into the store, does not revive what ended."""
    hire()
    client = signed_in("zhang")
    row = Session.objects.get(pk=client.cookies["sessionid"].value)
    client.post("/logout")
    row.save(force_insert=True)
    thief = Client()
    thief.cookies["sessionid"] = row.pk
    assert _shut(thief)


def test_a_session_without_a_stay_opens_nothing(hire):
    hire()
    client = signed_in("zhang")
    session = client.session
    del session[sessions.STAY]
    session.save()
    assert _shut(client)


@pytest.mark.parametrize("how", ["time", "password", "left", "nothing"])
def test_a_pending_sign_in_dies(hire, how):
    person = hire(must_change_password=True)
    client = Client()
    assert enter(client)["Location"] == "/login/password"
    if how == "time":
        session = client.session
        session["pending"] = {
            **session["pending"],
            "at": session["pending"]["at"] - POLICY.session.pending_minutes.value * 60,
        }
        session.save()
    elif how == "password":
        person.set_password("Something-Else-77")
        person.save()
    elif how == "left":
        Person.objects.using("owner").filter(pk=person.pk).update(is_active=False, left_at=timezone.now())
    new = {"new": "Fresh-Words-2027", "again": "Fresh-Words-2027"}
    answer = client.post("/login/password", new)
    if how == "nothing":
        assert answer["Location"] == "/"
    else:
        assert answer["Location"] == "/login?person=1" and _shut(client)


def test_steps_cannot_be_skipped_or_entered_from_outside(hire):
    hire(must_change_password=True)
    client = Client()
    for path in ("next", "code", "enrol", "certificate", "password", "agreement"):
        for answer in (
            client.get(f"/login/{path}"),
            client.post(f"/login/{path}", {"code": "1", "new": "x", "again": "x"}),
        ):
            assert answer.status_code == 302 and answer["Location"].startswith("/login")
    enter(client)
    for path in ("next", "code", "enrol", "certificate", "agreement"):
        assert client.get(f"/login/{path}")["Location"] == "/login/password"
    assert _shut(client)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:///evil",
        "\t//evil",
    ],
)
def test_sign_in_leads_to_no_foreign_address(hire, target):
    hire()
    answer = Client().post("/login", {"username": "zhang", "password": PASSWORD, "next": target})
    assert answer["Location"] == "/"


def test_tokens_guard_every_form(hire):
    hire()
    client = Client(enforce_csrf_checks=True)
    assert client.post("/login", {"username": "zhang", "password": PASSWORD}).status_code == 403
    for path in ("/logout", "/me/password", "/post/pair", "/people/1/leave", "/rights/1/roles"):
        assert client.post(path).status_code == 403


def test_cookies_of_a_secure_centre():
    import os
    import subprocess
    import sys

    code = (
        "import chuxiong.settings as s; assert s.SESSION_COOKIE_NAME == '__Host-session' and s.SESSION_COOKIE_SECURE"
        " and s.CSRF_COOKIE_SECURE and s.SECURE_HSTS_SECONDS >= 31536000 and s.DUTY_POST_COOKIE == '__Host-post'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "CHUXIONG_HTTPS": "1"}, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert settings.SESSION_COOKIE_HTTPONLY and settings.SESSION_COOKIE_SAMESITE == "Strict"
    assert settings.SESSION_ENGINE.endswith(".db") and not settings.DEBUG


def test_personal_pages_are_not_kept_by_the_browser(hire, admins):
    for name, paths in (
        ("system", ("/people", "/offices", "/posts", "/me")),
        ("security", ("/rights", "/confidentiality")),
    ):
        client = signed_in(name)
        for path in paths:
            assert "no-store" in client.get(path)["Cache-Control"]


def test_names_and_passwords_never_stand_in_addresses(hire):
    hire()
    answer: HttpResponse = Client().get("/login", {"username": "zhang", "password": PASSWORD})
    assert answer.status_code == 200 and PASSWORD not in answer.content.decode()
    assert "zhang" not in answer.content.decode()


async def _pour(chunks: int, headers: list[tuple[bytes, bytes]]) -> int:
    """Status of a body of so many MiB in chunks, without any length unless the headers say one."""
    from chuxiong.asgi import application

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/login", "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"testserver"), (b"content-type", b"application/octet-stream"), *headers],
    }  # fmt: skip
    request = ApplicationCommunicator(application, scope)
    for n in range(chunks):
        await request.send_input({"type": "http.request", "body": bytes(2**20), "more_body": n < chunks - 1})
    answer = await request.receive_output(timeout=20)
    return int(answer["status"])


def test_a_body_is_counted_as_it_arrives_whatever_its_length_says():
    cap = settings.REQUEST_BODY_MAX // 2**20
    for headers in ([], [(b"content-length", b"10")]):
        assert async_to_sync(_pour)(cap + 1, headers) == 413
    assert async_to_sync(_pour)(1, []) == 403, "a small one reaches the check of its token"


# ---- sockets -------------------------------------------------------------------------------------


def _socket(client: Client | None, origin: str | None) -> ApplicationCommunicator:
    from chuxiong.asgi import application

    headers = [(b"host", b"testserver")]
    if origin:
        headers.append((b"origin", origin.encode()))
    if client:
        headers.append((b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()))
    scope = {
        "type": "websocket",
        "path": "/ws/desk/",
        "query_string": b"",
        "headers": headers,
        "subprotocols": [],
    }
    return ApplicationCommunicator(application, scope)


async def _connect(socket: ApplicationCommunicator) -> bool:
    await socket.send_input({"type": "websocket.connect"})
    return (await socket.receive_output(timeout=5))["type"] == "websocket.accept"


async def _opens(client: Client | None, origin: str | None) -> bool:
    socket = _socket(client, origin)
    opened = await _connect(socket)
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(timeout=5)
    return opened


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://testserver.evil.example"])
def test_sockets_refuse_foreign_origins(hire, origin):
    hire()
    client = signed_in("zhang")
    assert async_to_sync(_opens)(client, "http://testserver")
    assert not async_to_sync(_opens)(client, origin)


def test_sockets_refuse_who_is_not_signed_in(hire):
    hire(must_change_password=True)
    hire("li")
    pending = Client()
    enter(pending)
    assert not async_to_sync(_opens)(None, "http://testserver")
    assert not async_to_sync(_opens)(pending, "http://testserver"), "a pending sign-in"
    client = signed_in("li")
    stays = PersonSession.objects.filter(ended_at__isnull=True)
    stays.update(seen_at=timezone.now() - timedelta(minutes=15))
    assert not async_to_sync(_opens)(client, "http://testserver"), "idle"


async def _closes(client: Client, change: Any, within: float) -> float | None:
    socket = _socket(client, "http://testserver")
    assert await _connect(socket)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await sync_to_async(change)()
    while loop.time() - began < within:
        try:
            message = await socket.receive_output(timeout=within)
        except TimeoutError:
            return None
        if message["type"] == "websocket.close":
            assert message["code"] == 4401
            return loop.time() - began
    return None


@pytest.mark.parametrize("how", ["sign out", "leave", "elsewhere"])
def test_an_open_socket_closes_when_the_stay_ends(hire, admins, how, capsys):
    person = hire()
    client = signed_in("zhang")
    change = {
        "sign out": lambda: client.post("/logout"),
        "leave": lambda: people.leave(by=admins["system"], pk=person.pk, reason="调离", at=timezone.now()),
        "elsewhere": lambda: signed_in("zhang"),
    }[how]
    taken = async_to_sync(_closes)(client, change, 10)
    assert taken is not None and taken < 5


def test_an_open_socket_closes_without_redis_too(hire, monkeypatch):
    """The word of the ended stay is lost: the socket's own look finds it."""
    from dashboard.consumers import DeskConsumer

    person = hire()
    client = signed_in("zhang")
    monkeypatch.setattr(DeskConsumer, "look_every", 0.2)
    quietly = PersonSession.objects.filter(person=person, ended_at__isnull=True)

    def change() -> None:
        quietly.update(ended_at=timezone.now(), ended_why="security")

    taken = async_to_sync(_closes)(client, change, 5)
    assert taken is not None


def test_another_persons_end_closes_nothing(hire):
    hire()
    hire("li")
    client, other = signed_in("zhang"), signed_in("li")
    assert async_to_sync(_closes)(client, lambda: other.post("/logout"), 1) is None
    assert client.get("/").status_code == 200
