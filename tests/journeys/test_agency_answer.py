"""A confirmed clue is fed back; the agency signs for it and answers by signed requests."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings
from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from chuxiong.vault.keys import keys
from ingestion.api.signing import sign, string_to_sign
from supervision.clients import new_client
from supervision.clues import actions
from supervision.models import AgencyClient, Clue, Letter
from tests.conftest import acting_as
from tests.front import carry
from tests.prefecture import NOW, person


class Agency:
    """A client machine that signs as the interface describes."""

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret, self.http = key, bytes.fromhex(secret), Client()

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        nonce: str | None = None,
        when: float | None = None,
        key: str | None = None,
        **headers: str,
    ):  # type: ignore[no-untyped-def]
        data = json.dumps(body).encode() if body is not None else b""
        stamp, nonce = str(int((when or time.time()) * 1000)), nonce or secrets.token_hex(12)
        algorithm = headers.pop("algorithm", "HMAC-SM3")
        signature = sign(self.secret, string_to_sign(method, path, data, stamp, nonce), algorithm)
        signed = {
            "X-App-Key": self.key,
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": signature,
            "X-Signature-Alg": algorithm,
        }
        if method == "POST":
            signed["Idempotency-Key"] = key or secrets.token_hex(8)
        return self.http.generic(
            method, path, data, content_type="application/json", headers=signed | headers
        )


@pytest.fixture
def agency(database) -> Agency:
    with acting_as("owner"):
        client, secret = new_client(agency="hr_bureau", agency_zh="人社局")
    carry()
    return Agency(client.key, secret)


@pytest.fixture
def letter(agency):
    zhou = person("zhou")
    clue = actions.enter(
        by=zhou, at=NOW, title="河道垃圾", office="532301", township="示例镇", occurred_on=NOW.date(),
        level="important", text="桥下堆放垃圾约两立方米",
    )  # fmt: skip
    number = clue.number
    actions.accept(clue_number=number, by=zhou, at=NOW)
    actions.dispatch(clue_number=number, by=zhou, at=NOW, office="532301", department="public_interest")
    actions.receive(clue_number=number, by=zhou, at=NOW)
    actions.conclude(clue_number=number, by=zhou, at=NOW, finding="confirmed", note="现场查看属实")
    sent = actions.feed_back(
        clue_number=number, by=zhou, at=timezone.now(), agency="hr_bureau",
        subject="反馈管理漏洞", text="请核实并整改",
    )  # fmt: skip
    carry()
    return sent


def _path(letter, verb: str = "") -> str:
    return f"/api/v1/received/{quote(letter.number)}{'/' + verb if verb else ''}"


def test_the_letter_is_listed_signed_for_and_answered_once(agency, letter):
    listed = agency.send("GET", "/api/v1/received")
    assert listed.status_code == 200, listed.content
    assert [item["number"] for item in listed.json()["items"]] == [letter.number]
    read = agency.send("GET", _path(letter))
    tag = read.headers["ETag"]
    signed = agency.send("POST", _path(letter, "acknowledge"), {}, **{"If-Match": tag})
    assert signed.status_code == 200, signed.content
    again = agency.send("POST", _path(letter, "acknowledge"), {}, **{"If-Match": tag})
    assert again.json()["version"] == signed.json()["version"]
    answer = {"answer": "corrected", "text": "已清理完毕"}
    first = agency.send("POST", _path(letter, "answer"), answer, **{"If-Match": signed.headers["ETag"]})
    assert first.status_code == 200, first.content
    replay = agency.send("POST", _path(letter, "answer"), answer, **{"If-Match": signed.headers["ETag"]})
    assert (replay.status_code, replay.json()["version"]) == (200, first.json()["version"])
    assert carry() == 2
    with scope(offices=all_offices()):
        kinds = [e.kind for e in Clue.objects.get(number__startswith="XS").events.all()]
    assert kinds[-2:] == ["acknowledged", "answered"]


def test_the_front_serves_the_same_without_the_keys_of_the_vault(agency, letter):
    keys.cache_clear()
    with override_settings(ROOT_URLCONF="chuxiong.urls_front", VAULT_KEYS=Path("/nonexistent")):
        signed = agency.send("POST", _path(letter, "acknowledge"), {}, **{"If-Match": '"1"'})
        answer = {"answer": "corrected", "text": "已清理完毕"}
        done = agency.send("POST", _path(letter, "answer"), answer, **{"If-Match": signed.headers["ETag"]})
        assert (signed.status_code, done.status_code) == (200, 200), done.content
        lost = Client().get("/wall/")
        assert (lost.status_code, lost.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_stale_answer_is_told_so(agency, letter):
    agency.send("POST", _path(letter, "acknowledge"), {}, **{"If-Match": '"1"'})
    late = agency.send(
        "POST", _path(letter, "answer"), {"answer": "objection", "text": "不属实"}, **{"If-Match": '"1"'}
    )
    assert late.status_code == 412
    assert late.headers["Content-Type"] == "application/problem+json"
    assert late.json()["current"]["acknowledged_at"] and late.json()["current"]["version"] == 2
    missing = agency.send("POST", _path(letter, "answer"), {"answer": "objection", "text": "不属实"})
    assert missing.status_code == 428


def test_where_the_letter_changed_here_meanwhile_ours_stands(agency, letter):
    """The agency answered its copy; before the answer came in, the letter was changed inside."""
    answered = agency.send("POST", _path(letter, "answer"), {"answer": "corrected"}, **{"If-Match": '"1"'})
    assert answered.json()["version"] == 2
    with acting_as("owner"):
        Letter.objects.filter(pk=letter.pk).update(version=7, text="更正后的正文", updated_at=timezone.now())
    assert carry() == 1
    read = agency.send("GET", _path(letter))
    assert (read.headers["ETag"], read.json()["text"], read.json()["answer"]) == ('"7"', "更正后的正文", "")
    agency.send("POST", _path(letter, "answer"), {"answer": "corrected"}, **{"If-Match": '"7"'})
    assert carry() == 1
    with scope(offices=all_offices()):
        assert Letter.objects.get(pk=letter.pk).answer == "corrected"


def test_an_answer_lies_sealed_at_the_front(agency, letter):
    agency.send(
        "POST", _path(letter, "answer"), {"answer": "objection", "text": "绝密说明"}, **{"If-Match": '"1"'}
    )
    with connections["front"].cursor() as cursor:
        cursor.execute("select box, head::text from front_inbox")
        box, head = cursor.fetchone()
    assert "绝密".encode() not in bytes(box) and "绝密" not in head


def test_another_agency_sees_nothing(agency, letter):
    with acting_as("owner"):
        other, secret = new_client(agency="ee_bureau", agency_zh="生态环境局")
    carry()
    stranger = Agency(other.key, secret)
    assert stranger.send("GET", "/api/v1/received").json()["items"] == []
    assert stranger.send("GET", _path(letter)).status_code == 404
    assert (
        stranger.send(
            "POST", _path(letter, "answer"), {"answer": "corrected"}, **{"If-Match": '"1"'}
        ).status_code
        == 404
    )


@pytest.mark.parametrize("algorithm", ["HMAC-SM3", "HMAC-SHA256"])
def test_only_a_fresh_true_signature_opens(agency, letter, algorithm):
    assert agency.send("GET", "/api/v1/received", algorithm=algorithm).status_code == 200
    nonce = secrets.token_hex(12)
    assert agency.send("GET", "/api/v1/received", nonce=nonce, algorithm=algorithm).status_code == 200
    assert agency.send("GET", "/api/v1/received", nonce=nonce, algorithm=algorithm).status_code == 401
    assert (
        agency.send("GET", "/api/v1/received", when=time.time() - 900, algorithm=algorithm).status_code == 401
    )
    agency.secret = bytes(32)
    assert agency.send("GET", "/api/v1/received", algorithm=algorithm).status_code == 401
    assert Client().get("/api/v1/received").status_code == 401


def test_a_closed_client_is_shut_out(agency, letter):
    AgencyClient.objects.using("owner").filter(key=agency.key).update(active=False)
    carry()
    assert agency.send("GET", "/api/v1/received").status_code == 401


@pytest.mark.parametrize(
    "body",
    [{"answer": "maybe"}, {"antwort": "corrected"}, [], {"answer": "corrected", "text": "a\x00b"}, "x"],
)
def test_bad_bodies_are_named_and_change_nothing(agency, letter, body):
    answer = agency.send("POST", _path(letter, "answer"), body, **{"If-Match": '"1"'})
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"]
    assert agency.send("GET", _path(letter)).headers["ETag"] == '"1"'


def test_the_schema_is_served_and_names_every_door():
    schema = Client().get("/api/v1/openapi.json").json()
    assert set(schema["paths"]) == {
        "/api/v1/received",
        "/api/v1/received/{number}",
        "/api/v1/received/{number}/records",
        "/api/v1/received/{number}/acknowledge",
        "/api/v1/received/{number}/files",
        "/api/v1/received/{number}/answer",
        "/api/v1/feeds",
        "/api/v1/feeds/{feed}/files",
        "/api/v1/deliveries/{code}",
        "/api/v1/webhook",
    }


def test_the_worked_example_follows_from_its_own_values():
    described = Client().get("/api/v1/openapi.json").json()["info"]["description"]
    example = re.search(r"Worked example.*?```\n(.*?)```", described, re.S)
    assert example
    secret, body, text, sm3, sha256 = (part.split("\n", 1)[1] for part in example[1].strip().split("\n\n"))
    method, path, digest, stamp, nonce = text.split("\n")
    assert (method, path) == ("POST", f"/api/v1/received/{quote('楚检反馈〔2026〕1号')}/answer")
    assert digest == hashlib.sha256(body.encode()).hexdigest() and json.loads(body)["answer"] == "corrected"
    assert stamp.isdigit() and 8 <= len(nonce) <= 64
    assert sha256 == hmac.new(bytes.fromhex(secret), text.encode(), hashlib.sha256).hexdigest()
    assert sm3 == hmac.new(bytes.fromhex(secret), text.encode(), "sm3").hexdigest()


@pytest.mark.parametrize("stamp", ["now", "2026-01-01T00:00:00Z", "9" * 5000, "-1"])
def test_a_timestamp_that_is_no_number_is_named(agency, stamp):
    headers = {"X-App-Key": agency.key, "X-Timestamp": stamp, "X-Nonce": "n" * 16, "X-Signature": "00"}
    answer = Client().get("/api/v1/received", headers=headers)
    assert answer.status_code == 401 and "毫秒数，只含数字" in answer.json()["detail"]


def test_the_description_is_made_without_a_warning_in_both_languages(capsys):
    call_command("spectacular", fail_on_warn=True, validate=True)
    document = yaml.safe_load(capsys.readouterr().out)
    operations = [one for path in document["paths"].values() for one in path.values()]
    signed = {"AppKey": [], "Timestamp": [], "Nonce": [], "Signature": []}
    for one in operations:
        assert one["security"] == [signed], one["operationId"]
        assert all(answer["description"] for answer in one["responses"].values()), one["operationId"]
        for words in (
            one["summary"],
            one["description"],
            *(p["description"] for p in one.get("parameters", [])),
        ):
            assert re.search(r"[\u4e00-\u9fff]", words) and re.search(r"[A-Za-z]{2}", words), words


def test_answers_move_the_clue_to_its_end(agency, letter):
    head = person("wu", roles=("head",))
    with scope(offices=all_offices()):
        number = Clue.objects.get().number
    actions.settle(
        clue_number=number, by=head, at=NOW + timedelta(days=3), outcome="improved", note="单位已整改"
    )
    from dashboard.indicators.funnel import funnel

    counts = funnel()
    assert (counts.found, counts.checked, counts.confirmed, counts.improved) == (1, 1, 1, 1)
    assert counts.confirmed == counts.corrected + counts.improved + counts.in_progress
