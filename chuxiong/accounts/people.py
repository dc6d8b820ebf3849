"""The one writer of people, offices, rights and what protects them. Every change is audited in its transaction.

Each act names the permission it takes; the separation of administrators is held here, by a trigger, and by a
check constraint. Nobody acts on themselves.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from chuxiong.audit.record import record
from chuxiong.vault.secrets import open_secret, seal_secret

from . import lock, passwords, second_factor, sessions
from .models import (
    ADMINISTRATORS,
    AGENCY_ROLES,
    Certificate,
    ConfidentialityAgreement,
    Department,
    DutyPost,
    Office,
    PasswordIssue,
    Person,
    Role,
)
from .policy import POLICY
from .refused import Refused
from .scope import scope
from .sessions import End

_USERNAME = re.compile(r"[a-z][a-z0-9._-]{1,39}")


@contextmanager
def _act(by: Person, permission: str) -> Iterator[None]:
    """A transaction in the person's name; the trigger on people reads that name."""
    if not by.may(permission):
        raise Refused("这项操作不在您的职责内", "this is not among your duties")
    with scope(offices=(), person=by.username):
        yield


def _on(by: Person, pk: int) -> Person:
    """The person acted on, locked."""
    if pk == by.pk:
        raise Refused(
            "不能对本人办理，请由另一位管理员办理", "not on yourself: another administrator has to do it"
        )
    person = Person.objects.select_for_update(of=("self",)).select_related("office").filter(pk=pk).first()
    if person is None:
        raise Refused("没有这个人员", "no such person")
    return person


def _trace(
    by: Person, action: str, kind: str, ref: str, at: datetime, *, reason: str = "", **detail: Any
) -> None:
    record(
        at=at,
        actor=by.username,
        office=by.office_id,
        action=action,
        object_kind=kind,
        object_ref=ref[:80],
        reason=reason[:200],
        detail=detail,
    )


def _words(value: str, limit: int, zh: str, en: str) -> str:
    value = unicodedata.normalize("NFKC", value).strip()
    if not value or len(value) > limit or any(unicodedata.category(c).startswith("C") for c in value):
        raise Refused(f"请填写{zh}（至多 {limit} 字）", f"fill in the {en} (at most {limit} characters)")
    return value


# ---- system administrator ---------------------------------------------------------------------


def create(
    *, by: Person, username: str, name: str, office: str, department: str, at: datetime, agency: str = ""
) -> tuple[Person, str]:
    """A person without any right; returns the first half of the one-time password, shown once.

    ``agency`` is the code of the data provider the person works for; empty for our own people.
    """
    username = username.strip().lower()
    if not _USERNAME.fullmatch(username):
        raise Refused(
            "用户名须以小写字母开头，由小写字母、数字和 . _ - 组成，2 至 40 位",
            "the user name starts with a small letter and holds 2 to 40 of a–z, 0–9 and . _ -",
        )
    name = _words(name, 60, "姓名", "name")
    with _act(by, "person.manage"):
        place, unit = _office(office), _department(office, department)
        person = Person(
            username=username,
            name=name,
            office=place,
            department=unit,
            agency=agency,
            must_change_password=True,
        )
        person.set_unusable_password()
        try:
            with transaction.atomic():
                person.save(force_insert=True)
        except IntegrityError:
            raise Refused(f"用户名 {username} 已有人使用", f"the user name {username} is taken") from None
        half = _open_issue(by, person, at)
        _trace(
            by, "person.create", "person", username, at, office=office, department=department,
            **({"agency": agency} if agency else {}),
        )  # fmt: skip
    return person, half


def change_details(*, by: Person, pk: int, name: str, office: str, department: str, at: datetime) -> Person:
    name = _words(name, 60, "姓名", "name")
    with _act(by, "person.manage"):
        person = _on(by, pk)
        before = {"name": person.name, "office": person.office_id, "department": person.department_id}
        moved = person.office_id != office
        person.name, person.office, person.department = name, _office(office), _department(office, department)
        person.save(update_fields=["name", "office", "department"])
        if moved:
            sessions.end(person, End.ROLES, at=at)
        after = {"name": name, "office": office, "department": person.department_id}
        _trace(by, "person.change", "person", person.username, at, before=before, after=after)
    return person


