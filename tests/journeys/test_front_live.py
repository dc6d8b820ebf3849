"""The front as agencies meet it: a process of its own, spoken to over HTTP by whatever they have."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg2
import pytest
import requests
import schemathesis
from django.db import connections
from django.test import override_settings as django_settings
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from ingestion.api.signing import sign, string_to_sign
from ingestion.exchange.front import store
from supervision.clients import new_client
from tests.conftest import acting_as
from tests.front import ROOT, carry, live
from tests.journeys import test_agency_answer

letter = test_agency_answer.letter


@pytest.fixture(scope="module")
def front() -> Iterator[str]:
    with live() as address:
        yield address


class Signed(requests.auth.AuthBase):
    """Signs a prepared request as the interface describes."""

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret = key, bytes.fromhex(secret)

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        body = r.body or b""
        body = body.encode() if isinstance(body, str) else body
        parts, stamp, nonce = urlsplit(str(r.url)), str(int(time.time() * 1000)), secrets.token_hex(12)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        signature = sign(self.secret, string_to_sign(str(r.method), path, body, stamp, nonce))
        r.headers.update(
            {
                "X-App-Key": self.key, "X-Timestamp": stamp, "X-Nonce": nonce, "X-Signature": signature,
                "X-Content-SHA256": hashlib.sha256(body).hexdigest(),
            }
        )  # fmt: skip
        r.headers.pop("X-Signature-Alg", None)
        return r


@pytest.fixture
def agency(database) -> Signed:
    with acting_as("owner"):
        client, secret = new_client(agency="hr_bureau", agency_zh="人社局")
    carry()
    return Signed(client.key, secret)


def _forget_quota() -> None:
    with connections["front"].cursor() as cursor:
        cursor.execute("delete from front_quota")


# ---- the description holds -----------------------------------------------------------------------

_CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]
_EXAMPLES = 10


def test_whatever_the_description_allows_is_answered_as_it_says(front, agency, letter):
    """Every operation, with what the description allows and what it does not: no fault of ours, no answer beyond it."""
    schema = schemathesis.openapi.from_url(f"{front}/api/v1/openapi.json")
    seen: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        _forget_quota()
        operation = found.ok()
        seen[operation.label] = _asked(operation, front, agency, letter.number)
    assert len(seen) == 12
    assert {200, 400, 404} <= set().union(*seen.values()), seen
    # Signed as it should be; a body under another digest than the one signed is the one exception.
    assert not [label for label, answers in seen.items() if answers == {401}], seen


def _asked(operation: Any, front: str, agency: Signed, number: str) -> set[int]:
    answers: set[int] = set()

    @settings(
        max_examples=_EXAMPLES, deadline=None, database=None, print_blob=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(list(schemathesis.GenerationMode)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if "number" in (case.path_parameters or {}) and data.draw(st.integers(0, 3)):
            case.path_parameters["number"] = number
        if "If-Match" in (case.headers or {}) and data.draw(st.booleans()):
            case.headers["If-Match"] = '"1"'
        if isinstance(case.body, dict) and "answer" in case.body and data.draw(st.booleans()):
            case.body["answer"] = data.draw(st.sampled_from(["corrected", "objection", "extension"]))
        answer = case.call(base_url=front, auth=agency)
        answers.add(answer.status_code)
        case.validate_response(answer, checks=_CHECKS)

    ask()
    return answers


# ---- once, whatever comes again and in which order -----------------------------------------------


def _post(front: str, agency: Signed, path: str, body: Any, key: str, tag: str = '"1"') -> requests.Response:
    return requests.post(
        f"{front}{path}",
        json=body,
        auth=agency,
        timeout=30,
        headers={"Idempotency-Key": key, "If-Match": tag},
    )


def test_the_same_key_at_once_is_one_answer(front, agency, letter):
    path = f"/api/v1/received/{quote(letter.number)}/answer"
    body = {"answer": "objection", "text": "不属实"}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: _post(front, agency, path, body, "one-key-01"), range(6)))
    assert [a.status_code for a in answers] == [200] * 6, [a.text for a in answers]
    assert {a.json()["version"] for a in answers} == {2}
    assert sum(a.headers.get("Idempotency-Replayed") != "true" for a in answers) == 1
    other = _post(front, agency, path, {"answer": "corrected"}, "one-key-01", '"2"')
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert carry() == 1


def test_of_two_people_at_once_one_wins_and_the_other_is_told_what_changed(front, agency, letter):
    path = f"/api/v1/received/{quote(letter.number)}/answer"
    said = [{"answer": "corrected", "text": "已整改"}, {"answer": "not_ours", "text": "由另一单位负责"}]
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda n: _post(front, agency, path, said[n], f"key-of-person-{n}"), range(2))
        )
    assert sorted(a.status_code for a in answers) == [200, 412]
    won, lost = sorted(answers, key=lambda a: a.status_code)
    assert lost.json()["code"] == "version_changed"
    assert lost.json()["current"]["answer"] == won.json()["answer"] and lost.json()["current"]["version"] == 2
    assert carry() == 1


# ---- the front has no pool and no way in ---------------------------------------------------------


def test_its_process_holds_no_secret_of_the_inner_side(front):
    """Neither an address of the centre's database, nor the vault's keys, nor the servers behind."""
    from chuxiong.up.services import of_duty
    from tests.conftest import _services

    held = {k: v for k, v in of_duty("front", _services.environment).items() if k.startswith("CHUXIONG_")}
    assert [k for k in held if "DATABASE_URL" in k] == ["CHUXIONG_DATABASE_URL_FRONT"]
    assert not {"CHUXIONG_VAULT_KEYS", "CHUXIONG_REDIS_URL", "CHUXIONG_SUPERUSER_URL"} & set(held)
    for path in ("/", "/clues", "/provider/", "/feeds", "/api/v1/nothing"):
        lost = requests.get(f"{front}{path}", timeout=30)
        assert (lost.status_code, lost.headers["Content-Type"]) == (404, "application/problem+json"), path


def test_its_database_holds_its_own_tables_alone_and_its_role_enters_no_other(front):
    """No pool, no people, no clues at the front; and with its password in hand no way to where they are."""
    address = os.environ["CHUXIONG_DATABASE_URL_FRONT"]
    with closing(psycopg2.connect(address)) as held, held.cursor() as cursor:
        cursor.execute(
            "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema')"
            " and n.nspname not like 'pg_toast%'"
        )
        tables = {name for (name,) in cursor.fetchall()}
        assert tables == {f"public.{name}" for name in store.TABLES}
        cursor.execute(
            "select rolsuper or rolcreatedb or rolcreaterole from pg_roles where rolname = current_user"
        )
        assert cursor.fetchone() == (False,)
    centre = urlsplit(os.environ["CHUXIONG_DATABASE_URL_WEB"]).path
    own = urlsplit(address)
    for name in (centre, "/postgres", "/template1"):
        with pytest.raises(psycopg2.OperationalError, match="permission denied"):
            psycopg2.connect(own._replace(path=name).geturl())


# ---- the sample clients --------------------------------------------------------------------------

CLIENTS = ROOT / "clients"


def _environment(front: str, agency: Signed) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "AGENCY_URL": front, "AGENCY_KEY": agency.key, "AGENCY_SECRET": agency.secret.hex(),
        "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8",
    }  # fmt: skip


def _says(command: list[str], environment: dict[str, str], status: int = 0) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, (command, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(params=["python", "curl", "java"])
def client(request, tmp_path) -> list[str]:
    """The command of one sample client."""
    if request.param == "python":
        return [sys.executable, str(CLIENTS / "agency.py")]
    if request.param == "curl":
        if not (shutil.which("curl") and shutil.which("openssl")):
            pytest.skip("no curl or openssl here")
        return ["bash", str(CLIENTS / "agency.sh")]
    if not shutil.which("javac"):
        pytest.skip("no JDK here")
    subprocess.run(
        ["javac", "-encoding", "UTF-8", "-d", str(tmp_path), str(CLIENTS / "Agency.java")],
        check=True,
        timeout=120,
    )
    return ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", str(tmp_path), "Agency"]


def test_a_sample_client_reads_signs_for_and_answers_with_an_attachment(
    front, agency, letter, client, tmp_path
):
    environment = _environment(front, agency)
    assert letter.number in _says([*client, "list"], environment)
    assert "请核实并整改" in _says([*client, "read", letter.number], environment)
    assert "acknowledged" in _says([*client, "acknowledge", letter.number], environment)
    proof = tmp_path / "整改照片 1.pdf"
    proof.write_bytes(b"%PDF-1.4\n" + os.urandom(3000))
    said = _says([*client, "answer", letter.number, "partly", "已清理一半", str(proof)], environment)
    assert "answered" in said and proof.name in said
    refused = _says([*client, "answer", letter.number, "maybe", "x"], environment, 1)
    assert "400" in refused and "partly（部分整改）" in refused
    carry()
    from chuxiong.accounts.scope import all_offices, scope
    from supervision.clues.actions.letters import opened
    from supervision.models import LetterAnswer, LetterFile

    with scope(offices=all_offices()):
        answer, file = LetterAnswer.objects.get(), LetterFile.objects.get()
        assert (answer.answer, answer.text, answer.files) == ("partly", "已清理一半", [file.code])
        assert (file.name, opened(file)) == (proof.name, proof.read_bytes())


@pytest.mark.parametrize("client", ["python", "curl"], indirect=True)
def test_a_sample_client_hands_a_file_in_and_reads_how_its_feeds_stand(front, agency, client, tmp_path):
    file = Path(tmp_path) / "养老金 9月.csv"
    file.write_bytes("姓名,身份证号\n".encode("gb18030"))
    said = _says([*client, "push", "hr_pension_payment", str(file)], _environment(front, agency))
    assert '"status_url"' in said
    assert "hr_pension_payment" in _says([*client, "feeds"], _environment(front, agency))


def test_the_sample_receiver_prints_what_a_signed_call_says_and_turns_others_away(
    front, agency, letter, tmp_path
):
    from chuxiong.work.jobs import work_off
    from supervision.webhooks import actions as webhooks

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listed = tmp_path / "webhooks.yaml"
    listed.write_text(
        f"hosts: [{{agency: hr_bureau, scheme: http, host: 127.0.0.1, port: {port}, addresses: [127.0.0.1/32], source: 测试}}]"
    )
    environment, url = _environment(front, agency), f"http://127.0.0.1:{port}/hook"
    command = [sys.executable, str(CLIENTS / "agency.py")]
    assert "pending" in _says([*command, "subscribe", url], environment)
    carry()
    assert '"state":"active"' in _says([*command, "subscription"], environment)
    listener = subprocess.Popen(
        [*command, "listen", str(port)], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        assert requests.post(url, data=b"{}", timeout=30).status_code == 401
        assert "acknowledged" in _says([*command, "acknowledge", letter.number], environment)
        carry()
        with django_settings(WEBHOOK_HOSTS=listed), acting_as("worker"):
            webhooks.look(at=timezone.now())
            work_off(kinds=["webhook"])
        assert listener.stdout
        lines = {listener.stdout.readline().strip() for _ in range(2)}
        assert lines == {
            f"subscription.active subscription {agency.key} active",
            f"received.changed letter {letter.number} acknowledged",
        }
    finally:
        listener.terminate()
        listener.wait(15)
    assert "none" in _says([*command, "unsubscribe"], environment)
