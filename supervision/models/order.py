"""Orders (交办单): what was handed to which office, its receipt, and what was done to hurry it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Order(models.Model):
    """One order for one clue. What was ordered never changes (``rights``); receipt and end are added to it."""

    class Ended(models.TextChoices):
        SENT_BACK = "sent_back", "退回"
        TAKEN_OVER = "taken_over", "提办"
        CLOSED = "closed", "核查完毕"

    number = models.CharField(max_length=40, unique=True)
    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="orders")
    office = models.CharField(max_length=6)
    department = models.CharField(max_length=30, blank=True)
    #: empty when the duty list delivered it without a person
    issued_by = models.CharField(max_length=60, blank=True)
    issued_by_name = models.CharField(max_length=60)
    issued_at = models.DateTimeField()
    direct = models.BooleanField(default=False)
    #: the office of the organ's own level; another one has jurisdiction by designation alone
    competent = models.CharField(max_length=6, blank=True)
    designated = models.CharField(max_length=200, blank=True)
    demand = models.TextField(blank=True)
    due_on = models.DateField()
    #: until when it must have been signed for
    receipt_due = models.DateTimeField()
    received_at = models.DateTimeField(null=True)
    received_by = models.CharField(max_length=60, blank=True)
    urged = models.IntegerField(default=0)
    urged_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    escalated_by = models.CharField(max_length=60, blank=True)
    escalated_reason = models.CharField(max_length=200, blank=True)
    #: when it was noted that nobody had signed in time
    overdue_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended = models.CharField(max_length=12, choices=Ended.choices, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["clue"], condition=Q(ended_at__isnull=True), name="order_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(competent="") | Q(competent=F("office")) | ~Q(designated=""),
                name="order_elsewhere_is_designated",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended="") | (Q(ended_at__isnull=False) & ~Q(ended="")),
                name="order_ended_somehow",
            ),
        ]
        indexes = [
            models.Index(fields=["office", "-id"], name="order_of_office"),
            models.Index(
                fields=["receipt_due"],
                condition=Q(received_at__isnull=True, ended_at__isnull=True),
                name="order_unsigned",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class OrderCall(models.Model):
    """A telephone call about an order: whom one spoke to and what came of it. Append-only; no number stands in it."""

    class Result(models.TextChoices):
        REACHED = "reached", "已接通"
        UNREACHED = "unreached", "无人接听"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="calls")
    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    by = models.CharField(max_length=60)
    by_name = models.CharField(max_length=60)
    spoke_with = models.CharField(max_length=80)
    result = models.CharField(max_length=10, choices=Result.choices)
    note = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.order_id} {self.at:%m-%d %H:%M}"


class Matter(models.Model):
    """A group of clues of one kind (类案): one office leads, the counties work on their parts."""

    title = models.CharField(max_length=120)
    text = models.TextField(blank=True)
    lead_office = models.CharField(max_length=6)
    lead = models.CharField(max_length=60)
    opened_by = models.CharField(max_length=60)
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=60, blank=True)
    conclusion = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | ~Q(conclusion=""), name="matter_ended_with_words"
            )
        ]

    def __str__(self) -> str:
        return self.title