def leave(*, by: Person, pk: int, reason: str, at: datetime) -> Person:
    """Access ends with the commit: sessions, roles, certificates, second factor, unfinished password issues."""
    reason = _words(reason, 200, "离岗原因", "reason")
    with _act(by, "person.manage"):
        person = _on(by, pk)
        if not person.is_active:
            raise Refused("该人员已离职离岗", "this person has left already")
        _keeps_one(person, [])
        roles = person.roles
        person.is_active, person.left_at, person.roles = False, at, []
        person.set_unusable_password()
        person.save(update_fields=["is_active", "left_at", "roles", "password"])
        sessions.end(person, End.LEFT, at=at)
        certificates = person.certificates.filter(revoked_at__isnull=True).update(revoked_at=at)
        second_factor.remove(person)
        _close_issues(person, at)
        _trace(
            by,
            "person.leave",
            "person",
            person.username,
            at,
            reason=reason,
            roles=roles,
            certificates=certificates,
        )
    return person


def come_back(*, by: Person, pk: int, at: datetime) -> tuple[Person, str]:
    """An old account returns without rights and with a new one-time password; returns its first half."""
    with _act(by, "person.manage"):
        person = _on(by, pk)
        if person.is_active:
            raise Refused("该人员在岗", "this person is active")
        person.is_active, person.left_at, person.must_change_password = True, None, True
        person.save(update_fields=["is_active", "left_at", "must_change_password"])
        half = _open_issue(by, person, at)
        _trace(by, "person.come_back", "person", person.username, at)
    return person, half


def open_password_issue(*, by: Person, pk: int, at: datetime) -> tuple[Person, str]:
    """Start a new one-time password; the present one goes on until the security administrator completes it."""
    with _act(by, "person.manage"):
        person = _on(by, pk)
        if not person.is_active:
            raise Refused("该人员已离职离岗", "this person has left already")
        half = _open_issue(by, person, at)
        _trace(by, "person.password_open", "person", person.username, at)
    return person, half


def _open_issue(by: Person, person: Person, at: datetime) -> str:
    _close_issues(person, at)
    half = passwords.half()
    PasswordIssue.objects.create(
        person=person,
        opened_by=by,
        opened_at=at,
        sealed_half=seal_secret(half.encode(), f"password-half:{person.pk}"),
    )
    return half


def _close_issues(person: Person, at: datetime) -> None:
    """An unfinished issue is void: completed by nobody, its half gone."""
    PasswordIssue.objects.filter(person=person, completed_at__isnull=True).update(
        completed_at=at, sealed_half=b""
    )


def _office(code: str) -> Office:
    found = Office.objects.filter(pk=code).first()
    if found is None:
        raise Refused("请选择院", "choose an office")
    return found


def _department(office: str, code: str) -> Department | None:
    if not code:
        return None
    found = Department.objects.filter(office_id=office, code=code).first()
    if found is None:
        raise Refused("该院没有这个部门，请重新选择", "that office has no such department, choose again")
    return found


def create_office(
    *, by: Person, code: str, zh: str, en: str, short_zh: str, short_en: str, at: datetime
) -> Office:
    """A county office under the prefecture office."""
    if not (code.isascii() and code.isdigit() and len(code) == 6):
        raise Refused("机构代码为 6 位行政区划代码", "the code is a division code of six digits")
    with _act(by, "office.manage"):
        prefecture = Office.objects.filter(parent__isnull=True).order_by("code").first()
        if Office.objects.filter(pk=code).exists():
            raise Refused(f"机构 {code} 已登记", f"office {code} is registered already")
        office = Office.objects.create(
            code=code,
            parent=prefecture,
            name_zh=_words(zh, 60, "全称", "full name"),
            name_en=_words(en, 120, "英文全称", "full English name"),
            short_zh=_words(short_zh, 20, "简称", "short name"),
            short_en=_words(short_en, 60, "英文简称", "short English name"),
        )
        _trace(by, "office.create", "office", code, at, name=office.name_zh)
    return office


