"""Client certificates by way of a gateway: every forged report is refused, in every mode."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone

from chuxiong.accounts import gateway, people
from chuxiong.accounts.gateway import Reported, proof, text_to_sign
from dashboard.accounts.gateway import GatewayMiddleware
from tests.accounts.conftest import audited, enter

SECRET = "a secret of the gateway, long enough 0123456789"
ISSUER, SERIAL = "CN=Chuxiong Test CA,O=Nobody", "1A2B3C4D"


@contextmanager
def mode(name: str) -> Iterator[None]:
    with override_settings(GATEWAY_MODE=name, GATEWAY_SECRET=SECRET):
        yield


def report(
    *,
    method: str = "POST",
    path: str = "/login",
    serial: str = SERIAL,
    issuer: str = ISSUER,
    verified: str = "SUCCESS",
    at: float | None = None,
    secret: str = SECRET,
    signed: str | None = None,
) -> dict[str, str]:
    """Headers as an honest gateway sets them, or a forger who lacks something."""
    stamp = str(int(time.time() if at is None else at))
    told = Reported(verified, issuer, serial, stamp, "")
    names = settings.GATEWAY_HEADERS
    return {
        names["verified"]: verified,
        names["issuer"]: issuer,
        names["serial"]: serial,
        names["time"]: stamp,
        names["proof"]: proof(secret.encode(), text_to_sign(method, path, told))
        if signed is None
        else signed,
    }


@pytest.fixture
def holder(hire, admins):
    person = hire(second_factor_required=True)
    day = timezone.localdate()
    people.register_certificate(
        by=admins["security"],
        pk=person.pk,
        issuer=ISSUER,
        serial="1a:2b:3c:4d",
        valid_from=day,
        valid_to=day,
        at=timezone.now(),
    )
    return person


def test_password_and_certificate_are_two_factors(holder):
    with mode("signed"):
        assert enter(Client(), headers=report())["Location"] == "/"
        assert enter(Client())["Location"] == "/login/certificate", "the password alone leads no further"
        assert enter(Client(), password="Wrong-Wrong-11", headers=report()).status_code == 401


FORGERIES = {
    "no proof": report(signed=""),
    "foreign secret": report(secret="another secret of the same length 0123456789"),
    "the secret itself as proof": report(signed=SECRET),
    "signed for another path": report(path="/"),
    "signed for another method": report(method="GET"),
    "too old": report(at=time.time() - 3600),
    "from the future": report(at=time.time() + 3600),
    "not verified": report(verified="FAILED:self-signed"),
    "never asked for": report(verified="NONE"),
    "no serial": report(serial=""),
    "two serials": report(serial=f"{SERIAL},{SERIAL}"),
    "serial with a line": report(serial=f"{SERIAL}\t"),
    "not hexadecimal": report(serial="zhang"),
    "another issuer": report(issuer="CN=Somebody Else"),
    "another serial": report(serial="99"),
    "values moved between fields": {**report(), settings.GATEWAY_HEADERS["issuer"]: f"{ISSUER}\n{SERIAL}"},
    "time that is no number": {**report(), settings.GATEWAY_HEADERS["time"]: "now"},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_reports_open_nothing(holder, name):
    with mode("signed"):
        client = Client()
        assert enter(client, headers=FORGERIES[name]).headers.get("Location") in (None, "/login/certificate")
        assert client.get("/session").status_code == 401


@pytest.mark.parametrize("headers", [report(), report(signed=SECRET)])
def test_off_means_off(holder, headers):
    assert settings.GATEWAY_MODE == "off", "the default"
    client = Client()
    assert enter(client, headers=headers)["Location"] == "/login/certificate"
    assert client.get("/session").status_code == 401


def test_a_signed_report_signs_in_once(holder):
    headers = report()
    with mode("signed"):
        assert enter(Client(), headers=headers)["Location"] == "/"
        replayed = Client()
        assert enter(replayed, headers=headers).status_code == 401
        assert replayed.get("/session").status_code == 401
    assert audited("sign_in.certificate_refused") == [("zhang", "zhang")]


def test_one_persons_certificate_is_not_anothers(holder, hire):
    hire("li")
    with mode("signed"):
        assert enter(Client(), "li", headers=report()).status_code == 401


def test_revoked_and_expired_certificates(holder, admins):
    now = timezone.now()
    found = gateway.Presented(ISSUER, SERIAL, "")
    assert gateway.holder(found, at=now) == holder
    assert gateway.holder(found, at=now + timedelta(days=1)) is None
    assert gateway.holder(found, at=now - timedelta(days=1)) is None
    people.revoke_certificate(
        by=admins["security"], pk=holder.pk, certificate=holder.certificates.get().pk, at=now
    )
    assert gateway.holder(found, at=now) is None


@pytest.mark.parametrize(
    ("peer", "signed", "believed"),
    [
        ("127.0.0.1", SECRET, True),
        ("::1", SECRET, True),
        ("10.1.2.3", SECRET, False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", SECRET + "x", False),
        ("127.0.0.1.example", SECRET, False),
    ],
)
def test_local_mode_wants_this_machine_and_the_secret(holder, peer, signed, believed):
    with mode("local"):
        answer = enter(Client(REMOTE_ADDR=peer), headers=report(signed=signed))
    assert answer["Location"] == ("/" if believed else "/login/certificate")


def _seen(request) -> dict[str, object]:  # type: ignore[no-untyped-def]
    caught: dict[str, object] = {}

    def respond(inner):  # type: ignore[no-untyped-def]
        caught["headers"] = {k: v for k, v in inner.headers.items() if "Client" in k or "Gateway" in k}
        caught["certificate"] = inner.certificate
        from django.http import HttpResponse

        return HttpResponse()

    GatewayMiddleware(respond)(request)
    return caught


@pytest.mark.parametrize("name", ["off", "signed", "local"])
def test_nothing_below_sees_the_headers(name):
    with mode(name):
        seen = _seen(RequestFactory(headers=report(secret="wrong")).post("/login"))
    assert seen == {"headers": {}, "certificate": None}


def test_underscores_do_not_smuggle_headers_in():
    """Under ASGI a header ``X_Client_Serial`` must not become ``X-Client-Serial``."""
    from django.core.handlers.asgi import ASGIRequest

    raw = [(k.lower().replace("-", "_").encode(), v.encode()) for k, v in report().items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/login",
        "headers": raw,
        "query_string": b"",
        "client": ["127.0.0.1", 1],
    }
    import io

    with mode("signed"):
        assert _seen(ASGIRequest(scope, io.BytesIO()))["certificate"] is None


def test_the_secret_is_wanted_when_the_gateway_is_on():
    import os
    import subprocess
    import sys

    environment = {**os.environ, "CHUXIONG_GATEWAY": "signed", "CHUXIONG_GATEWAY_SECRET": "short"}
    done = subprocess.run(
        [sys.executable, "-c", "import chuxiong.settings"], env=environment, capture_output=True, text=True
    )
    assert done.returncode and ImproperlyConfigured.__name__ in done.stderr and "32" in done.stderr
