"""Three administrators, separate in pages, in code and in the database; none of them sees business data."""

from __future__ import annotations

import itertools

import pytest
from django.db import Error, IntegrityError, connections, transaction
from django.test import Client
from django.utils import timezone

from chuxiong.accounts import people
from chuxiong.accounts.models import ADMINISTRATORS, AGENCY_ROLES, Person, Role
from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import person_scope, scope
from supervision.models import Clue
from tests.accounts.conftest import audited, signed_in

BUSINESS = ("prosecutor", "handler", "head", "office_head", "dispatcher", "analyst", "modeller", "custodian")


def test_the_roles_of_the_file_are_those_tested_here():
    assert set(Role.objects.values_list("code", flat=True)) == {*BUSINESS, *AGENCY_ROLES, *ADMINISTRATORS}


@pytest.mark.parametrize(
    "roles",
    [list(p) for p in itertools.product(ADMINISTRATORS, (*BUSINESS, *ADMINISTRATORS)) if len(set(p)) == 2],
)
def test_the_database_refuses_an_administrator_with_a_second_role(roles):
    with pytest.raises(IntegrityError, match="administrator_holds_one_role"):
        Person.objects.db_manager("owner").create_person(
            username="both", password="x", name="x", office_id="532300", roles=roles
        )


def test_people_have_no_superuser_column():
    columns = {f.name for f in Person._meta.get_fields()}
    assert not columns & {"is_superuser", "is_staff", "user_permissions", "groups"}


def test_an_administrators_scope_is_empty(hire, admins):
    for person in admins.values():
        assert person.office_codes == []
        with person_scope(person) as reach, connections["default"].cursor() as cursor:
            assert reach.offices == ()
            cursor.execute("select current_setting('cx.offices', true)")
            assert cursor.fetchone() == ("",)
            assert Clue.objects.count() == 0
    gone = hire(is_active=False, left_at=timezone.now())
    assert gone.office_codes == [] and gone.permissions == frozenset()


_PAGES = {
    "system": {"/people", "/people/new", "/offices", "/posts"},
    "security": {"/rights", "/rights/roles", "/confidentiality"},
    "audit": set(),
    "zhang": {"/", "/clues/new", "/feeds"},
    "head": {"/", "/clues/new", "/feeds", "/hand-over"},
}


@pytest.mark.parametrize("who", _PAGES)
def test_every_page_opens_for_its_people_and_nobody_else(hire, admins, who):
    hire()
    hire("head", roles=("head",))
    client = signed_in(who)
    target = Person.objects.get(username="zhang").pk
    every = set().union(*_PAGES.values()) | {f"/people/{target}", f"/rights/{target}", "/clues/XS-0"}
    own = _PAGES[who] | {
        "system": {f"/people/{target}"},
        "security": {f"/rights/{target}"},
    }.get(who, set())
    for path in sorted(every):
        status = client.get(path).status_code
        if path == "/" and who in admins:
            assert client.get(path)["Location"] == "/me/home"
        elif path == "/clues/XS-0":
            assert status == (403 if who in admins else 404)
        else:
            assert status == (200 if path in own else 403), path
    assert client.get("/me").status_code == 200
    assert client.get("/me/home").status_code == 302


_POSTS = [
    ("/people/new", "system"),
    ("/people/{pk}/details", "system"),
    ("/people/{pk}/leave", "system"),
    ("/people/{pk}/password", "system"),
    ("/offices", "system"),
    ("/posts", "system"),
    ("/rights/{pk}/roles", "security"),
    ("/rights/{pk}/password", "security"),
    ("/rights/{pk}/unlock", "security"),
    ("/rights/{pk}/factor", "security"),
    ("/rights/{pk}/certificate", "security"),
    ("/rights/{pk}/agreement", "security"),
]


@pytest.mark.parametrize(("path", "who"), _POSTS)
def test_posts_are_refused_to_everybody_else(hire, admins, path, who):
    pk = hire().pk
    hire("head", roles=("head", "office_head", "custodian"))
    for name in ("zhang", "head", "system", "security", "audit"):
        if name != who:
            assert signed_in(name).post(path.format(pk=pk), {"confirmed": "yes"}).status_code == 403, name
    answer = Client().post(path.format(pk=pk), {"confirmed": "yes"})
    assert answer.status_code == 302 and answer["Location"].startswith("/login")


