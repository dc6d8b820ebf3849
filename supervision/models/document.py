"""Drafts of documents about a clue, and the columns of a person's ledger."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from supervision.documents.spec import OFFICIAL


class Document(models.Model):
    """One version of one document. The file stands as drafted; what the national system gave it is entered beside it."""

    class State(models.TextChoices):
        DRAFT = "draft", "草稿"
        ISSUED = "issued", "已制发"
        VOID = "void", "已作废"

    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="documents")
    #: its kind and the kind's version (``supervision/documents/kinds``)
    kind = models.CharField(max_length=40)
    kind_version = models.IntegerField()
    version = models.IntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    #: drafted before the clue was confirmed: every page says so for good
    check_only = models.BooleanField()
    #: the .docx, numbers of persons as refs; sealed under the vault's keys and bound to clue, kind and version
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=40)
    #: SHA-256 of the .docx
    digest = models.CharField(max_length=64)
    #: it mentions numbers of persons
    holds_refs = models.BooleanField(default=False)
    #: what the drafter wrote into blanks, sealed likewise (JSON by name)
    typed = models.BinaryField()
    #: names of the blanks that are still open
    blanks = models.JSONField(default=list)
    made_by = models.CharField(max_length=60)
    made_by_name = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    #: as in the national business system; of own letters and orders their own number
    official_number = models.CharField(max_length=60, blank=True)
    case_number = models.CharField(max_length=60, blank=True)
    approver = models.CharField(max_length=60, blank=True)
    dated_on = models.DateField(null=True)
    numbered_by = models.CharField(max_length=60, blank=True)
    numbered_at = models.DateTimeField(null=True)
    void_reason = models.CharField(max_length=200, blank=True)
    voided_by = models.CharField(max_length=60, blank=True)
    voided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["clue", "kind", "version"], name="document_version_once"),
            models.CheckConstraint(
                condition=~Q(state="issued") | (~Q(official_number="") & Q(dated_on__isnull=False)),
                name="document_issued_has_number",
            ),
            models.CheckConstraint(
                condition=~Q(state="void") | (~Q(void_reason="") & Q(voided_at__isnull=False)),
                name="document_void_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.kind} {self.version}"

    @property
    def open_blanks(self) -> list[str]:
        """Blanks of the file, but for those that the national system fills."""
        return [name for name in self.blanks if name not in OFFICIAL]


class DocumentFinal(models.Model):
    """The finished document as the national system gave it, put beside its draft; insert-only, the last one counts."""

    class Form(models.TextChoices):
        DOCX = "docx", "Word"
        PDF = "pdf", "PDF"
        OFD = "ofd", "OFD"

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="finals")
    code = models.UUIDField(unique=True)
    form = models.CharField(max_length=4, choices=Form.choices)
    size = models.BigIntegerField()
    #: SHA-256 of the file
    digest = models.CharField(max_length=64)
    #: sealed under the vault's keys and bound to ``code``
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=40)
    by = models.CharField(max_length=60)
    by_name = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["document", "digest"], name="document_final_once")]

    def __str__(self) -> str:
        return f"{self.document_id} {self.form}"


class LedgerChoice(models.Model):
    """The columns that a person's ledger (线索台账) has, in their order."""

    person = models.CharField(max_length=60, unique=True)
    columns = models.JSONField(default=list)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.person


class SavedView(models.Model):
    """Filters of the queue that a person has given a name."""

    person = models.CharField(max_length=60)
    name = models.CharField(max_length=20)
    #: as in the address of the queue; never words that were searched for
    query = models.CharField(max_length=1000)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["person", "name"], name="saved_view_once")]

    def __str__(self) -> str:
        return self.name