def save_department(*, by: Person, office: str, code: str, zh: str, en: str, at: datetime) -> Department:
    """Add a department to an office, or rename it; departments are never removed."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,29}", code):
        raise Refused(
            "部门代码由小写字母、数字、下划线组成，2 至 30 位",
            "the code holds 2 to 30 small letters, digits and underscores",
        )
    with _act(by, "office.manage"):
        department, made = Department.objects.update_or_create(
            office=_office(office),
            code=code,
            defaults={
                "name_zh": _words(zh, 60, "名称", "name"),
                "name_en": _words(en, 120, "英文名称", "English name"),
            },
        )
        action = "department.create" if made else "department.rename"
        _trace(by, action, "department", f"{office}/{code}", at, name=department.name_zh)
    return department


def create_duty_post(*, by: Person, office: str, zh: str, en: str, at: datetime) -> tuple[DutyPost, str]:
    """A duty post and the pairing code that its terminal types in, shown once."""
    with _act(by, "duty_post.manage"):
        code, digest = new_pairing_code()
        post = DutyPost.objects.create(
            office=_office(office),
            name_zh=_words(zh, 40, "名称", "name"),
            name_en=_words(en, 80, "英文名称", "English name"),
            pairing_digest=digest,
            pairing_until=at + timedelta(minutes=POLICY.duty_post.pairing_minutes.value),
        )
        _trace(by, "duty_post.create", "duty_post", str(post.pk), at, name=post.name_zh, office=office)
    return post, code


def pair_again(*, by: Person, pk: int, at: datetime) -> tuple[DutyPost, str]:
    """A new pairing code; the terminal paired before is cut off at once."""
    with _act(by, "duty_post.manage"):
        post, (code, digest) = _duty_post(pk), new_pairing_code()
        _cut_off(post, at)
        post.pairing_digest, post.token_digest, post.paired_at, post.revoked_at = digest, "", None, None
        post.pairing_until = at + timedelta(minutes=POLICY.duty_post.pairing_minutes.value)
        post.save()
        _trace(by, "duty_post.pair_again", "duty_post", str(pk), at)
    return post, code


def revoke_duty_post(*, by: Person, pk: int, at: datetime) -> DutyPost:
    with _act(by, "duty_post.manage"):
        post = _duty_post(pk)
        _cut_off(post, at)
        post.pairing_digest, post.token_digest, post.pairing_until, post.revoked_at = "", "", None, at
        post.save()
        _trace(by, "duty_post.revoke", "duty_post", str(pk), at)
    return post


def _duty_post(pk: int) -> DutyPost:
    post = DutyPost.objects.select_for_update().filter(pk=pk).first()
    if post is None:
        raise Refused("没有这个值班席", "no such duty post")
    return post


def _cut_off(post: DutyPost, at: datetime) -> None:
    for stay in post.sessions.filter(ended_at__isnull=True).select_related("person"):
        sessions.end(stay.person, End.SECURITY, at=at, stay=stay.pk)


def pair(code: str, *, at: datetime) -> tuple[DutyPost, str] | None:
    """The terminal types its pairing code and receives its token; the code works once."""
    with transaction.atomic():
        digest = _sha(code.strip().upper().replace("-", ""))
        post = (
            DutyPost.objects.select_for_update().filter(pairing_digest=digest, pairing_until__gt=at).first()
        )
        if post is None:
            return None
        token = secrets.token_urlsafe(32)
        post.pairing_digest, post.pairing_until, post.token_digest, post.paired_at = "", None, _sha(token), at
        post.save()
        record(
            at=at,
            actor=f"duty_post:{post.pk}",
            office=post.office_id,
            action="duty_post.pair",
            object_kind="duty_post",
            object_ref=str(post.pk),
        )
        return post, token


def duty_post_of(token: str) -> DutyPost | None:
    """The paired post that holds the token."""
    if not 20 <= len(token) <= 100:
        return None
    return (
        DutyPost.objects.select_related("office")
        .filter(token_digest=_sha(token), revoked_at__isnull=True)
        .first()
    )


def new_pairing_code() -> tuple[str, str]:
    """A pairing code and the digest that is kept of it."""
    code = "".join(secrets.choice("ABCDEFGHJKMNPQRSTUVWXYZ23456789") for _ in range(10))
    return code, _sha(code)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# ---- security administrator -------------------------------------------------------------------


def grant_roles(*, by: Person, pk: int, roles: list[str], reason: str, at: datetime) -> Person:
    """Set the person's roles; what the person does at this moment ends, the next sign-in has the new rights."""
    reason = _words(reason, 200, "依据", "basis")
    with _act(by, "role.grant"):
        person = _on(by, pk)
        if not person.is_active:
            raise Refused("该人员已离职离岗，不能授予角色", "this person has left: no roles")
        known = {role.code: role for role in Role.objects.all()}
        if unknown := set(roles) - set(known):
            raise Refused(
                f"没有角色 {'、'.join(sorted(unknown))}", f"no such role: {', '.join(sorted(unknown))}"
            )
        roles = [code for code in known if code in set(roles)]
        kinds = {known[code].kind for code in roles}
        if Role.Kind.ADMINISTRATOR in kinds and len(roles) > 1:
            raise Refused(
                "管理员只能持有一个角色，不得兼任其他管理员或业务角色（三员分立）",
                "an administrator holds one role and no other: the three administrators are separate",
            )
        if person.agency and set(roles) - set(AGENCY_ROLES):
            raise Refused(
                "外单位人员只能授予单位报送员、单位联络员角色",
                "somebody of an agency holds the roles of an agency's people alone",
            )
        if not person.agency and set(roles) & set(AGENCY_ROLES):
            raise Refused(
                "单位报送员、单位联络员须是外单位人员，请按所在单位另建账号",
                "these roles are for people of an agency: create an account of theirs",
            )
        was = {known[code].kind for code in person.roles if code in known}
        if was and kinds and was != kinds:
            raise Refused(
                "管理员账号与业务账号不得互相转换，请为其另建账号",
                "an administrator's account never becomes a business one, nor the reverse: create another account",
            )
        _keeps_one(person, roles)
        before, person.roles = person.roles, roles
        person.save(update_fields=["roles"])
        sessions.end(person, End.ROLES, at=at)
        _trace(by, "person.roles", "person", person.username, at, reason=reason, before=before, after=roles)
    return person


