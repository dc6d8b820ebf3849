"""An agency without an integrator: its liaison signs and answers on the portal; data tickets go the interface's way too."""

from __future__ import annotations

import os
import uuid
from contextlib import closing

import psycopg2
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import all_offices, scope
from ingestion.api import limits
from ingestion.models import Carried, DataTicket
from ingestion.tickets.attachment import seal
from supervision.clients import new_client
from supervision.models import LetterAnswer, LetterFile
from tests.conftest import acting_as
from tests.front import carry
from tests.journeys import test_agency_answer
from tests.journeys.test_agency_answer import Agency, _path

agency, letter = test_agency_answer.agency, test_agency_answer.letter


def _someone(username: str, agency: str, role: str) -> Client:
    Person.objects.using("owner").create(
        username=username, name="示例员", password="!nobody", office_id="532300", agency=agency, roles=[role]
    )
    client = Client()
    client.force_login(Person.objects.get(username=username))
    return client


@pytest.fixture
def liaison(letter) -> Client:
    return _someone("liaison", "hr_bureau", "liaison")


def test_the_liaison_signs_answers_with_files_and_corrects_the_answer(liaison, agency, letter):
    at = f"/provider/received/{letter.number}"
    assert letter.subject in liaison.get("/provider/received").content.decode()
    assert liaison.post(f"{at}/acknowledge", {"version": "1"}).status_code == 302
    proof = SimpleUploadedFile("整改报告.pdf", b"%PDF-1.4 proof")
    said = {"version": "2", "answer": "partly", "answer_text": "已清理一半", "files": [proof]}
    assert liaison.post(f"{at}/answer", said).status_code == 302
    # Who looked at it before that is told; nothing is lost of what was typed.
    late = liaison.post(f"{at}/answer", {"version": "2", "answer": "objection", "answer_text": "不属实"})
    assert late.status_code == 409 and "不属实" in late.content.decode()
    until = {"version": "3", "answer": "extension", "answer_text": "雨季", "until": "2099-01-01"}
    assert liaison.post(f"{at}/answer", until).status_code == 302
    page = liaison.get(at).content.decode()
    assert "整改报告.pdf" in page and "申请延至 2099-01-01" in page and "已由后来的答复取代" in page
    with scope(offices=all_offices()):
        assert [a.answer for a in LetterAnswer.objects.all()] == ["partly", "extension"]
        file = LetterFile.objects.get()
    answer = liaison.get(f"/provider/received/files/{file.code}")
    assert answer.content == b"%PDF-1.4 proof" and "attachment" in answer.headers["Content-Disposition"]
    # The machine of the same agency finds it as it stands.
    carry()
    read = agency.send("GET", _path(letter)).json()
    assert (read["answer"], read["answer_until"], read["version"]) == ("extension", "2099-01-01", 4)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"answer": "objection"}, "须写明说明"),
        ({"answer": "extension", "answer_text": "x", "until": ""}, "延至哪一天"),
        ({"answer": "extension", "answer_text": "x", "until": "2020-01-01"}, "须晚于"),
        ({"answer": "maybe", "answer_text": "x"}, "请选择答复"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_entered(liaison, letter, said, words):
    answer = liaison.post(f"/provider/received/{letter.number}/answer", {"version": "1", **said})
    assert answer.status_code == 409 and words in answer.content.decode()
    assert not LetterAnswer.objects.using("owner").exists()


def test_what_is_no_document_is_refused_whole(liaison, letter):
    said = {"version": "1", "answer": "corrected", "files": [SimpleUploadedFile("x.exe", b"MZ")]}
    answer = liaison.post(f"/provider/received/{letter.number}/answer", said)
    assert answer.status_code == 409 and "格式不收" in answer.content.decode()
    assert not LetterFile.objects.using("owner").exists() and not LetterAnswer.objects.using("owner").exists()


def test_neither_another_agency_nor_the_reporting_clerk_sees_it(letter):
    for client, status in (
        (_someone("elsewhere", "ee_bureau", "liaison"), 404),
        (_someone("clerk", "hr_bureau", "provider"), 403),
    ):
        assert client.get(f"/provider/received/{letter.number}").status_code == status


# ---- data tickets by the interface ----------------------------------------------------------------


@pytest.fixture
def ticket(agency) -> DataTicket:
    now = timezone.now()
    with acting_as("owner"):
        made = DataTicket.objects.create(
            feed="hr_pension_payment", agency="hr_bureau", agency_zh="人社局", kind="other", subject="金额为负", text="请核对",
            state="sent", opened_by="x", opened_at=now, sent_by="x", sent_at=now, due_on=now.date(), updated_at=now,
        )  # fmt: skip
        made.sealed, made.key_id = seal(made, b"PK-rows")
        made.sealed_rows = 3
        made.save()
    carry()
    return made


def test_a_ticket_is_read_and_answered_and_its_rows_come_along_sealed(agency, ticket):
    number = f"WT-{ticket.pk:06d}"
    (listed,) = agency.send("GET", "/api/v1/received?kind=ticket").json()["items"]
    assert (listed["number"], listed["state"], listed["records"]["rows"]) == (number, "waiting", 3)
    assert agency.send("GET", listed["records"]["path"]).content == b"PK-rows"
    with connections["front"].cursor() as cursor:
        cursor.execute("select box from front_received where number = %s", [number])
        assert b"PK-rows" not in bytes(cursor.fetchone()[0])
    path = f"/api/v1/received/{number}"
    signed = agency.send("POST", f"{path}/acknowledge", {}, **{"If-Match": '"1"'})
    assert signed.json()["state"] == "acknowledged"
    lacking = agency.send("POST", f"{path}/answer", {"answer": "explained"}, **{"If-Match": '"2"'})
    assert (lacking.status_code, lacking.json()["errors"][0]["pointer"]) == (400, "/text")
    said = {"answer": "explained", "text": "冲减上月多发"}
    assert agency.send("POST", f"{path}/answer", said, **{"If-Match": '"2"'}).status_code == 200
    assert carry() == 2
    inside = DataTicket.objects.using("owner").get()
    assert (inside.state, inside.answer, inside.version) == ("answered", "explained", 3)
    assert agency.send("GET", path).json()["version"] == 3


def test_an_answer_taken_twice_has_its_effect_once(agency, ticket, monkeypatch):
    """The carrier dies after the inner side has the answer; the desk sends the ticket again; then the carrier comes back."""
    from ingestion.exchange.front import carrying, store

    said = {"answer": "explained", "text": "冲减"}
    path = f"/api/v1/received/WT-{ticket.pk:06d}"
    assert agency.send("POST", f"{path}/answer", said, **{"If-Match": '"1"'}).status_code == 200
    real = store.taken
    monkeypatch.setattr(carrying.store, "taken", lambda *a, **k: (_ for _ in ()).throw(SystemExit("killed")))
    with pytest.raises(SystemExit):
        carry()
    monkeypatch.setattr(carrying.store, "taken", real)
    DataTicket.objects.using("owner").update(state="sent", version=3)
    assert carry() == 1 and Carried.objects.using("owner").count() == 1
    assert DataTicket.objects.using("owner").get().state == "sent"


# ---- what a client may ask ------------------------------------------------------------------------


def test_a_client_is_for_what_it_was_made_for(letter, agency, ticket):
    with acting_as("owner"):
        client, secret = new_client(agency="hr_bureau", agency_zh="人社局", scopes=["letters"])
    carry()
    business = Agency(client.key, secret)
    kinds = {i["kind"] for i in business.send("GET", "/api/v1/received").json()["items"]}
    assert kinds == {"letter"}
    refused = business.send("GET", "/api/v1/feeds")
    assert (refused.status_code, refused.json()["code"]) == (403, "out_of_scope")
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_beyond_the_limit_the_answer_says_how_long_to_wait(agency, monkeypatch):
    few = limits.LIMITS.model_copy(
        update={"requests": limits.LIMITS.requests.model_copy(update={"most": 3, "per_seconds": 86400})}
    )
    monkeypatch.setattr(limits, "LIMITS", few)
    answers = [agency.send("GET", "/api/v1/feeds") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["code"] == "throttled" and int(answers[-1].headers["Retry-After"]) >= 1


def test_pages_follow_one_another_and_only_changes_come_again(agency, letter, ticket):
    first = agency.send("GET", "/api/v1/received?limit=1").json()
    second = agency.send("GET", f"/api/v1/received?limit=1&cursor={first['next_cursor']}").json()
    numbers = {first["items"][0]["number"], second["items"][0]["number"]}
    assert numbers == {letter.number, f"WT-{ticket.pk:06d}"}
    tag = agency.send("GET", _path(letter)).headers["ETag"]
    assert agency.send("GET", _path(letter), **{"If-None-Match": tag}).status_code == 304
    since = timezone.now().isoformat().replace("+", "%2B")
    assert agency.send("GET", f"/api/v1/received?updated_since={since}").json()["items"] == []
    agency.send("POST", _path(letter, "acknowledge"), {}, **{"If-Match": tag})
    changed = agency.send("GET", f"/api/v1/received?updated_since={since}").json()["items"]
    assert [i["number"] for i in changed] == [letter.number]


def test_an_attachment_of_another_letter_is_no_attachment(agency, letter):
    said = {"answer": "corrected", "files": [str(uuid.uuid4())]}
    answer = agency.send("POST", _path(letter, "answer"), said, **{"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/files")


def test_the_front_is_asked_in_a_fixed_number_of_queries_whatever_is_open(agency, letter):
    """The carrier's word on open files costs the same for one and for many."""
    from django.test.utils import CaptureQueriesContext

    from ingestion.exchange.front import carrying
    from tests.ingestion.exchange.ways import payments
    from tests.journeys.test_push import Agency as Pusher
    from tests.prefecture import agreements

    agreements()
    pusher = Pusher("hr_bureau")
    carry()
    counts = []
    for more in (1, 3):
        for _ in range(more):
            assert pusher.push(payments(1, 2)).status_code == 202
        carry()
        with (
            closing(psycopg2.connect(os.environ["CHUXIONG_DATABASE_URL_FRONT"])) as front,
            front.cursor() as cursor,
            CaptureQueriesContext(connections["intake"]) as asked,
        ):
            carrying._tell(cursor, timezone.now())
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 6
