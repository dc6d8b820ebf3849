"""Numbers that leave the house (对外提供号码): who asked, on what basis, who approved, whether it was opened."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from .clue import Clue


class Disclosure(models.Model):
    """One request. Approved by a second person, opened once by who asked; the numbers themselves are kept nowhere."""

    class State(models.TextChoices):
        ASKED = "asked", "待审批"
        APPROVED = "approved", "已批准"
        REFUSED = "refused", "不予批准"
        WITHDRAWN = "withdrawn", "已撤回"
        OPENED = "opened", "已打开"

    office = models.CharField(max_length=6)
    asked_by = models.CharField(max_length=60)
    asked_at = models.DateTimeField()
    #: the document or clause it rests on
    basis = models.CharField(max_length=120)
    #: to whom it goes: an agency by its code, or a name alone
    agency = models.CharField(max_length=30, blank=True)
    addressee = models.CharField(max_length=120)
    reason = models.CharField(max_length=300)
    clues = models.ManyToManyField(Clue, through="DisclosureClue", related_name="disclosures")
    #: how many clues it names; who looks on may not see all of them
    named_clues = models.IntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    decided_by = models.CharField(max_length=60, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=300, blank=True)
    expires_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    numbers = models.IntegerField(null=True)
    #: keyed digest of what left, by which a copy is recognised
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(decided_by=F("asked_by")), name="disclosure_two_people"),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "opened"])
                | (~Q(decided_by="") & Q(decided_at__isnull=False) & Q(expires_at__isnull=False)),
                name="disclosure_approved_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="opened") | Q(opened_at__isnull=False), name="disclosure_opened_when"
            ),
        ]
        indexes = [
            models.Index(fields=["office", "state", "-id"], name="disclosure_of_office"),
            models.Index(fields=["asked_by", "-opened_at"], name="disclosure_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.asked_by} {self.state}"


class DisclosureClue(models.Model):
    """A clue whose numbers a disclosure concerns."""

    disclosure = models.ForeignKey(Disclosure, on_delete=models.PROTECT, related_name="items")
    clue = models.ForeignKey(Clue, on_delete=models.PROTECT, related_name="disclosure_items")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["disclosure", "clue"], name="disclosure_names_a_clue_once")
        ]

    def __str__(self) -> str:
        return f"{self.disclosure_id} {self.clue_id}"