def _keeps_one(person: Person, roles: list[str]) -> None:
    for code in set(person.roles) & set(ADMINISTRATORS) - set(roles):
        if not Person.objects.filter(roles__contains=[code], is_active=True).exclude(pk=person.pk).exists():
            raise Refused(
                "这是该类管理员中的最后一位，请先设立接任者",
                "the last administrator of this kind: appoint a successor first",
            )


def complete_password_issue(*, by: Person, pk: int, at: datetime) -> tuple[Person, str]:
    """Set the one-time password from both halves; returns the second half, shown once."""
    with _act(by, "sign_in.protect"):
        person = _on(by, pk)
        issue = (
            PasswordIssue.objects.select_for_update().filter(person=person, completed_at__isnull=True).first()
        )
        if issue is None:
            raise Refused(
                "系统管理员尚未发起密码核发", "the system administrator has not started a password issue"
            )
        first = open_secret(bytes(issue.sealed_half), f"password-half:{person.pk}").decode()
        second = passwords.half()
        passwords.change(person, f"{first}-{second}", at=at, must_change=True)
        issue.completed_by, issue.completed_at, issue.sealed_half = by, at, b""
        issue.save()
        sessions.end(person, End.PASSWORD, at=at)
        _trace(by, "person.password_complete", "person", person.username, at)
    return person, second


def unlock(*, by: Person, pk: int, at: datetime) -> Person:
    with _act(by, "sign_in.protect"):
        person = _on(by, pk)
        lock.unlock(person)
        _trace(by, "person.unlock", "person", person.username, at)
    return person


def end_session(*, by: Person, pk: int, at: datetime) -> Person:
    with _act(by, "sign_in.protect"):
        person = _on(by, pk)
        ended = sessions.end(person, End.SECURITY, at=at)
        _trace(by, "person.end_session", "person", person.username, at, ended=ended)
    return person


