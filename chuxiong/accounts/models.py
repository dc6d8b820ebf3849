"""People, offices, departments, roles, and how people sign in: all of them data.

There is no superuser: ``Person`` carries neither ``is_superuser`` nor Django permissions.
"""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

#: The three separated administrators (三员). The database excludes each from holding anything else.
ADMINISTRATORS = ("system_admin", "security_admin", "audit_admin")
#: The roles of an agency's people: theirs alone, and the only ones they may hold. Who reports data and who answers letters
#: are separate addressees.
PROVIDER, LIAISON = "provider", "liaison"
AGENCY_ROLES = (PROVIDER, LIAISON)


class Office(models.Model):
    """A procuratorate (院), keyed by the division code of its territory."""

    code = models.CharField(primary_key=True, max_length=6)
    name_zh = models.CharField(max_length=60)
    name_en = models.CharField(max_length=120)
    short_zh = models.CharField(max_length=20)
    short_en = models.CharField(max_length=60)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name_zh

    @property
    def is_prefecture(self) -> bool:
        return self.parent_id is None


class Department(models.Model):
    """A department (条线) of one office; names and numbers differ from office to office."""

    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="departments")
    code = models.CharField(max_length=30)
    name_zh = models.CharField(max_length=60)
    name_en = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["office", "code"], name="department_code_once")]
        ordering = ["office_id", "code"]

    def __str__(self) -> str:
        return self.name_zh


class Permission(models.Model):
    """One thing that a role may allow; shipped in ``institutions.yaml``."""

    code = models.CharField(primary_key=True, max_length=40)
    name_zh = models.CharField(max_length=40)
    name_en = models.CharField(max_length=80)
    order = models.IntegerField(default=0)

    class Meta:
        ordering = ["order"]

    def __str__(self) -> str:
        return self.name_zh


class Role(models.Model):
    """What a person may do: a set of permissions; shipped in ``institutions.yaml``."""

    class Kind(models.TextChoices):
        BUSINESS = "business", "业务"
        ADMINISTRATOR = "administrator", "管理"

    code = models.CharField(primary_key=True, max_length=30)
    name_zh = models.CharField(max_length=40)
    name_en = models.CharField(max_length=80)
    kind = models.CharField(max_length=14, choices=Kind.choices, default=Kind.BUSINESS)
    may = ArrayField(models.CharField(max_length=40), default=list)
    order = models.IntegerField(default=0)

    class Meta:
        ordering = ["order", "code"]

    def __str__(self) -> str:
        return self.name_zh


class PersonManager(BaseUserManager["Person"]):
    def create_person(self, *, username: str, password: str, **fields: Any) -> Person:
        person = self.model(username=username, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person


class Person(AbstractBaseUser):
    """Somebody who signs in."""

    username = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="people")
    department = models.ForeignKey(Department, null=True, on_delete=models.PROTECT, related_name="people")
    roles = ArrayField(models.CharField(max_length=30), default=list)
    #: Code of the data provider the person works for; empty for people of a procuratorate. ``office`` then names the
    #: procuratorate that looks after the account, and reaches nothing.
    agency = models.CharField(max_length=30, blank=True, default="", db_default="")
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(auto_now_add=True)
    left_at = models.DateTimeField(null=True)
    password_changed_at = models.DateTimeField(null=True)
    must_change_password = models.BooleanField(default=False)
    #: Off only for demo people; pages cannot change it (see the trigger in ``rights``).
    second_factor_required = models.BooleanField(default=True)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(roles__overlap=list(ADMINISTRATORS)) | Q(roles__len=1),
                name="person_administrator_holds_one_role",
            ),
            models.CheckConstraint(
                condition=Q(agency="") | Q(roles__contained_by=list(AGENCY_ROLES)),
                name="person_of_provider_reports_only",
            ),
            models.CheckConstraint(
                condition=~Q(roles__overlap=list(AGENCY_ROLES)) | ~Q(agency=""),
                name="person_provider_has_agency",
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, left_at__isnull=True) | Q(is_active=False, left_at__isnull=False),
                name="person_left_or_active",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.password_changed_at = timezone.now()

    @property
    def is_administrator(self) -> bool:
        return any(role in ADMINISTRATORS for role in self.roles)

    @cached_property
    def permissions(self) -> frozenset[str]:
        """Everything the person's roles allow, by code; none once the person has left."""
        if not self.is_active:
            return frozenset()
        granted = Role.objects.filter(code__in=self.roles).values_list("may", flat=True)
        return frozenset(code for may in granted for code in may)

    def may(self, permission: str) -> bool:
        return permission in self.permissions

    @property
    def office_codes(self) -> list[str]:
        """Codes of the offices whose clues the person's office looks on; none for an administrator."""
        if self.is_administrator or self.agency or not self.is_active:
            return []
        if self.office.is_prefecture:
            return [self.office_id, *self._offices_below()]
        return [self.office_id]

    def _offices_below(self) -> list[str]:
        """Read once for one object of an office, that is once a request, like the permissions."""
        read: dict[str, list[str]] = self.__dict__.setdefault("_read_below", {})
        if self.office_id not in read:
            below = Office.objects.filter(parent_id=self.office_id)
            read[self.office_id] = list(below.values_list("code", flat=True))
        return read[self.office_id]

    def has_role(self, *codes: str) -> bool:
        return any(code in self.roles for code in codes)


