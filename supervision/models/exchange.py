"""Agencies' machines: who may call and by which certificate, where they want to be called. The front has its own copy."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

SCOPES = ("data", "letters")


def both() -> list[str]:
    return list(SCOPES)


class AgencyClient(models.Model):
    """One agency's signing key. The secret is sealed under the application key, shown once at creation."""

    key = models.CharField(primary_key=True, max_length=40)
    agency = models.CharField(max_length=30)
    agency_zh = models.CharField(max_length=80)
    sealed_secret = models.BinaryField()
    #: what the machine is for: ``data`` (data contact), ``letters`` (business contact); separate addressees
    scopes = ArrayField(models.CharField(max_length=10), default=both)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=list(SCOPES)) & ~Q(scopes=[]), name="client_known_scopes"
            )
        ]

    def __str__(self) -> str:
        return self.key


class AgencyCertificate(models.Model):
    """A client certificate by which a machine is known to the gateway before the front. A client with one needs one."""

    client = models.ForeignKey(AgencyClient, on_delete=models.PROTECT, related_name="certificates")
    #: SHA-256 of the certificate, hex
    fingerprint = models.CharField(max_length=64, unique=True)
    #: as the gateway reports them: RFC 2253 name in ASCII, serial in upper-case hex without leading zeros
    issuer = models.CharField(max_length=400)
    serial = models.CharField(max_length=64)
    subject = models.CharField(max_length=400)
    valid_from = models.DateField()
    valid_to = models.DateField()
    registered_at = models.DateTimeField()
    revoked_on = models.DateField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "serial"], name="certificate_of_one_client"),
            models.CheckConstraint(
                condition=Q(valid_to__gte=F("valid_from")), name="certificate_period_forward"
            ),
        ]

    def __str__(self) -> str:
        return self.fingerprint


class Webhook(models.Model):
    """Where one client wants to be told that something for it changed. It is told numbers and states, nothing else."""

    client = models.OneToOneField(AgencyClient, on_delete=models.PROTECT, related_name="webhook")
    url = models.CharField(max_length=500)
    algorithm = models.CharField(max_length=12, default="HMAC-SM3")
    active = models.BooleanField(default=True)
    #: rises with every subscription; the first call tells it
    revision = models.IntegerField(default=1)
    subscribed_at = models.DateTimeField()
    #: changes up to here have their calls
    seen_to = models.DateTimeField()
    #: why nothing is sent although it is active ("" = it is)
    problem = models.CharField(max_length=200, blank=True)
    last_success_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.client_id


class WebhookCall(models.Model):
    """One thing to tell one client; tried again with longer pauses, in the end dead until somebody sends it anew."""

    class State(models.TextChoices):
        WAITING = "waiting", "待发"
        DONE = "done", "已送达"
        DEAD = "dead", "未送达"

    code = models.UUIDField(unique=True)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="calls")
    #: letter or ticket with its number and version; ``subscription`` with the client's key and the revision
    kind = models.CharField(max_length=12)
    number = models.CharField(max_length=40)
    version = models.IntegerField()
    #: as the receiver reads it when it asks
    standing = models.CharField(max_length=12, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    #: the next attempt
    due_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)
    #: what the receiver answered, or why nothing came through
    status = models.IntegerField(null=True)
    problem = models.CharField(max_length=200, blank=True)
    done_at = models.DateTimeField(null=True)
    #: who had it sent anew
    resent_by = models.CharField(max_length=60, blank=True)
    resent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["webhook", "number", "version"], name="webhook_call_once")
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="webhook_call_waits"),
            models.Index(fields=["-id"], condition=Q(state="dead"), name="webhook_call_dead"),
        ]

    def __str__(self) -> str:
        return f"{self.webhook_id} {self.number} {self.version}"
