"""An agency asks for more time: the prosecutor grants it and the term moves, or refuses; all of it stays on record."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, ProgrammingError, connections, transaction
from django.test import Client
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import all_offices, scope
from supervision.models import Clue, Letter, LetterExtension
from tests.front import carry
from tests.journeys import test_agency_answer
from tests.journeys.test_agency_answer import _path
from tests.prefecture import person

agency, letter = test_agency_answer.agency, test_agency_answer.letter


def _asks(agency, letter, until: date, tag: str) -> None:  # type: ignore[no-untyped-def]
    body = {"answer": "extension", "text": "雨季无法施工", "until": until.isoformat()}
    said = agency.send("POST", _path(letter, "answer"), body, **{"If-Match": tag})
    assert said.status_code == 200, said.content
    carry()


def _desk() -> Client:
    """A sign-in ends the one before."""
    desk = Client()
    desk.force_login(Person.objects.get(username="zhou"))
    return desk


def _page_of(letter) -> str:  # type: ignore[no-untyped-def]
    return _desk().get(f"/clues/{letter.clue.number}").content.decode()


def _decides(letter, **said: object):  # type: ignore[no-untyped-def]
    return _desk().post(f"/clues/{letter.clue.number}/extension", {"letter": letter.pk, **said})


def _now(letter) -> tuple[Letter, Clue]:  # type: ignore[no-untyped-def]
    with scope(offices=all_offices()):
        held = Letter.objects.select_related("clue").get(pk=letter.pk)
        return held, held.clue


def test_granted_time_moves_the_term_and_an_answer_is_still_due(agency, letter):
    asked = letter.due_on + timedelta(days=20)
    _asks(agency, letter, asked, '"1"')
    page = _page_of(letter)
    assert f"/clues/{letter.clue.number}/extension" in page and f'value="{asked}"' in page
    early = _decides(letter, how="grant", until=letter.due_on.isoformat())
    assert early.status_code == 409 and "须晚于现在的期限" in early.content.decode()
    granted = asked - timedelta(days=5)
    assert _decides(letter, how="grant", until=granted.isoformat(), note="至雨季结束").status_code == 302
    held, clue = _now(letter)
    assert (held.due_on, held.answer, held.answered_at, clue.due_on) == (granted, "", None, granted)
    assert _decides(letter, how="grant").status_code == 409, "it is decided once"
    carry()
    read = agency.send("GET", _path(letter))
    said = read.json()
    assert (said["state"], said["due_on"], said["answer"]) == ("acknowledged", granted.isoformat(), "")
    decided = said["extension"]
    assert (decided["granted"], decided["asked_until"], decided["due_on"], decided["reason"]) == (
        True, asked.isoformat(), granted.isoformat(), "至雨季结束",
    )  # fmt: skip
    done = agency.send(
        "POST", _path(letter, "answer"), {"answer": "corrected"}, **{"If-Match": read.headers["ETag"]}
    )
    assert (done.status_code, done.json()["state"]) == (200, "answered"), done.content
    carry()
    page = _page_of(letter)
    assert f"期限由 {letter.due_on} 改为 {granted}" in page and "先后答复 2 次" in page
    assert f"/clues/{letter.clue.number}/extension" not in page
    with scope(offices=all_offices()):
        event = clue.events.get(kind="extension")
    assert event.detail["how"] == "grant" and event.detail["until"] == granted.isoformat()


def test_refused_time_leaves_the_term_and_says_why_on_the_portal_too(agency, letter):
    _asks(agency, letter, letter.due_on + timedelta(days=20), '"1"')
    assert _decides(letter, how="refuse").status_code == 409
    assert _decides(letter, how="refuse", note="已超过法定期限").status_code == 302
    held, _clue = _now(letter)
    assert (held.due_on, held.answer) == (letter.due_on, "")
    carry()
    said = agency.send("GET", _path(letter)).json()
    assert (said["extension"]["granted"], said["extension"]["reason"]) == (False, "已超过法定期限")
    liaison = person("liaison", roles=())
    Person.objects.using("owner").filter(pk=liaison.pk).update(agency="hr_bureau", roles=["liaison"])
    portal = Client()
    portal.force_login(Person.objects.get(pk=liaison.pk))
    page = portal.get(f"/provider/received/{letter.number}").content.decode()
    assert "不同意延期" in page and "已超过法定期限" in page
    # It may ask again; the second request is decided on its own.
    _asks(agency, letter, letter.due_on + timedelta(days=9), f'"{said["version"]}"')
    assert _decides(letter, how="grant").status_code == 302
    with scope(offices=all_offices()):
        found = [(e.granted, e.due_after) for e in LetterExtension.objects.all()]
    assert found == [(False, letter.due_on), (True, letter.due_on + timedelta(days=9))]


def test_an_agency_that_answers_meanwhile_has_answered(agency, letter):
    _asks(agency, letter, letter.due_on + timedelta(days=20), '"1"')
    done = agency.send("POST", _path(letter, "answer"), {"answer": "corrected"}, **{"If-Match": '"2"'})
    assert done.status_code == 200
    carry()
    late = _decides(letter, how="grant")
    assert late.status_code == 409 and "可能已另作答复" in late.content.decode()
    assert _now(letter)[0].due_on == letter.due_on


def test_with_sql_in_hand_a_decision_stands_and_moves_the_term_it_names(agency, letter):
    _asks(agency, letter, letter.due_on + timedelta(days=20), '"1"')
    assert _decides(letter, how="grant").status_code == 302
    with pytest.raises(ProgrammingError), transaction.atomic(), connections["default"].cursor() as cursor:
        cursor.execute("update supervision_letterextension set reason = 'x'")
    with (
        pytest.raises(IntegrityError),
        transaction.atomic(using="owner"),
        connections["owner"].cursor() as cursor,
    ):
        cursor.execute("update supervision_letterextension set due_after = due_before")
    assert timezone.localdate() <= _now(letter)[0].due_on