def test_business_moves_are_closed_to_administrators(admins):
    for name in admins:
        client = signed_in(name)
        assert client.post("/clues/XS-0/accept").status_code == 403
        assert client.post("/clues/new", {"title": "x"}).status_code == 403


def test_nobody_acts_on_themselves(admins):
    now = timezone.now()
    for kind, act in (
        ("security", lambda p: people.grant_roles(by=p, pk=p.pk, roles=["prosecutor"], reason="x", at=now)),
        ("security", lambda p: people.reset_second_factor(by=p, pk=p.pk, reason="x", at=now)),
        ("system", lambda p: people.leave(by=p, pk=p.pk, reason="x", at=now)),
        ("system", lambda p: people.open_password_issue(by=p, pk=p.pk, at=now)),
    ):
        with pytest.raises(Refused, match="不能对本人"):
            act(admins[kind])


def test_the_last_administrator_of_a_kind_stays(hire, admins):
    now = timezone.now()
    with pytest.raises(Refused, match="最后一位"):
        people.leave(by=admins["system"], pk=admins["audit"].pk, reason="x", at=now)
    with pytest.raises(Refused, match="最后一位"):
        people.grant_roles(by=admins["security"], pk=admins["system"].pk, roles=[], reason="x", at=now)
    hire("audit2", roles=("audit_admin",))
    people.leave(by=admins["system"], pk=admins["audit"].pk, reason="调离", at=now)


def test_administrators_and_business_accounts_are_not_converted(hire, admins):
    person, now = hire(), timezone.now()
    grant = {"by": admins["security"], "pk": person.pk, "reason": "x", "at": now}
    with pytest.raises(Refused, match="不得互相转换"):
        people.grant_roles(roles=["system_admin"], **grant)
    with pytest.raises(Refused, match="不得兼任"):
        people.grant_roles(roles=["prosecutor", "audit_admin"], **grant)
    with pytest.raises(Refused, match="没有角色"):
        people.grant_roles(roles=["superuser"], **grant)
    assert Person.objects.get(pk=person.pk).roles == ["prosecutor"]
    people.grant_roles(roles=["head", "prosecutor", "head"], **grant)
    assert Person.objects.get(pk=person.pk).roles == ["prosecutor", "head"]
    assert audited("person.roles") == [("security", "zhang")]


# ---- the wall below the pages: the web role itself ------------------------------------------------


def _as(name: str, statement: str, *values: object) -> None:
    with scope(offices=(), person=name), connections["default"].cursor() as cursor:
        cursor.execute(statement, list(values))


_GRANT = "update accounts_person set roles = '{prosecutor,head}' where username = 'zhang'"
_CREATE = (
    "insert into accounts_person (username, password, name, office_id, roles, is_active, joined_at,"
    " must_change_password, second_factor_required) values ('new', '', 'x', '532300', %s, true, now(), true, %s)"
)


def test_the_database_lets_only_a_security_administrator_grant(hire, admins):
    hire()
    for name in ("", "nobody", "zhang", "system", "audit"):
        with pytest.raises(Error, match=r"grants roles|somebody else"):
            _as(name, _GRANT)
    with pytest.raises(Error, match="somebody else"):
        _as("security", "update accounts_person set roles = '{prosecutor}' where username = 'security'")
    _as("security", _GRANT)


def test_the_database_lets_only_a_system_administrator_create_and_without_rights(hire, admins):
    hire()
    for name in ("", "zhang", "security", "audit"):
        with pytest.raises(Error):
            _as(name, _CREATE, [], True)
    for roles, factor in ((["prosecutor"], True), ([], False)):
        with pytest.raises(Error, match="creates people"):
            _as("system", _CREATE, roles, factor)
    _as("system", _CREATE, [], True)


@pytest.mark.parametrize("who", ["system", "security"])
def test_no_page_can_turn_the_second_factor_off_or_rename(hire, admins, who):
    hire(second_factor_required=True)
    for change in ("second_factor_required = false", "username = 'other'"):
        with pytest.raises(Error, match="not changed by any page"):
            _as(who, f"update accounts_person set {change} where username = 'zhang'")


def test_the_web_role_deletes_nobody_and_keeps_stays_and_agreements():
    for table in (
        "accounts_person",
        "accounts_personsession",
        "accounts_confidentialityagreement",
        "accounts_role",
    ):
        with (
            pytest.raises(Error, match="permission denied"),
            transaction.atomic(),
            connections["default"].cursor() as c,
        ):
            c.execute(f"delete from {table}")
