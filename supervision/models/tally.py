"""How many clues share a fact: what the queue counts, kept beside the clues."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """``clues`` more or fewer with one fact; the rows of a fact add up to how many there are (``supervision.tally``).

    Written by the triggers on clues alone.
    """

    #: state, due, raised, changed, rebound, rule, level; checked, confirmed
    aspect = models.CharField(max_length=10)
    #: the state; the rule; empty
    word = models.CharField(max_length=60)
    #: the limit; the local day on which they were raised
    day = models.DateField(null=True)
    office = models.CharField(max_length=6)
    closed_to = models.CharField(max_length=30)
    #: only of what is closed to a department: there the handler sees it, too
    handler = models.CharField(max_length=60)
    clues = models.IntegerField()

    class Meta:
        indexes = [
            models.Index(
                fields=["aspect", "word", "day"],
                include=["office", "closed_to", "handler", "clues"],
                name="tally_of_fact",
            )
        ]

    def __str__(self) -> str:
        return f"{self.aspect} {self.word} {self.day} {self.clues:+}"
