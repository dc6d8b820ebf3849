"""Identifiers: a stable random ref each, found by a keyed token, kept sealed."""

from __future__ import annotations

from django.db import models


class Identifier(models.Model):
    """One identifier of one kind. ``lookup`` is HMAC-SM3 (first 16 bytes) under the vault's lookup key."""

    ref = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=20)
    lookup = models.BinaryField(max_length=16)
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=20)
    # What rules need without the number itself.
    birth_date = models.DateField(null=True)
    sex = models.CharField(max_length=1, blank=True)
    division = models.CharField(max_length=6, blank=True)
    # An HMAC of the visible digits of one supported mask shape (5323**********1234).
    mask_token = models.BinaryField(max_length=16, null=True)
    minted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # The token is of kind and value, so it needs no kind beside it; refs are read from the index alone.
        constraints = [
            models.UniqueConstraint(fields=["lookup"], include=["ref"], name="identifier_by_lookup")
        ]
        indexes = [
            models.Index(
                fields=["mask_token"], condition=models.Q(mask_token__isnull=False), name="identifier_by_mask"
            )
        ]

    def __str__(self) -> str:
        return str(self.ref)


class BatchKey(models.Model):
    """The data key of one batch, sealed; destroying the row clears the stored bytes of that batch."""

    batch = models.BigIntegerField(primary_key=True)
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=20)

    def __str__(self) -> str:
        return str(self.batch)
