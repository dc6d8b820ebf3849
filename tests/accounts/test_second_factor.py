"""Authenticator codes against RFC 6238, used once; recovery codes; enrolment; the QR picture."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from chuxiong.accounts import people, second_factor
from chuxiong.accounts.models import Person, RecoveryCode, SecondFactor
from chuxiong.accounts.policy import POLICY
from chuxiong.vault.secrets import seal_secret
from dashboard.accounts import qr_code
from tests.accounts.conftest import enter, signed_in


def totp(secret: bytes, at: float) -> str:
    """RFC 4226 and 6238 written out a second time."""
    digest = hmac.new(secret, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def secret_of(person: Person) -> bytes:
    found = second_factor.provisioning(person)
    assert found
    return base64.b32decode(found[1])


def enrolled(person: Person, at: datetime) -> bytes:
    second_factor.begin(person, at=at)
    secret = secret_of(person)
    assert second_factor.confirm(person, totp(secret, at.timestamp() - 30), at=at)
    return secret


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
    ],
)
def test_the_published_vectors(hire, at, code):
    person = hire()
    SecondFactor.objects.create(
        person=person,
        sealed_secret=seal_secret(b"12345678901234567890", f"totp:{person.pk}"),
        created_at=timezone.now(),
        confirmed_at=timezone.now(),
    )
    assert second_factor.check(person, code, at=datetime.fromtimestamp(at, UTC))


def test_a_code_works_once_within_one_step_either_way(hire):
    person, now = hire(), timezone.now()
    secret = enrolled(person, now)
    stamp = now.timestamp()
    assert not second_factor.check(person, totp(secret, stamp - 30), at=now), "spent at enrolment"
    assert not second_factor.check(person, totp(secret, stamp + 60), at=now)
    assert second_factor.check(person, totp(secret, stamp + 30), at=now)
    assert not second_factor.check(person, totp(secret, stamp + 30), at=now), "replayed"
    assert not second_factor.check(person, totp(secret, stamp), at=now), "older than the last one spent"
    later = now + timedelta(seconds=60)
    assert second_factor.check(person, totp(secret, later.timestamp()), at=later)


def test_ten_browsers_with_the_same_code_one_gets_in(hire):
    person, now = hire(), timezone.now()
    secret, won = enrolled(person, now), []
    code = totp(secret, now.timestamp())

    def attempt() -> None:
        try:
            won.extend([1] if second_factor.check(person, code, at=now) else [])
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "0x1234", "\x00" * 6]
)
def test_what_is_no_code_is_refused(hire, code):
    person, now = hire(), timezone.now()
    enrolled(person, now)
    assert not second_factor.check(person, code, at=now)


def test_recovery_codes_work_once_and_are_kept_as_digests(hire):
    person, now = hire(), timezone.now()
    enrolled(person, now)
    codes = second_factor.new_recovery_codes(person)
    assert len(set(codes)) == POLICY.second_factor.recovery_codes.value
    assert second_factor.check(person, codes[0].upper().replace("-", " "), at=now)
    assert not second_factor.check(person, codes[0], at=now)
    assert second_factor.recovery_left(person) == len(codes) - 1
    kept = "".join(RecoveryCode.objects.values_list("digest", flat=True))
    assert not any(code.replace("-", "") in kept for code in codes)
    other = hire("li")
    enrolled(other, now)
    assert not second_factor.check(other, codes[1], at=now), "another person's"


def test_the_whole_way_with_a_required_factor(hire):
    person = hire(second_factor_required=True)
    client = Client()
    assert enter(client)["Location"] == "/login/enrol"
    page = client.get("/login/enrol")
    assert page["Cache-Control"].count("no-store")
    assert client.get("/").status_code == 302 and client.get("/login/code")["Location"] == "/login/enrol"
    picture = client.get("/second-factor.svg")
    assert picture["Content-Type"] == "image/svg+xml" and b"<script" not in picture.content
    secret = secret_of(person)
    assert base64.b32encode(secret).decode()[:4] in page.content.decode()
    assert client.post("/login/enrol", {"code": "000000"}).status_code == 401
    now = timezone.now()
    shown = client.post("/login/enrol", {"code": totp(secret, now.timestamp() - 30)})
    assert shown.content.decode().count("<li><code>") == POLICY.second_factor.recovery_codes.value
    assert client.get("/second-factor.svg").status_code == 404, "the secret is shown to nobody any more"
    assert client.get("/login/next")["Location"] == "/"
    assert client.get("/").status_code == 200
    again = Client()
    assert enter(again)["Location"] == "/login/code"
    assert again.post("/login/code", {"code": totp(secret, now.timestamp() - 30)}).status_code == 401
    assert again.post("/login/code", {"code": totp(secret, timezone.now().timestamp())})["Location"] == "/"


def test_guesses_at_codes_are_locked(hire):
    person = hire()
    enrolled(person, timezone.now())
    client = Client()
    enter(client)
    limit = POLICY.lock.limits["code"].value
    told = [client.post("/login/code", {"code": f"{n:06d}"}).status_code for n in range(limit + 2)]
    assert told[limit:] == [429, 429] and set(told[:limit]) <= {401, 302}


def test_the_security_administrator_resets_and_the_next_sign_in_enrols(hire, admins):
    person = hire(second_factor_required=True)
    enrolled(person, timezone.now())
    people.reset_second_factor(by=admins["security"], pk=person.pk, reason="手机遗失", at=timezone.now())
    assert enter(Client())["Location"] == "/login/enrol"


def test_own_page_draws_new_recovery_codes_only_for_a_present_code(hire):
    person, now = hire(), timezone.now()
    secret = enrolled(person, now)
    client = Client()
    enter(client)
    client.post("/login/code", {"code": totp(secret, now.timestamp())})
    before = set(RecoveryCode.objects.values_list("digest", flat=True))
    assert client.post("/me/second-factor", {"act": "codes", "code": "000000"}).status_code == 401
    assert set(RecoveryCode.objects.values_list("digest", flat=True)) == before
    code = totp(secret, timezone.now().timestamp() + 30)
    assert client.post("/me/second-factor", {"act": "codes", "code": code}).status_code == 200
    assert not set(RecoveryCode.objects.values_list("digest", flat=True)) & before


def test_the_address_in_the_picture(hire):
    person = hire()
    second_factor.begin(person, at=timezone.now())
    found = second_factor.provisioning(person)
    assert found
    parts = urlsplit(found[0])
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert query["secret"] == [found[1]] and query["digits"] == ["6"] and query["period"] == ["30"]


#: SHA-256 of the modules (rows of 0 and 1) as the reference encoder `qrcode` 8 draws them at level M.
GOLDEN = {
    "otpauth://totp/Chuxiong:zhang?digits=6&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&algorithm=SHA1&issuer=Chuxiong&period=30": "eba7fa0ea51814345381b89d40e37ab3071ceaa2071324d498c233d669c30a67",
    "a": "e8ab680854e4019c4ac89bd0e19dfe1f7e967f3cafd048091b3e3ec474b6f431",
    "楚雄": "ec07dd879b16dd89a39f7dc84d8b68c7d6627d586ba96ea2dec74ea8be425f3b",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": "9040f52bb1e8a29864239cab4d100956b91f7072a4a936eac1c4512567671e4f",
    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy": "230adb2b282df71c405a01a24dc833c1eab6b49b30c774cf62628459aa935412",
    "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789": "07f4627e95c7e36e142bbc6b32c9ddf86e0ca8731349405f78c33d6e9c357676",
}


@pytest.mark.parametrize("data", sorted(GOLDEN))
def test_the_picture_is_what_a_reference_encoder_draws(data):
    rows = "\n".join("".join(map(str, row)) for row in qr_code.matrix(data.encode()))
    assert hashlib.sha256(rows.encode()).hexdigest() == GOLDEN[data]


def test_too_much_for_the_picture_is_refused():
    with pytest.raises(ValueError, match="214 bytes"):
        qr_code.matrix(b"x" * 214)


def test_pictures_of_others_are_not_served(hire):
    hire(second_factor_required=True)
    assert Client().get("/second-factor.svg").status_code == 404
    assert signed_in(hire("li").username).get("/second-factor.svg").status_code == 404
