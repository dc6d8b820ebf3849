"""Data tickets: what a provider is asked to put right in its own data. Never a clue, never in the funnel."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class DataTicket(models.Model):
    """One question to one data provider about one feed; sent by a person, answered by the provider."""

    class State(models.TextChoices):
        OPEN = "open", "待发出"
        SENT = "sent", "待答复"
        ANSWERED = "answered", "已答复"
        CLOSED = "closed", "已关闭"

    class Kind(models.TextChoices):
        QUARANTINE = "quarantine", "隔离行"
        ANOMALY = "anomaly", "数据异常"
        LATE = "late", "迟报或中断"
        DEVICE = "device", "设备中断"
        LAYOUT = "layout", "格式问题"
        OTHER = "other", "其他"

    class Answer(models.TextChoices):
        RESENT = "resent", "已更正重报"
        WILL_RESEND = "will_resend", "将更正重报"
        CORRECT = "correct", "数据无误"
        EXPLAINED = "explained", "情况说明"
        EXTENSION = "extension", "申请延期"

    feed = models.CharField(max_length=40)
    agency = models.CharField(max_length=30)
    agency_zh = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    batch = models.ForeignKey("ingestion.Batch", null=True, on_delete=models.PROTECT, related_name="tickets")
    issue = models.ForeignKey(
        "ingestion.FeedIssue", null=True, on_delete=models.PROTECT, related_name="tickets"
    )
    subject = models.CharField(max_length=120)
    text = models.TextField()
    #: what it is about, counts only: [{"column", "reason", "rows"}] or findings of the measure
    detail = models.JSONField(default=list)
    rows = models.BigIntegerField(default=0)
    # The provider's own rows as a spreadsheet, sealed under the vault's keys; emptied when its agreement is cleared.
    sealed = models.BinaryField(null=True)
    key_id = models.CharField(max_length=20, blank=True)
    sealed_rows = models.IntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    opened_by = models.CharField(max_length=60)
    opened_at = models.DateTimeField()
    sent_by = models.CharField(max_length=60, blank=True)
    sent_at = models.DateTimeField(null=True)
    due_on = models.DateField(null=True)
    reminders = models.IntegerField(default=0)
    reminded_on = models.DateField(null=True)
    answer = models.CharField(max_length=12, choices=Answer.choices, blank=True)
    answer_text = models.TextField(blank=True)
    answered_by = models.CharField(max_length=60, blank=True)
    answered_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=60, blank=True)
    closed_at = models.DateTimeField(null=True)
    version = models.IntegerField(default=1)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "kind"], condition=Q(batch__isnull=False), name="ticket_of_batch_once"
            ),
            models.UniqueConstraint(
                fields=["feed"], condition=Q(kind="late") & ~Q(state="closed"), name="ticket_late_once"
            ),
            models.UniqueConstraint(
                fields=["issue"],
                condition=Q(issue__isnull=False) & ~Q(state="closed"),
                name="ticket_of_issue_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["sent", "answered"]) | Q(sent_at__isnull=False, due_on__isnull=False),
                name="ticket_sent_has_term",
            ),
        ]
        indexes = [
            models.Index(fields=["agency", "-id"], name="ticket_of_agency"),
            models.Index(fields=["feed", "-id"], name="ticket_of_feed"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class TicketEvent(models.Model):
    """What happened to a ticket; append-only."""

    ticket = models.ForeignKey(DataTicket, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    actor = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["ticket", "id"], name="event_of_ticket")]

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.kind}"
