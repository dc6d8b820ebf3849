"""Signed data agreements: every use of a field rests on one; what happened to each; clearing after its end."""

from __future__ import annotations

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class Agreement(models.Model):
    """One agreement with one data provider, as signed. Its terms never change: a renewal is an agreement of its own."""

    number = models.CharField(max_length=60, unique=True)
    agency = models.CharField(max_length=30)
    agency_zh = models.CharField(max_length=80)
    title = models.CharField(max_length=120)
    signed_on = models.DateField()
    valid_from = models.DateField()
    valid_to = models.DateField()
    #: the last day in force when it was ended early
    ended_on = models.DateField(null=True, blank=True)
    purposes = ArrayField(models.CharField(max_length=40))
    # feed code → list of columns, or ["*"] for all columns of the feed.
    fields = models.JSONField()
    #: office codes of the counties it covers; empty: the whole prefecture
    counties = ArrayField(models.CharField(max_length=6), default=list, blank=True)
    data_class = models.CharField(max_length=2)
    custodian = models.CharField(max_length=60)
    #: who answers for the data at the provider
    agency_custodian = models.CharField(max_length=60, blank=True)
    may_be_fed_back = models.BooleanField(default=False)
    renews = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="renewals"
    )
    # The signed paper lies in the archive; these tell whether a scan is that of the paper.
    document_name = models.CharField(max_length=200, blank=True)
    document_digest = models.CharField(max_length=64, blank=True)
    registered_by = models.CharField(max_length=60, blank=True)
    registered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__gte=F("valid_from")), name="agreement_period_runs_forward"
            )
        ]
        ordering = ["agency", "number"]

    def __str__(self) -> str:
        return self.number

    @property
    def last_day(self) -> date:
        """The last day in force: of its term, or the earlier one that it was ended at."""
        return min(self.valid_to, self.ended_on or self.valid_to)


class AgreementEvent(models.Model):
    """What happened to an agreement; append-only, written with the act itself."""

    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    actor = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    note = models.CharField(max_length=300, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["agreement", "id"], name="event_of_agreement")]

    def __str__(self) -> str:
        return f"{self.agreement_id} {self.kind}"


class AgreementClearing(models.Model):
    """The removal of what was delivered under an ended agreement: asked for by one person, approved by another.

    ``preview`` and ``result`` hold per feed what goes and what stays, counts only.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", "统计中"
        COUNTED = "counted", "待批准"
        APPROVED = "approved", "已批准"
        CLEARING = "clearing", "清除中"
        DONE = "done", "已清除"
        DECLINED = "declined", "未批准"

    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="clearings")
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    reason = models.CharField(max_length=200)
    requested_by = models.CharField(max_length=60)
    requested_at = models.DateTimeField()
    decided_by = models.CharField(max_length=60, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=200, blank=True)
    preview = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    counted_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: SHA-256 over the finished result, printed on the receipt
    receipt = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement"],
                condition=Q(state__in=["requested", "counted", "approved", "clearing"]),
                name="clearing_one_open",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "clearing", "done"])
                | (~Q(decided_by=F("requested_by")) & ~Q(decided_by="")),
                name="clearing_by_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agreement_id} {self.state}"


class ClearingHold(models.Model):
    """What a clearing must leave: a record that is evidence, or an identifier that something names."""

    clearing = models.ForeignKey(AgreementClearing, on_delete=models.CASCADE, related_name="holds")
    feed = models.CharField(max_length=40, blank=True)
    record_id = models.BigIntegerField(null=True)
    ref = models.UUIDField(null=True)

    class Meta:
        indexes = [models.Index(fields=["clearing", "feed", "record_id"], name="hold_of_record")]

    def __str__(self) -> str:
        return f"{self.clearing_id} {self.feed}"
