"""How far the column mirror of a table has got, and of which files it consists."""

from __future__ import annotations

from django.db import models


class MirrorMark(models.Model):
    """One mirrored table. What is not listed in ``files`` is no part of the mirror, whatever lies in its folder."""

    name = models.CharField(primary_key=True, max_length=40)
    #: everything that landed up to here is in the files
    landing = models.BigIntegerField(default=0)
    #: what the columns were when the files were written; differs after a change of the catalogue
    shape = models.CharField(max_length=64, blank=True)
    #: clearings of agreements that the files know of; behind after another one
    clearings = models.IntegerField(default=0)
    #: of a derived table: the greatest number of a version, and how many have ended, that the files know of
    last = models.BigIntegerField(default=0)
    ended = models.BigIntegerField(default=0)
    #: [{"name", "kind": "rows" or "ends", "rows", "bytes"}]
    files = models.JSONField(default=list)
    #: files that others replaced, kept a while for runs that opened them: [{"name", "at"}]
    retired = models.JSONField(default=list)
    written_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} @{self.landing}"