def reset_second_factor(*, by: Person, pk: int, reason: str, at: datetime) -> Person:
    reason = _words(reason, 200, "依据", "basis")
    with _act(by, "sign_in.protect"):
        person = _on(by, pk)
        second_factor.remove(person)
        sessions.end(person, End.SECURITY, at=at)
        _trace(by, "person.second_factor_reset", "person", person.username, at, reason=reason)
    return person


def register_certificate(
    *, by: Person, pk: int, issuer: str, serial: str, valid_from: date, valid_to: date, at: datetime
) -> Certificate:
    issuer = _words(issuer, 200, "签发者", "issuer")
    serial = serial.replace(":", "").replace(" ", "").upper().lstrip("0")
    if not re.fullmatch(r"[0-9A-F]{1,64}", serial):
        raise Refused("序列号为十六进制，至多 64 位", "the serial is hexadecimal, at most 64 digits")
    if valid_to < valid_from:
        raise Refused("有效期止不得早于有效期起", "the certificate ends before it begins")
    with _act(by, "sign_in.protect"):
        person = _on(by, pk)
        if not person.is_active:
            raise Refused("该人员已离职离岗", "this person has left already")
        if Certificate.objects.filter(issuer=issuer, serial=serial).exists():
            raise Refused("这张证书已登记", "this certificate is registered already")
        certificate = Certificate.objects.create(
            person=person,
            issuer=issuer,
            serial=serial,
            valid_from=valid_from,
            valid_to=valid_to,
            registered_at=at,
        )
        _trace(by, "certificate.register", "person", person.username, at, serial=serial)
    return certificate


def revoke_certificate(*, by: Person, pk: int, certificate: int, at: datetime) -> Person:
    with _act(by, "sign_in.protect"):
        person = _on(by, pk)
        found = person.certificates.filter(pk=certificate, revoked_at__isnull=True).first()
        if found is None:
            raise Refused("没有这张证书，或已注销", "no such certificate, or revoked already")
        Certificate.objects.filter(pk=found.pk).update(revoked_at=at)
        sessions.end(person, End.SECURITY, at=at)
        _trace(by, "certificate.revoke", "person", person.username, at, serial=found.serial)
    return person


def register_agreement(
    *, by: Person, pk: int, number: str, signed_on: date, valid_to: date, at: datetime
) -> ConfidentialityAgreement:
    number = _words(number, 40, "文号", "document number")
    if valid_to < signed_on:
        raise Refused("有效期止不得早于签订日", "the agreement ends before it was signed")
    if signed_on > timezone.localdate(at):
        raise Refused("签订日不得晚于今天", "the agreement cannot be signed later than today")
    with _act(by, "confidentiality.register"):
        person = _on(by, pk)
        if ConfidentialityAgreement.objects.filter(number=number).exists():
            raise Refused(f"文号 {number} 已登记", f"number {number} is registered already")
        agreement = ConfidentialityAgreement.objects.create(
            person=person, number=number, signed_on=signed_on, valid_to=valid_to, registered_at=at
        )
        _trace(
            by, "confidentiality.register", "person", person.username, at, number=number, until=str(valid_to)
        )
    return agreement


def end_agreement(*, by: Person, pk: int, agreement: int, reason: str, at: datetime) -> Person:
    reason = _words(reason, 200, "原因", "reason")
    with _act(by, "confidentiality.register"):
        person = _on(by, pk)
        found = person.confidentiality_agreements.filter(pk=agreement, ended_on__isnull=True).first()
        if found is None:
            raise Refused("没有这份协议，或已终止", "no such agreement, or ended already")
        ConfidentialityAgreement.objects.filter(pk=found.pk).update(ended_on=timezone.localdate(at))
        sessions.end(person, End.AGREEMENT, at=at)
        _trace(by, "confidentiality.end", "person", person.username, at, reason=reason, number=found.number)
    return person


# ---- oneself ----------------------------------------------------------------------------------


def change_own_password(*, person: Person, password: str, at: datetime) -> None:
    """The rules were checked by the form; every stay of the person ends."""
    with scope(offices=(), person=person.username):
        passwords.change(person, password, at=at)
        sessions.end(person, End.PASSWORD, at=at)
        _trace(person, "person.password_change", "person", person.username, at)
