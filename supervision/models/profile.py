"""Recorded queries of the pool: on what basis somebody looked for or at a person or an organisation, and what they met."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q


class PoolQuery(models.Model):
    """One recorded query (查询登记). Insert-only; the profiles it leads to open by its ``code`` for as long as it holds.

    ``basis`` says what allows it: one's own clue, a matter that one leads, or a case by number. What was asked for stands
    in ``text`` unless it was a number, which is kept nowhere.
    """

    class Basis(models.TextChoices):
        CLUE = "clue", "本人线索"
        MATTER = "matter", "本人牵头的类案"
        CASE = "case", "办案查询"

    code = models.UUIDField(unique=True, default=uuid.uuid4)
    person = models.CharField(max_length=60)
    office = models.CharField(max_length=6)
    at = models.DateTimeField()
    expires_at = models.DateTimeField()
    basis = models.CharField(max_length=6, choices=Basis.choices)
    clue = models.ForeignKey("supervision.Clue", null=True, on_delete=models.PROTECT, related_name="+")
    case_number = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=200)
    #: what was asked: subject (of the clue), number, person, organisation, case_no, place
    kind = models.CharField(max_length=12)
    text = models.CharField(max_length=120, blank=True)
    #: those whose profile it opens: [{"kind", "ref"}], refs of the vault or keys of the spine
    subjects = models.JSONField(default=list)
    #: records met that name no subject of their own: [{"feed", "record_id"}]
    records = models.JSONField(default=list)
    #: there were more than are kept
    more = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(basis="case", clue__isnull=True) & ~Q(case_number="")
                | Q(basis__in=["clue", "matter"], clue__isnull=False, case_number=""),
                name="pool_query_has_basis",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="pool_query_has_reason"),
            # A number never stands here.
            models.CheckConstraint(
                condition=~Q(kind="number") | Q(text=""), name="pool_query_keeps_no_number"
            ),
        ]
        indexes = [models.Index(fields=["person", "-at"], name="pool_query_of_person")]

    def __str__(self) -> str:
        return f"{self.person} {self.basis} {self.kind}"
