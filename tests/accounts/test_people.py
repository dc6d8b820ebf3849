"""From a new account to a signed-in person and to the leaver, through the pages."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from chuxiong.accounts import confidentiality, people
from chuxiong.accounts.models import ConfidentialityAgreement, DutyPost, PasswordIssue, Person
from chuxiong.accounts.refused import Refused
from supervision.clues import actions
from tests.accounts.conftest import audited, enter, signed_in


def _half(answer) -> str:  # type: ignore[no-untyped-def]
    found = re.search(r'<p class="half"><code>([^<]+)</code>', answer.content.decode())
    assert found, answer.content.decode()[-2000:]
    assert "no-store" in answer["Cache-Control"]
    return found[1]


def test_from_new_account_to_first_sign_in(admins):
    system, security = signed_in("system"), signed_in("security")
    made = system.post("/people/new", {"username": "Qian", "name": "钱示例", "place": "532301/criminal"})
    first = _half(made)
    person = Person.objects.get(username="qian")
    assert person.roles == [] and person.must_change_password and person.second_factor_required
    assert enter(Client(), "qian", first).status_code == 401

    # Two halves from two administrators; neither has the whole.
    asked = security.post(f"/rights/{person.pk}/password")
    assert "核发" in asked.content.decode() and not Person.objects.get(pk=person.pk).has_usable_password()
    second = _half(security.post(f"/rights/{person.pk}/password", {"confirmed": "yes"}))
    assert enter(Client(), "qian", second).status_code == 401
    assert bytes(PasswordIssue.objects.get(person=person).sealed_half) == b""
    security.post(
        f"/rights/{person.pk}/roles", {"role": ["prosecutor"], "reason": "审批 1 号", "confirmed": "yes"}
    )

    # Second factor, own password, then the agreement that is not there yet.
    client = Client()
    assert enter(client, "qian", f"{first}-{second}")["Location"] == "/login/enrol"
    from tests.accounts.test_second_factor import secret_of, totp

    client.get("/login/enrol")
    client.post("/login/enrol", {"code": totp(secret_of(person), timezone.now().timestamp())})
    assert client.get("/login/next")["Location"] == "/login/password"
    new = {"new": "My-Own-Words-2027", "again": "My-Own-Words-2027"}
    assert client.post("/login/password", new)["Location"] == "/login/agreement"
    assert "尚未登记您的保密协议" in client.get("/login/agreement").content.decode()
    assert client.get("/").status_code == 302 and client.get("/session").status_code == 401

    day = timezone.localdate()
    registered = security.post(
        f"/rights/{person.pk}/agreement",
        {
            "number": "楚检保密〔2026〕1号",
            "signed_on": day.isoformat(),
            "valid_to": (day + timedelta(days=365)).isoformat(),
        },
    )
    assert registered.status_code == 302
    assert client.get("/login/agreement")["Location"] == "/"
    assert client.get("/").status_code == 200
    for action in (
        "person.create",
        "person.password_complete",
        "person.roles",
        "confidentiality.register",
        "sign_in",
    ):
        assert audited(action), action


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ended_on": 0}, "终止"),
        ({"valid_to": -1}, "有效期至"),
        ({"signed_on": 1}, "有效期至"),
        (None, "尚未登记"),
    ],
)
def test_without_an_agreement_in_force_nobody_gets_beyond_the_page(hire, change, words):
    hire(agreement=change is not None)
    day = timezone.localdate()
    if change:
        ConfidentialityAgreement.objects.update(**{k: day + timedelta(days=v) for k, v in change.items()})
    client = Client()
    assert enter(client)["Location"] == "/login/agreement"
    page = client.get("/login/agreement")
    assert page.status_code == 200 and words in page.content.decode()
    for path in ("/", "/me", "/feeds"):
        assert client.get(path).status_code == 302
    assert client.get("/session").status_code == 401


def test_the_register_warns_before_agreements_end(hire, admins):
    hire()
    hire("li", agreement=False)
    day = timezone.localdate()
    ConfidentialityAgreement.objects.filter(person__username="zhang").update(
        valid_to=day + timedelta(days=30)
    )
    assert confidentiality.soon_over(timezone.now()) == 1
    text = signed_in("security").get("/confidentiality").content.decode()
    assert "1 人的协议将在 30 天内到期" in text and "1 人没有有效协议" in text and "剩 30 天" in text


def test_the_leaver_is_out_at_once_and_the_clues_wait_for_others(hire, admins):
    hire()
    hire("head", roles=("head",))
    now = timezone.now()
    person = Person.objects.get(username="zhang")
    clue = actions.enter(
        by=person,
        at=now,
        title="示例",
        office="532300",
        township="",
        occurred_on=now.date(),
        level="ordinary",
        text="示例",
    )
    for step, more in (
        ("accept", {}),
        ("dispatch", {"office": "532300", "department": "", "note": ""}),
        ("receive", {}),
    ):
        getattr(actions, step)(clue_number=clue.number, by=person, at=now, **more)
    client, system, head = signed_in("zhang"), signed_in("system"), signed_in("head")
    assert "没有需要移交" in head.get("/hand-over").content.decode()
    asked = system.post(f"/people/{person.pk}/leave", {"reason": "调离"})
    assert "停用 zhang示例 的账号" in asked.content.decode() and client.get("/").status_code == 200
    system.post(f"/people/{person.pk}/leave", {"reason": "调离", "confirmed": "yes"})
    assert client.get("/").status_code == 302
    assert enter(Client()).status_code == 401
    left = Person.objects.get(pk=person.pk)
    assert left.roles == [] and not left.is_active
    assert clue.number in head.get("/hand-over").content.decode()
    assert clue.number not in system.get(f"/people/{person.pk}").content.decode()
    county = hire("county", roles=("head",), office="532301")
    assert clue.number not in signed_in(county.username).get("/hand-over").content.decode()


def test_the_way_back_starts_without_rights(hire, admins):
    person, now = hire(), timezone.now()
    people.leave(by=admins["system"], pk=person.pk, reason="借调", at=now)
    people.come_back(by=admins["system"], pk=person.pk, at=now)
    back = Person.objects.get(pk=person.pk)
    assert back.is_active and back.roles == [] and back.must_change_password
    assert enter(Client()).status_code == 401


def test_an_account_that_slept_too_long_waits_for_a_new_password(hire, admins):
    person, now = hire(), timezone.now()
    ago = now - timedelta(days=30)
    Person.objects.using("owner").update(last_login=ago, joined_at=ago, password_changed_at=ago)
    client = Client()
    assert enter(client)["Location"] == "/login/dormant"
    assert "已休眠" in client.get("/login/dormant").content.decode()
    assert client.get("/").status_code == 302
    _, first = people.open_password_issue(by=admins["system"], pk=person.pk, at=now)
    _, second = people.complete_password_issue(by=admins["security"], pk=person.pk, at=now)
    assert enter(Client(), password=f"{first}-{second}")["Location"] == "/login/password"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"username": "9x"}, "用户名须"),
        ({"username": "a b"}, "用户名须"),
        ({"username": "system"}, "已有人使用"),
        ({"name": ""}, "请填写姓名"),
        ({"name": "a\u202eb"}, "请填写姓名"),
        ({"office": "999999"}, "请选择院"),
        ({"department": "nowhere"}, "没有这个部门"),
    ],
)
def test_bad_input_is_named_and_nothing_is_made(admins, fields, words):
    good = {"username": "qian", "name": "钱示例", "office": "532301", "department": "criminal"}
    with pytest.raises(Refused, match=words):
        people.create(by=admins["system"], at=timezone.now(), **{**good, **fields})
    assert Person.objects.count() == 3 and not audited("person.create")


def test_offices_departments_and_duty_posts(admins):
    client = signed_in("system")
    post = {
        "act": "office",
        "code": "532399",
        "zh": "某某县人民检察院",
        "en": "X",
        "short_zh": "某某县",
        "short_en": "X",
    }
    try:
        assert client.post("/offices", post).status_code == 302
        assert client.post("/offices", post).status_code == 409
        new = {"office": "532399", "code": "training", "zh": "培训部", "en": "Training"}
        assert client.post("/offices", new).status_code == 302
        assert "培训部" in client.get("/offices").content.decode()
    finally:
        from django.db import connections

        with connections["owner"].cursor() as cursor:
            cursor.execute("delete from accounts_department where office_id = '532399'")
            cursor.execute("delete from accounts_office where code = '532399'")
    assert audited("office.create") == [("system", "532399")]


def test_the_duty_post_from_pairing_to_board_and_back(hire, admins):
    hire()
    system, terminal = signed_in("system"), Client()
    shown = system.post("/posts", {"act": "create", "office": "532300", "zh": "值班席一", "en": "Post 1"})
    code = _half(shown)
    assert terminal.get("/post")["Location"] == "/post/pair"
    assert terminal.post("/post/pair", {"code": "WRONGCODE1"}).status_code == 400
    assert terminal.post("/post/pair", {"code": code.lower()})["Location"] == "/post"
    assert Client().post("/post/pair", {"code": code}).status_code == 400, "the code works once"
    board = terminal.get("/post").content.decode()
    assert "值班席一" in board and "发现线索" in board

    # Nobody signed in: the board, not a log-in page; and the board's cookie opens nothing else.
    assert terminal.get("/")["Location"] == "/post"
    assert terminal.get("/login")["Location"] == "/post"
    assert terminal.get("/session").status_code == 401
    assert enter(terminal).status_code == 302
    assert terminal.get("/").status_code == 200
    post = DutyPost.objects.get()
    assert Person.objects.get(username="zhang").sessions.get(ended_at__isnull=True).duty_post == post
    assert terminal.post("/logout")["Location"] == "/post"

    # Cut off while somebody is signed in: person out, terminal a stranger.
    enter(terminal)
    assert system.post("/posts", {"act": "revoke", "post": post.pk}).status_code == 200, "asks first"
    system.post("/posts", {"act": "revoke", "post": post.pk, "confirmed": "yes"})
    assert terminal.get("/")["Location"].startswith("/login")
    assert terminal.get("/post")["Location"] == "/post/pair"


def test_a_pairing_code_expires(admins):
    _, code = people.create_duty_post(
        by=admins["system"], office="532300", zh="值班席", en="Post", at=timezone.now()
    )
    assert people.pair(code, at=timezone.now() + timedelta(minutes=11)) is None
    assert people.pair(code, at=timezone.now()) is not None


def test_the_first_three_administrators_are_appointed_once():
    words = [
        "--system", "xi", "系统示例", "协-1", "--security", "an", "安全示例", "协-2", "--audit", "shen", "审计示例", "协-3",
        "--signed-on", "2026-01-01", "--valid-to", "2036-01-01", "--json",
    ]  # fmt: skip
    out = StringIO()
    call_command("administrators", *words, stdout=out)
    made = json.loads(out.getvalue())
    assert [m["role"] for m in made] == ["system_admin", "security_admin", "audit_admin"]
    assert enter(Client(), "xi", made[0]["password"])["Location"] == "/login/enrol"
    assert len(audited("person.appoint")) == 3
    with pytest.raises(CommandError, match="已设立"):
        call_command("administrators", *words)
