"""Clues, their events, the letters that leave for agencies."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Concat, Lower

from supervision.clues.lifecycle import CLOSED, STATE_WORDS, Outcome, State

_STATES = [(s.value, STATE_WORDS[s].zh) for s in State]
#: where a clue stands once it was confirmed; nothing leads back
_CONFIRMED = [State.CONFIRMED.value, State.ACTED.value, State.SETTLED.value]
#: Between the texts that are searched: no search crosses it.
BREAK = "\n"


def _kept(fact: Q) -> models.GeneratedField:
    """A yes or no that the database keeps on the row."""
    return models.GeneratedField(
        expression=fact,  # type: ignore[arg-type]  # the stubs forget conditions
        output_field=models.BooleanField(),
        db_persist=True,
    )


class Counter(models.Model):
    """Gap-free numbers, one row a series and year; taken in the transaction that uses them."""

    series = models.CharField(max_length=10)
    year = models.IntegerField()
    value = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "year"], name="counter_once")]

    def __str__(self) -> str:
        return f"{self.series}-{self.year}"


class Clue(models.Model):
    """One clue. Moved only by ``supervision.clues.actions``; raised by runs or by hand."""

    number = models.CharField(max_length=24, unique=True)
    origin = models.CharField(max_length=10)
    rule = models.CharField(max_length=60, blank=True)
    rule_version = models.IntegerField(null=True)
    rule_digest = models.CharField(max_length=64, blank=True)
    subject_kind = models.CharField(max_length=20)
    subject_ref = models.TextField()
    bucket = models.CharField(max_length=200, blank=True)
    episode = models.IntegerField(default=1)
    previous = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="later")
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="parts")
    label = models.CharField(max_length=160, blank=True)
    title = models.CharField(max_length=200, blank=True)
    level = models.CharField(max_length=10)
    office = models.CharField(max_length=6)
    department = models.CharField(max_length=30, blank=True)
    township = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=12, choices=_STATES, default=State.RAISED.value)
    outcome = models.CharField(max_length=10, null=True)
    kind = models.CharField(max_length=30, blank=True)
    supported = models.BooleanField(default=True)
    material = models.JSONField(default=dict)
    conditions = models.JSONField(default=list)
    evidence = models.JSONField(default=list)
    #: all records of the occurrence, when the rule gathers some (``Hit.members``); the evidence lists but a few
    members = models.JSONField(null=True)
    source_changes = models.JSONField(default=list)
    results = models.JSONField(default=dict)
    landing = models.BigIntegerField(null=True)
    raised_at = models.DateTimeField()
    deferred_until = models.DateField(null=True)
    checked_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    due_on = models.DateField(null=True)
    handler = models.CharField(max_length=60, blank=True)
    # Access (supervision/access.py): kept on the row, so that the policy reads nothing else.
    closed_to = models.CharField(max_length=30, blank=True)
    sealed = models.BooleanField(default=False)
    admitted = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    recused = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    #: kinds of sealed material in its evidence; kept by the database (``rights``), whoever writes
    seals = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    # By the duty list as it stood when the clue was raised.
    responsible = models.CharField(max_length=30, blank=True)
    responsible_zh = models.CharField(max_length=80, blank=True)
    responsible_en = models.CharField(max_length=120, blank=True)
    #: the office of the responsible organ's level; "" when the duty list does not say
    competent = models.CharField(max_length=6, blank=True)
    matter = models.ForeignKey(
        "supervision.Matter", null=True, on_delete=models.PROTECT, related_name="clues"
    )
    exercise = models.BooleanField(default=False)
    version = models.IntegerField(default=1)
    # Kept by the database for the queue, each a fact that an index can hold.
    level_rank = models.GeneratedField(
        expression=Case(When(level="urgent", then=1), When(level="important", then=2), default=3),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    open = _kept(~Q(state__in=sorted(s.value for s in CLOSED)))
    #: sealed, or somebody keeps away: office and department do not decide alone who sees it
    personal = _kept(Q(sealed=True) | ~Q(recused=[]))
    changed = _kept(~Q(source_changes=[]))
    rebound = _kept(Q(results__contains={"previous_state": State.SETTLED.value}))
    words = models.GeneratedField(
        expression=Lower(
            Concat("number", *(x for f in ("label", "title", "township") for x in (Value(BREAK), f)))
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject_kind", "subject_ref", "bucket", "episode"],
                condition=~Q(rule=""),
                name="clue_fingerprint_once",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.SETTLED.value)
                | (Q(outcome__in=[o.value for o in Outcome]) & Q(settled_at__isnull=False)),
                name="clue_settled_has_outcome",
            ),
            models.CheckConstraint(
                condition=Q(outcome__isnull=True) | Q(confirmed_at__isnull=False),
                name="clue_outcome_was_confirmed",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True) | Q(checked_at__isnull=False),
                name="clue_confirmed_was_checked",
            ),
            # With these, confirmed = corrected + improved + in progress and checked = confirmed + unfounded hold for
            # every set of clues, whoever writes them.
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=False, state__in=_CONFIRMED)
                | (Q(confirmed_at__isnull=True) & ~Q(state__in=_CONFIRMED)),
                name="clue_confirmed_by_state",
            ),
            models.CheckConstraint(
                condition=Q(outcome__isnull=False, state=State.SETTLED.value)
                | (Q(outcome__isnull=True) & ~Q(state=State.SETTLED.value)),
                name="clue_outcome_by_state",
            ),
            models.CheckConstraint(
                condition=Q(checked_at__isnull=False, state__in=[*_CONFIRMED, State.UNFOUNDED.value])
                | (Q(checked_at__isnull=True) & ~Q(state__in=[*_CONFIRMED, State.UNFOUNDED.value])),
                name="clue_checked_by_state",
            ),
        ]
        indexes = [
            # Few; looked at row by row.
            models.Index(
                fields=["level_rank", "due_on", "-id"], condition=Q(personal=True), name="clue_personal"
            ),
            GinIndex(Func(F("words"), Value(1), function="supervision_grams"), name="clue_words"),
            models.Index(fields=["subject_ref"], name="clue_subject"),
        ]

    def __str__(self) -> str:
        return self.number


class ClueEvent(models.Model):
    """What happened to a clue; append-only, written with the change itself."""

    clue = models.ForeignKey(Clue, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    actor = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12, blank=True)
    note = models.TextField(blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["clue", "id"], name="event_of_clue")]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.kind}"


class Inquiry(models.Model):
    """One act of inquiry (调查核实) into a clue: when, where, how, by whom, what was found. Insert-only."""

    clue = models.ForeignKey(Clue, on_delete=models.PROTECT, related_name="inquiries")
    happened_on = models.DateField()
    #: reference list ``inquiry.ways``
    way = models.CharField(max_length=30)
    place = models.CharField(max_length=120)
    #: user names, and as they were called that day
    people = ArrayField(models.CharField(max_length=60))
    names = models.CharField(max_length=300)
    #: others present: of whom it was asked, who helped
    present = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    entered_by = models.CharField(max_length=60)
    entered_at = models.DateTimeField()

    class Meta:
        ordering = ["happened_on", "id"]
        indexes = [models.Index(fields=["clue", "happened_on"], name="inquiry_of_clue")]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.happened_on}"


class Interference(models.Model):
    """Somebody asked about or meddled with a clue (三个规定): written down, never changed, read by few."""

    clue = models.ForeignKey(Clue, on_delete=models.PROTECT, related_name="interferences")
    at = models.DateTimeField()
    recorded_by = models.CharField(max_length=60)
    who = models.CharField(max_length=80)
    position = models.CharField(max_length=120, blank=True)
    occurred_on = models.DateField()
    way = models.CharField(max_length=30)
    text = models.TextField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.occurred_on}"


class Unmasking(models.Model):
    """Somebody saw the numbers behind a clue: why, and whether it was their own clue. Insert-only."""

    clue = models.ForeignKey(Clue, on_delete=models.PROTECT, related_name="unmaskings")
    person = models.CharField(max_length=60)
    at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    assigned = models.BooleanField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["person", "-at"], name="unmasking_of_person")]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.person}"


class Letter(models.Model):
    """What was fed back to an agency, and its answer."""

    class Answer(models.TextChoices):
        CORRECTED = "corrected", "已整改"
        PARTLY = "partly", "部分整改"
        EXTENSION = "extension", "申请延期"
        OBJECTION = "objection", "提出异议"
        NOT_OURS = "not_ours", "非我单位职责"
        DATA_ERROR = "data_error", "数据有误"

    number = models.CharField(max_length=40, unique=True)
    clue = models.ForeignKey(Clue, on_delete=models.PROTECT, related_name="letters")
    agency = models.CharField(max_length=30)
    agency_zh = models.CharField(max_length=80)
    subject = models.CharField(max_length=120)
    text = models.TextField()
    # The records that go with it, sealed under the vault's keys: numbers of people stand in some.
    records = models.IntegerField(default=0)
    sealed = models.BinaryField(null=True)
    key_id = models.CharField(max_length=20, blank=True)
    sent_at = models.DateTimeField()
    due_on = models.DateField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=60, blank=True)
    answer = models.CharField(max_length=12, choices=Answer.choices, blank=True)
    answer_text = models.TextField(blank=True)
    #: with a request for more time: until when
    answer_until = models.DateField(null=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=60, blank=True)
    version = models.IntegerField(default=1)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["agency", "id"], name="letter_of_agency"),
            models.Index(fields=["agency", "updated_at"], name="letter_changed"),
        ]

    def __str__(self) -> str:
        return self.number


class LetterFile(models.Model):
    """One attachment that an agency handed in to a letter; sealed under the vault's keys, never changed."""

    code = models.UUIDField(unique=True)
    letter = models.ForeignKey(Letter, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=120)
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=20)
    at = models.DateTimeField()
    by = models.CharField(max_length=60)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class LetterAnswer(models.Model):
    """One answer of an agency; append-only. The letter itself shows the last one."""

    letter = models.ForeignKey(Letter, on_delete=models.PROTECT, related_name="answers")
    at = models.DateTimeField()
    by = models.CharField(max_length=60)
    answer = models.CharField(max_length=12, choices=Letter.Answer.choices)
    text = models.TextField(blank=True)
    until = models.DateField(null=True)
    #: codes of ``LetterFile``
    files = ArrayField(models.UUIDField(), default=list)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.letter_id} {self.answer}"


class LetterExtension(models.Model):
    """What was decided on an agency's request for more time; insert-only. What was granted moved the letter's term."""

    letter = models.ForeignKey(Letter, on_delete=models.PROTECT, related_name="extensions")
    #: the request that it decides on
    answer = models.OneToOneField(LetterAnswer, on_delete=models.PROTECT, related_name="decision")
    granted = models.BooleanField()
    #: the term before, the day asked for, the term from then on
    due_before = models.DateField()
    asked_until = models.DateField()
    due_after = models.DateField()
    reason = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=60)
    by_name = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(granted=True, due_after__gt=models.F("due_before"))
                | Q(granted=False, due_after=models.F("due_before")),
                name="extension_moves_the_term",
            )
        ]

    def __str__(self) -> str:
        return f"{self.letter_id} {self.due_after}"
