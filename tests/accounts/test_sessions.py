"""Stays: one per person, idle and absolute limits, ended at once by whatever changes the person's rights."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from chuxiong.accounts import people, sessions
from chuxiong.accounts.models import ConfidentialityAgreement, PersonSession
from tests.accounts.conftest import PASSWORD, enter, signed_in


def _shift(**ago: float) -> None:
    """Move every open stay into the past."""
    for stay in PersonSession.objects.filter(ended_at__isnull=True):
        by = timedelta(**ago)
        PersonSession.objects.filter(pk=stay.pk).update(
            seen_at=stay.seen_at - by, started_at=stay.started_at - by, expires_at=stay.expires_at - by
        )


def test_signing_in_anew_ends_the_older_stay_which_is_told_so(hire):
    hire()
    first, second = signed_in("zhang"), signed_in("zhang")
    answer = first.get("/")
    assert answer["Location"] == "/login?next=/&ended=superseded"
    assert "已在别处登录" in first.get(answer["Location"]).content.decode()
    assert second.get("/").status_code == 200


def test_the_database_holds_one_open_stay_per_person(hire):
    person, now = hire(), timezone.now()
    sessions.begin(person, at=now)
    with pytest.raises(IntegrityError):
        PersonSession.objects.create(person=person, started_at=now, seen_at=now, expires_at=now)


def test_idle_ends_and_says_so(hire):
    hire()
    client = signed_in("zhang")
    _shift(minutes=14.9)
    assert client.get("/").status_code == 200, "activity renews the stay"
    _shift(minutes=15)
    assert "ended=idle" in client.get("/")["Location"]


def test_what_the_page_does_by_itself_keeps_nobody_signed_in(hire):
    hire()
    client = signed_in("zhang")
    _shift(minutes=10)
    for headers in ({"X-Fragment": "1"}, {"X-Background": "1"}):
        assert client.get("/", headers=headers).status_code == 200
    _shift(minutes=5)
    answer = client.get("/", headers={"X-Fragment": "1"})
    assert answer.status_code == 401 and answer["X-Session"] == "idle" and answer["X-Sign-In"] == "/login"


def test_the_longest_time_ends_even_a_busy_stay(hire):
    hire()
    client = signed_in("zhang")
    PersonSession.objects.update(expires_at=timezone.now())
    assert "ended=expired" in client.get("/")["Location"]


def test_a_stay_never_outlasts_the_agreement(hire):
    person = hire()
    day = timezone.localdate()
    ConfidentialityAgreement.objects.update(valid_to=day)
    stay = sessions.begin(person, at=timezone.localtime().replace(hour=20))
    assert timezone.localtime(stay.expires_at).date() == day + timedelta(days=1)
    assert timezone.localtime(stay.expires_at).hour == 0


@pytest.mark.parametrize(
    "headers", [{"HX-Request": "true"}, {"Sec-Fetch-Dest": "empty"}, {"X-Fragment": "1"}]
)
def test_scripts_learn_of_the_end_without_being_sent_elsewhere(hire, headers):
    hire()
    client = signed_in("zhang")
    client.post("/logout")
    answer = client.get("/", headers=headers)
    assert answer.status_code == 401 and answer["X-Sign-In"] == "/login"
    assert client.get("/session").status_code == 401


def test_session_names_the_person_and_renews_the_token_of_open_forms(hire):
    hire()
    client = Client(enforce_csrf_checks=True)
    page = client.get("/login").content.decode()
    token = page.split('csrfmiddlewaretoken" value="')[1].split('"')[0]
    assert (
        client.post(
            "/login", {"username": "zhang", "password": PASSWORD, "csrfmiddlewaretoken": token}
        ).status_code
        == 302
    )
    told = client.get("/session").json()
    assert told["person"] == "zhang" and 800 < told["seconds"] <= 900
    assert client.post("/logout", {"csrfmiddlewaretoken": token}).status_code == 403, "signing in renewed it"
    assert client.post("/logout", {"csrfmiddlewaretoken": told["csrf"]}).status_code == 302


@pytest.mark.parametrize("change", ["leave", "roles", "password", "factor", "agreement", "end", "moved"])
def test_what_changes_the_person_ends_the_stay_at_once(hire, admins, change):
    person, now = hire(), timezone.now()
    client = signed_in("zhang")
    system, security = admins["system"], admins["security"]
    common = {"pk": person.pk, "at": now}
    if change == "leave":
        people.leave(by=system, reason="调离", **common)
    elif change == "roles":
        people.grant_roles(by=security, roles=["analyst"], reason="审批 1 号", **common)
    elif change == "password":
        people.open_password_issue(by=system, **common)
        assert client.get("/").status_code == 200
        people.complete_password_issue(by=security, **common)
    elif change == "factor":
        people.reset_second_factor(by=security, reason="手机遗失", **common)
    elif change == "agreement":
        people.end_agreement(
            by=security, reason="终止", agreement=person.confidentiality_agreements.get().pk, **common
        )
    elif change == "end":
        people.end_session(by=security, **common)
    else:
        people.change_details(by=system, name="新名", office="532301", department="", **common)
    answer = client.get("/")
    assert answer.status_code == 302 and answer["Location"].startswith("/login")
    assert client.get("/session").status_code == 401


def test_another_persons_stay_id_is_worth_nothing(hire):
    one, two = hire(), hire("li")
    stay = sessions.begin(two, at=timezone.now())
    assert sessions.check(str(stay.pk), one, at=timezone.now(), active=True).stay is None
    for nonsense in (None, "", "x", "0" * 40):
        assert sessions.check(nonsense, one, at=timezone.now(), active=True).stay is None


def test_a_changed_password_keeps_this_browser_and_ends_the_others(hire):
    hire()
    client = signed_in("zhang")
    key = client.cookies["sessionid"].value
    new = {"current": PASSWORD, "new": "Fresh-Words-2027", "again": "Fresh-Words-2027"}
    assert client.post("/me/password", {**new, "current": "Wrong-Wrong-11"}).status_code == 400
    assert client.post("/me/password", new).status_code == 302
    assert client.cookies["sessionid"].value != key
    assert client.get("/").status_code == 200
    assert enter(Client()).status_code == 401
    assert enter(Client(), password="Fresh-Words-2027").status_code == 302


@pytest.mark.parametrize("step", ["code", "certificate", "dormant", "enrol", "password", "agreement", "next"])
def test_an_address_of_signing_in_ends_no_stay(hire, step):
    hire()
    client = signed_in("zhang")
    for answer in (client.get(f"/login/{step}"), client.post(f"/login/{step}")):
        assert answer.status_code == 302
    assert client.get("/").status_code == 200
    assert PersonSession.objects.filter(ended_at__isnull=True).count() == 1
