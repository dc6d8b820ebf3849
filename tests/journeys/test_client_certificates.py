"""Client certificates of the agencies' interface: which client they belong to, from when to when; kept by a command."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from supervision.models import AgencyCertificate, AgencyClient
from tests.front import carry
from tests.journeys.test_agency_answer import Agency

_PROOF = "a shared secret of the gateway and the front"
_PATH = "/api/v1/received"


def _client(*words: object) -> dict[str, str]:
    out = io.StringIO()
    call_command("client", *map(str, words), "--json", stdout=out)
    return json.loads(out.getvalue())  # type: ignore[no-any-return]


def _made(folder: Path, serial: int, *, days: tuple[int, int] = (-1, 30)) -> Path:
    """A certificate of an authority with a Chinese name."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, subject = (
        x509.Name(
            [x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
        )
        for name in ("示例证书中心", f"machine {serial}")
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{serial}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


#: as nginx reports the issuer above ($ssl_client_i_dn)
_ISSUER = "CN=" + "".join(f"\\{b:02X}" for b in "示例证书中心".encode()) + ",C=CN"


def _shows(serial: int, *, proof: str = _PROOF, verified: str = "SUCCESS") -> dict[str, str]:
    return {
        "X-Client-Verify": verified,
        "X-Client-Issuer": _ISSUER,
        "X-Client-Serial": f"{serial:x}",
        "X-Gateway-Proof": proof,
    }


@pytest.fixture
def agencies(database) -> tuple[Agency, Agency]:
    made = [
        _client("create", "hr_bureau"),
        _client("create", "some_office", "--name", "某办", "--scopes", "letters"),
    ]
    carry()
    return Agency(made[0]["key"], made[0]["secret"]), Agency(made[1]["key"], made[1]["secret"])


def test_a_client_with_a_certificate_calls_with_its_own_alone(agencies, tmp_path):
    own, other = agencies
    _client("certificate", own.key, _made(tmp_path, 0xA1))
    _client("certificate", other.key, _made(tmp_path, 0xB2))
    carry()
    with override_settings(GATEWAY_MODE="local", GATEWAY_SECRET=_PROOF):
        assert own.send("GET", _PATH, **_shows(0xA1)).status_code == 200
        for shown in (
            {}, _shows(0xB2), _shows(0xC3), _shows(0xA1, proof="x"), _shows(0xA1, verified="FAILED"), _shows(0xA1, verified="NONE"),
        ):  # fmt: skip
            refused = own.send("GET", _PATH, **shown)
            assert (refused.status_code, refused.json()["code"]) == (403, "certificate_refused"), shown
    # Without a gateway nobody vouches: what a header says counts for nothing.
    assert own.send("GET", _PATH, **_shows(0xA1)).status_code == 403
    # A wrong signature tells nothing of certificates.
    wrong = Agency(own.key, "00" * 32)
    assert wrong.send("GET", _PATH).status_code == 401


def test_days_revocation_and_the_rule_that_everybody_needs_one(agencies, tmp_path):
    own, other = agencies
    with override_settings(GATEWAY_MODE="local", GATEWAY_SECRET=_PROOF):
        assert own.send("GET", _PATH).status_code == 200, "none is registered yet, and none is needed"
        with override_settings(FRONT_CERTIFICATES_REQUIRED=True):
            assert own.send("GET", _PATH).status_code == 403
        made = _client("certificate", own.key, _made(tmp_path, 0xA1))
        _client("certificate", own.key, _made(tmp_path, 0xA2, days=(2, 30)))
        carry()
        assert own.send("GET", _PATH, **_shows(0xA1)).status_code == 200
        early = own.send("GET", _PATH, **_shows(0xA2))
        assert early.status_code == 403 and "有效期" in early.json()["detail"]
        # A client without one does not borrow another's.
        assert other.send("GET", _PATH).status_code == 200
        assert other.send("GET", _PATH, **_shows(0xA1)).status_code == 403
        _client("uncertificate", made["fingerprint"][:12])
        carry()
        assert own.send("GET", _PATH, **_shows(0xA1)).status_code == 403
        assert own.send("GET", _PATH).status_code == 403, "a revoked one does not make it need none"
    assert AgencyCertificate.objects.filter(revoked_on=timezone.localdate()).count() == 1


def test_what_is_no_certificate_or_somebody_elses_is_refused_in_words(agencies, tmp_path):
    own, other = agencies
    good = _made(tmp_path, 0xA1)
    _client("certificate", own.key, good)
    bad = tmp_path / "key.pem"
    bad.write_text("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n")
    for words, said in (
        (("certificate", other.key, good), "已登记过"),
        (("certificate", other.key, bad), "不是 PEM"),
        (("certificate", other.key, tmp_path / "none"), "读不到"),
        (("certificate", "nobody", good), "没有应用标识"),
        (("certificate", other.key, _made(tmp_path, 0xD4, days=(-30, -2))), "过期"),
        (("uncertificate", "00"), "指纹"),
        (("create", "some_new_office"), "--name"),
    ):
        with pytest.raises(CommandError, match=said):
            _client(*words)


def test_secrets_are_changed_and_clients_ended_by_the_command(agencies):
    own, other = agencies
    fresh = _client("rotate", own.key)
    carry()
    assert own.send("GET", _PATH).status_code == 401
    assert Agency(own.key, fresh["secret"]).send("GET", _PATH).status_code == 200
    _client("revoke", other.key)
    carry()
    assert other.send("GET", _PATH).status_code == 401
    listed = {row["key"]: row for row in _client("list")}  # type: ignore[index]
    assert listed[own.key]["active"] and not listed[other.key]["active"]  # type: ignore[index]
    assert fresh["secret"] not in json.dumps(listed)
    with pytest.raises(CommandError, match="已停用"):
        _client("rotate", other.key)
    assert AgencyClient.objects.count() == 2
