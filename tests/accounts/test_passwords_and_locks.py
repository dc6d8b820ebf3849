"""Password rules, locks, and that nothing tells a known name from an unknown one."""

from __future__ import annotations

import statistics
import threading
import time
from datetime import timedelta

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

from chuxiong.accounts import lock, passwords
from chuxiong.accounts.models import Person, SignInFailures
from chuxiong.accounts.policy import POLICY
from tests.accounts.conftest import PASSWORD, audited, enter

LIMIT = POLICY.lock.limits["pair"].value


@pytest.mark.parametrize(
    "password",
    ["Short-1a", "alllowercaseletters", "lower123456789", "Zhang-Secret-99", PASSWORD, "zhang示例A1-abcdef"],
)
def test_passwords_that_will_not_do(hire, password):
    with pytest.raises(ValidationError):
        validate_password(password, hire())


def test_a_good_password_will_do_and_the_last_five_will_not(hire):
    person, now = hire(), timezone.now()
    used = [PASSWORD, *(f"Another-Word-{n}" for n in range(6))]
    for password in used[1:]:
        validate_password(password, person)
        passwords.change(person, password, at=now)
        now += timedelta(minutes=1)
    remembered = POLICY.password.remembered.value
    for password in used[-remembered:]:
        assert passwords.is_remembered(person, password)
    for password in used[:-remembered]:
        assert not passwords.is_remembered(person, password)
    assert person.earlier_passwords.count() == remembered


def test_an_aged_password_has_to_be_changed_before_anything_else(hire):
    person = hire()
    aged = timezone.now() - timedelta(days=POLICY.password.max_age_days.value)
    Person.objects.filter(pk=person.pk).update(password_changed_at=aged)
    client = Client()
    assert enter(client)["Location"] == "/login/password"
    assert client.get("/").status_code == 302, "nobody is signed in yet"
    assert client.post("/login/password", {"new": PASSWORD, "again": PASSWORD}).status_code == 400
    done = client.post("/login/password", {"new": "Fresh-Words-2027", "again": "Fresh-Words-2027"})
    assert done["Location"] == "/" and client.get("/session").status_code == 200
    assert audited("person.password_change") == [("zhang", "zhang")]


def test_the_pair_is_locked_after_the_limit_and_the_right_password_does_not_help(hire):
    hire()
    client = Client()
    for _ in range(LIMIT):
        assert enter(client, password="Wrong-Wrong-11").status_code == 401
    locked = enter(client)
    assert locked.status_code == 429 and int(locked["Retry-After"]) > 800
    assert enter(client, REMOTE_ADDR="10.9.8.7")["Location"] == "/", "another address is counted apart"


def test_a_lock_ends_and_the_next_one_is_longer(hire):
    person, now = hire(), timezone.now()

    def fail(at):  # type: ignore[no-untyped-def]
        return [lock.attempt("zhang", "10.0.0.1", at=at) for _ in range(LIMIT + 1)][-1]

    first = fail(now)
    assert first == now + timedelta(minutes=POLICY.lock.first_minutes.value)
    assert lock.locked_until(person, at=now) == first
    later = first + timedelta(seconds=1)
    assert lock.locked_until(person, at=later) is None
    assert fail(later) == later + timedelta(minutes=2 * POLICY.lock.first_minutes.value)
    much_later = later + timedelta(days=3)
    assert fail(much_later) == much_later + timedelta(minutes=POLICY.lock.first_minutes.value)


def test_one_name_from_many_addresses_is_locked_too():
    now, limit = timezone.now(), POLICY.lock.limits["name"].value
    told = [lock.attempt("zhang", f"10.0.{n}.1", at=now) for n in range(limit + 1)]
    assert told[:limit] == [None] * limit and told[limit] is not None


def test_one_address_over_many_names_is_locked_too():
    now, limit = timezone.now(), POLICY.lock.limits["address"].value
    told = [lock.attempt(f"name{n}", "10.0.0.1", at=now) for n in range(limit + 1)]
    assert told[:limit] == [None] * limit and told[limit] is not None


def test_success_forgets_the_persons_failures_and_never_locks_a_shared_address(hire):
    hire()
    for _ in range(POLICY.lock.limits["address"].value + 5):
        assert lock.attempt("zhang", "10.0.0.1", at=timezone.now()) is None
        lock.succeeded("zhang", "10.0.0.1", at=timezone.now())
    assert not SignInFailures.objects.filter(kind__in=("pair", "name")).exists()


def test_a_hundred_attempts_at_once_get_no_more_looks_than_the_limit():
    now, allowed = timezone.now(), []

    def attempt() -> None:
        try:
            allowed.extend([1] if lock.attempt("zhang", "10.0.0.1", at=now) is None else [])
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == LIMIT


def test_typed_names_are_not_kept():
    lock.attempt("my-Secret-Password-1", "10.0.0.1", at=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("select string_agg(f::text, '') from accounts_signinfailures f")
        assert "secret" not in cursor.fetchone()[0].lower()
    enter(Client(), "my-Secret-Password-1")
    assert audited("sign_in.failed") == [("unknown", "unknown")]


def test_unknown_wrong_and_left_read_the_same(hire):
    hire()
    hire("gone", is_active=False, left_at=timezone.now())
    hire("fresh", must_change_password=True)
    answers = []
    for name, word in (
        ("nobody", PASSWORD),
        ("zhang", "Wrong-Wrong-11"),
        ("gone", PASSWORD),
        ("fresh", "Wrong-Wrong-11"),
    ):
        client = Client()
        answer = enter(client, name, word)
        text = answer.content.decode().replace(f'value="{name}"', "")
        token = client.cookies["csrftoken"].value if "csrftoken" in client.cookies else ""
        import re

        text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", text).replace(token, "")
        answers.append((answer.status_code, sorted(answer.headers), sorted(client.cookies), text))
    assert all(answer == answers[0] for answer in answers), "the answer tells who exists"


def test_locked_reads_the_same_for_names_that_do_not_exist(hire):
    hire()
    told = set()
    for name in ("zhang", "nobody"):
        client = Client(REMOTE_ADDR=f"10.0.0.{len(name)}")
        for _ in range(LIMIT + 1):
            answer = enter(client, name, "Wrong-Wrong-11")
        told.add(answer.status_code)
    assert told == {429}


def test_an_unknown_name_takes_as_long_as_a_wrong_password(capsys):
    """At the real number of rounds; medians, because the machine is shared."""
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"]):
        Person.objects.db_manager("owner").create_person(
            username="zhang", password=PASSWORD, name="示例", office_id="532300"
        )
        backend, taken = passwords.PasswordBackend(), {"zhang": [], "nobody": []}
        for _ in range(5):
            for name, times in taken.items():
                began = time.process_time()
                assert backend.authenticate(None, username=name, password="Wrong-Wrong-11") is None
                times.append(time.process_time() - began)
    known, unknown = (statistics.median(times) for times in taken.values())
    with capsys.disabled():
        print(
            f"\nwrong password {known * 1000:.0f} ms, unknown name {unknown * 1000:.0f} ms"
            f" ({PBKDF2PasswordHasher.iterations} rounds)"
        )
    assert abs(known - unknown) / known < 0.10


def test_locks_hold_without_redis(hire, services):
    hire()
    services.valkey.stop()
    try:
        client = Client()
        for _ in range(LIMIT):
            assert enter(client, password="Wrong-Wrong-11").status_code == 401
        assert enter(client).status_code == 429
        assert enter(client, REMOTE_ADDR="10.9.8.7").status_code == 302, "signing in goes on too"
    finally:
        services.valkey.start()