class PasswordTrace(models.Model):
    """Hashes of earlier passwords, so that they are not used again."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="earlier_passwords")
    hash = models.CharField(max_length=128)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["person", "-at"], name="password_trace_of_person")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.at:%F}"


class PasswordIssue(models.Model):
    """A one-time password on its way: each of two administrators hands over one half and sees no other.

    The system administrator opens it (first half, kept sealed until then), the security administrator completes it.
    """

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="password_issues")
    opened_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    sealed_half = models.BinaryField()
    completed_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    completed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person"], condition=Q(completed_at__isnull=True), name="password_issue_one_open"
            ),
            models.CheckConstraint(
                condition=~Q(completed_by=F("opened_by")) & ~Q(completed_by=F("person")),
                name="password_issue_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.opened_at:%F}"


class SignInFailures(models.Model):
    """Failed attempts since the last success, by pair (name, address), name, address, or code; in Postgres so
    that a stopped Redis opens nothing. Names are kept as keyed digests: people type passwords into name fields."""

    kind = models.CharField(max_length=8)
    subject = models.CharField(max_length=64)
    name = models.CharField(max_length=64, blank=True, db_index=True)
    failures = models.IntegerField()
    window_start = models.DateTimeField()
    locks = models.IntegerField(default=0)
    locked_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="sign_in_failures_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.failures}"


class DutyPost(models.Model):
    """A duty post (值班席): one paired terminal. Without a signed-in person it shows the board of counts."""

    name_zh = models.CharField(max_length=40)
    name_en = models.CharField(max_length=80)
    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="duty_posts")
    pairing_digest = models.CharField(max_length=64, blank=True)
    pairing_until = models.DateTimeField(null=True)
    token_digest = models.CharField(max_length=64, blank=True)
    paired_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["office_id", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["token_digest"], condition=~Q(token_digest=""), name="duty_post_token_once"
            )
        ]

    def __str__(self) -> str:
        return self.name_zh


class PersonSession(models.Model):
    """One signed-in stay of one person; the Django session carries its id and is worth nothing without it."""

    class End(models.TextChoices):
        SIGNED_OUT = "signed_out", "已退出"
        SUPERSEDED = "superseded", "在别处登录"
        IDLE = "idle", "长时间未操作"
        EXPIRED = "expired", "超过最长时限"
        LEFT = "left", "已离职离岗"
        ROLES = "roles", "职责有变动"
        PASSWORD = "password", "密码已更改"
        SECURITY = "security", "安全管理员终止"
        AGREEMENT = "agreement", "保密协议终止"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="sessions")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_why = models.CharField(max_length=10, choices=End.choices, blank=True)
    address = models.CharField(max_length=45, blank=True)
    duty_post = models.ForeignKey(DutyPost, null=True, on_delete=models.PROTECT, related_name="sessions")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person"], condition=Q(ended_at__isnull=True), name="session_one_per_person"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_why="")
                | (Q(ended_at__isnull=False) & ~Q(ended_why="")),
                name="session_ended_for_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["person", "-started_at"], name="session_of_person")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.started_at:%F %H:%M}"


class SecondFactor(models.Model):
    """A person's authenticator (TOTP). ``last_step`` is the last time step spent: a code works once."""

    person = models.OneToOneField(Person, on_delete=models.CASCADE, related_name="second_factor")
    sealed_secret = models.BinaryField()
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.person_id)


class RecoveryCode(models.Model):
    """One of the codes that stand in for a lost authenticator; kept as keyed digests, each works once."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "digest"], name="recovery_code_once")]

    def __str__(self) -> str:
        return str(self.person_id)


class Certificate(models.Model):
    """A client certificate (UKey) registered for a person: the serial as the gateway names it."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="certificates")
    issuer = models.CharField(max_length=200)
    serial = models.CharField(max_length=64)
    valid_from = models.DateField()
    valid_to = models.DateField()
    registered_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "serial"], name="certificate_once"),
            models.CheckConstraint(
                condition=Q(valid_to__gte=F("valid_from")), name="certificate_validity_in_order"
            ),
        ]
        ordering = ["-valid_to"]

    def __str__(self) -> str:
        return self.serial


class GatewayProof(models.Model):
    """Proofs of the gateway that were spent on signing in; each works once."""

    digest = models.CharField(primary_key=True, max_length=64)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.digest


class ConfidentialityAgreement(models.Model):
    """A person's signed confidentiality agreement (保密协议); without one in force nobody signs in."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="confidentiality_agreements")
    number = models.CharField(max_length=40, unique=True)
    signed_on = models.DateField()
    valid_to = models.DateField()
    ended_on = models.DateField(null=True)
    registered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__gte=F("signed_on")), name="confidentiality_dates_in_order"
            )
        ]
        ordering = ["-valid_to"]

    def __str__(self) -> str:
        return self.number
