"""An agency's machine hands a file in at the front; the inner side fetches it; the agency reads what became of it."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from urllib.parse import quote

import psycopg2
import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from ingestion.api.signing import sign, string_of_digest
from ingestion.exchange.deliveries import store_path
from ingestion.exchange.front import carrying, store
from ingestion.exchange.limits import LIMITS
from ingestion.models import Batch, Delivery
from supervision.clients import new_client
from tests.conftest import acting_as
from tests.front import carry
from tests.ingestion.exchange.test_whole_lists import LIST, staff
from tests.ingestion.exchange.ways import agency_of, cremations, payments, work
from tests.prefecture import agreements

HR, PAY = "hr_bureau", "hr_pension_payment"


class Agency:
    def __init__(self, agency: str) -> None:
        with acting_as("owner"):
            client, secret = new_client(agency=agency, agency_zh="示例单位")
        self.key, self.secret, self.http = client.key, bytes.fromhex(secret), Client()

    def send(self, method: str, path: str, body: bytes = b"", *, said: bytes | None = None, **headers: str):  # type: ignore[no-untyped-def]
        digest = hashlib.sha256(body if said is None else said).hexdigest()
        stamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(12)
        signature = sign(self.secret, string_of_digest(method, path, digest, stamp, nonce))
        signed = {
            "X-App-Key": self.key, "X-Timestamp": stamp, "X-Nonce": nonce, "X-Signature": signature,
            "X-Content-SHA256": digest,
        }  # fmt: skip
        given = {k.replace("_", "-"): v for k, v in headers.items()}
        return self.http.generic(
            method, path, body, content_type="application/octet-stream", headers=signed | given
        )

    def push(self, body: bytes, *, key: str = "", name: str = "养老金 9月.csv", feed: str = PAY, **more):  # type: ignore[no-untyped-def]
        return self.send(
            "POST", f"/api/v1/feeds/{feed}/files", body,
            **{"Idempotency_Key": key or secrets.token_hex(8), "X_File_Name": quote(name)} | more,
        )  # fmt: skip

    def status(self, answer):  # type: ignore[no-untyped-def]
        return self.send("GET", answer.json()["status_url"]).json()


@pytest.fixture
def agency(database) -> Agency:
    agreements()
    made = Agency(HR)
    carry()
    return made


def fetch_all() -> None:
    for _ in range(3):
        carry()
        work(HR)
    carry()


def test_a_file_goes_from_the_front_to_the_pool_and_its_receipt_comes_back(agency):
    data = payments(1, 2, 3)
    answer = agency.push(data, X_Covers_Until="2026-10-31")
    assert answer.status_code == 202, answer.content
    assert answer.headers["Location"] == answer.json()["status_url"]
    assert agency.status(answer)["state"] == "waiting"
    # What the front holds is sealed: none of its columns shows a piece of the file.
    with connections["front"].cursor() as cursor:
        cursor.execute("select bytes from front_chunk order by number")
        held = b"".join(bytes(row[0]) for row in cursor.fetchall())
    assert len(held) > len(data) and not any(data[i : i + 10] in held for i in range(0, len(data) - 10, 5))
    fetch_all()
    found = agency.status(answer)
    assert found["final"] and found["receipt"]["totals"] == {
        "received": 3, "loaded": 3, "unchanged": 0, "duplicate": 0, "quarantined": 0
    }  # fmt: skip
    batch = Batch.objects.using("intake").get()
    assert (batch.file_name, str(batch.covers_until)) == ("养老金 9月.csv", "2026-10-31")
    assert not list(store_path("x").parent.glob("*.enc"))
    with connections["front"].cursor() as cursor:
        cursor.execute("select count(*) from front_chunk")
        assert cursor.fetchone() == (0,), "bytes leave the front when the inner side has them"


def test_the_same_key_is_one_hand_over(agency):
    data = payments(1)
    first, again = agency.push(data, key="key-00001"), agency.push(data, key="key-00001")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"] and (first.json()["first"], again.json()["first"]) == (
        True,
        False,
    )
    other = agency.push(payments(2), key="key-00001")
    assert other.status_code == 422 and other.json()["code"] == "idempotency_key_reused"
    fetch_all()
    assert agency.push(data, key="key-00001").json()["first"] is False
    fetch_all()
    assert Batch.objects.using("intake").count() == Delivery.objects.using("intake").count() == 1
    # Another key with the same bytes: received, and found to be known.
    twice = agency.push(data)
    fetch_all()
    assert (
        agency.status(twice)["receipt"]["files"][0]["outcome"] == "repeated"
        and Batch.objects.using("intake").count() == 1
    )


@pytest.mark.parametrize(
    ("how", "status", "place"),
    [
        ({"Idempotency_Key": "short"}, 400, "/Idempotency-Key"),
        ({"X_File_Name": "..%2Fx"}, 400, "/X-File-Name"),
        ({"X_Covers_Until": "31.10.2026"}, 400, "/X-Covers-Until"),
        ({"X_Covers_Until": "9999-12-31"}, 400, "/X-Covers-Until"),
        ({"X_Snapshot": "yes"}, 400, "/X-Snapshot"),
        ({"feed": "ca_funeral"}, 404, ""),
        ({"feed": "no_such"}, 404, ""),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(agency, how, status, place):
    answer = agency.push(payments(1), **how)
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not place or answer.json()["errors"][0]["pointer"] == place
    with connections["front"].cursor() as cursor:
        cursor.execute("select count(*) from front_inbox")
        assert cursor.fetchone() == (0,)


def test_a_body_that_is_not_the_one_signed_or_too_large_is_not_kept(agency, monkeypatch):
    path, headers = f"/api/v1/feeds/{PAY}/files", {"Idempotency_Key": "key-00002", "X_File_Name": "a.csv"}
    cut = agency.send("POST", path, payments(1)[:-20], said=payments(1), **headers)
    assert cut.status_code == 400 and "没有传完" in cut.json()["errors"][0]["detail"]
    from ingestion.api import views
    from ingestion.exchange.limits import LIMITS

    small = LIMITS.model_copy(update={"push_bytes": LIMITS.push_bytes.model_copy(update={"value": 50})})
    monkeypatch.setattr(views, "LIMITS", small)
    assert agency.send("POST", path, payments(1), **headers).status_code == 413
    with connections["front"].cursor() as cursor:
        cursor.execute("select count(*) from front_inbox")
        assert cursor.fetchone() == (0,)


def test_only_the_agency_itself_reads_its_status(agency):
    answer = agency.push(payments(1))
    other = Agency("ca_bureau")
    carry()
    assert other.send("GET", answer.json()["status_url"]).status_code == 404
    assert other.push(payments(2)).status_code == 404
    assert Client().post(f"/api/v1/feeds/{PAY}/files").status_code == 401


def test_before_the_inner_side_has_come_nothing_can_be_handed_in(agency):
    with connections["front"].cursor() as cursor:
        cursor.execute("delete from front_key where side = 'inner'")
    answer = agency.push(payments(1))
    assert answer.status_code == 503 and answer.json()["code"] == "not_connected"
    carry()
    assert agency.push(payments(1)).status_code == 202


def test_a_carrier_killed_between_the_two_databases_brings_nothing_twice(agency, monkeypatch):
    """It has the file inside for certain and dies before the front knows."""
    answer = agency.push(payments(1, 2))
    real = store.taken

    def dies(*words: object, **more: object) -> None:
        raise SystemExit("killed")

    monkeypatch.setattr(carrying.store, "taken", dies)
    with pytest.raises(SystemExit):
        carry()
    assert Delivery.objects.using("intake").count() == 1
    monkeypatch.setattr(carrying.store, "taken", real)
    fetch_all()
    assert Delivery.objects.using("intake").count() == Batch.objects.using("intake").count() == 1
    assert agency.status(answer)["final"]


def test_a_whole_list_is_one_unless_the_header_says_otherwise(agency):
    other, feed = Agency(agency_of(LIST)), LIST
    carry()
    for said in ({}, {"X_Snapshot": "false"}, {"X_Snapshot": "true"}):
        assert other.push(staff(*range(5 + len(said) + len(str(said)))), feed=feed, **said).status_code == 202
    for _ in range(4):
        carry()
        work(agency_of(LIST))
    found = Batch.objects.using("intake").filter(feed=LIST).order_by("pk")
    assert [b.snapshot for b in found] == [True, False, True]


def test_an_item_that_cannot_be_taken_keeps_no_other_agency_waiting_and_is_refused_in_the_end(agency):
    other = Agency("ca_bureau")
    carry()  # the front learns of both
    bad, behind = agency.push(payments(1)), agency.push(payments(2))
    fine = other.push(cremations(1), feed="ca_funeral")

    def front(statement: str, *values: object) -> None:
        with connections["front"].cursor() as cursor:
            cursor.execute(statement, values)

    front("update front_inbox set head = head - 'size' where code = %s", bad.json()["id"])
    assert carry() == 1
    assert other.status(fine)["state"] == "taking", "it does not wait for another agency's item"
    found = agency.status(bad)
    assert found["state"] == "waiting" and found["problem"]["cure"] and not found["final"]
    assert carry() == 0, "it is tried again after a pause"
    for _ in range(LIMITS.item_tries.value - 1):
        front(
            'update front_inbox set status = status || \'{"again_at": "2026-01-01T00:00:00+08:00"}\' where taken_at is null'
        )
        carry()
    found = agency.status(bad)
    assert found["state"] == "refused" and found["final"] and found["problem"]["what"]
    refused = Delivery.objects.using("intake").get(state="refused")
    assert refused.agency == HR and "KeyError" in refused.problem["what"]
    carry()
    assert agency.status(behind)["state"] == "taking"


def test_what_one_room_cannot_bring_keeps_nobody_from_the_rest(agency, monkeypatch):
    def fails(cursor: object, at: object) -> None:
        raise ValueError("甲")

    monkeypatch.setattr(carrying, "_outward", [fails])
    monkeypatch.setattr(carrying, "_tell", fails)
    with connections["front"].cursor() as cursor:
        cursor.execute("delete from front_feed")
        carry()
        cursor.execute("select count(*) from front_feed")
        assert cursor.fetchone()[0] > 0


def test_altered_at_the_front_it_is_refused_inside(agency):
    answer = agency.push(payments(1))
    with connections["front"].cursor() as cursor:
        cursor.execute("update front_chunk set bytes = set_byte(bytes, 40, get_byte(bytes, 40) # 1)")
    fetch_all()
    found = agency.status(answer)
    assert found["final"] and found["receipt"]["files"][0]["outcome"] == "refused"
    assert "已被改动" in json.dumps(found, ensure_ascii=False) and Batch.objects.using("intake").count() == 0


# ---- what whoever breaks the front comes to hold ------------------------------------------------


def test_with_sql_in_hand_on_the_front_nothing_of_the_inner_side_is_reached(agency):
    agency.push(payments(1))
    address = os.environ["CHUXIONG_DATABASE_URL_FRONT"]
    front = psycopg2.connect(address)
    front.autocommit = True
    with front.cursor() as cursor:
        cursor.execute(
            "select current_user, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles where rolname = current_user"
        )
        assert cursor.fetchone() == ("cx_front", False, False, False, False, False)
        cursor.execute(
            "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = 'cx_front'"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "select table_schema || '.' || table_name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')"
        )
        assert {name for (name,) in cursor.fetchall()} == {f"public.{table}" for table in store.TABLES}
        for escape in (
            "create extension dblink", "create extension postgres_fdw", "copy (select 1) to program 'id'",
            "select pg_read_file('postgresql.conf')", "select * from pg_authid", "set role cx_owner", "create role x",
            "select lo_import('/etc/passwd')",
        ):  # fmt: skip
            with pytest.raises(psycopg2.Error):
                cursor.execute(escape)
    front.close()
    for database in ("chuxiong", "postgres", "template1"):
        with pytest.raises(psycopg2.OperationalError, match=r"permission denied|not currently accepting"):
            psycopg2.connect(address.replace("/chuxiong_front", f"/{database}"))
    # And the roles of the centre have no business in the front's database.
    for role in ("WEB", "WORKER", "INTAKE", "WALL", "OWNER"):
        with pytest.raises(psycopg2.OperationalError, match="permission denied"):
            psycopg2.connect(
                os.environ[f"CHUXIONG_DATABASE_URL_{role}"].replace("/chuxiong?", "/chuxiong_front?")
            )
    assert timezone.now()
