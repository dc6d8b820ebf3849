"""What ran, when, how long, and what came of it."""

from __future__ import annotations

from django.db import models


class Run(models.Model):
    """One run of a rule. Counts and times only; what it found stands in hits and clues."""

    class Mode(models.TextChoices):
        SUBJECTS = "subjects", "增量"
        FULL = "full", "全量"
        BACKTEST = "backtest", "回测"
        COMPARE = "compare", "引擎比对"

    class State(models.TextChoices):
        WAITING = "waiting", "等待中"
        RUNNING = "running", "运行中"
        DONE = "done", "完成"
        STOPPED = "stopped", "协议停用"
        CANCELLED = "cancelled", "已取消"
        OVER = "over", "超出限额"
        FAILED = "failed", "失败"

    class Engine(models.TextChoices):
        POSTGRES = "postgres", "PostgreSQL"
        DUCKDB = "duckdb", "DuckDB"

    rule = models.CharField(max_length=60)
    version = models.IntegerField(default=0)
    mode = models.CharField(max_length=10, choices=Mode.choices)
    engine = models.CharField(max_length=10, choices=Engine.choices, default=Engine.POSTGRES)
    state = models.CharField(max_length=10, choices=State.choices)
    landing = models.BigIntegerField(default=0)
    as_of = models.DateField()
    priority = models.SmallIntegerField(default=5)
    #: who asked for it; "" for a landing or a new day
    asked_by = models.CharField(max_length=60, blank=True)
    started_at = models.DateTimeField()
    seconds = models.FloatField(null=True)
    #: how far a back-test has come, by the steps of ``supervision.matching.backtest``
    step = models.SmallIntegerField(default=0)
    subjects = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0)
    raised = models.BigIntegerField(default=0)
    withdrawn = models.BigIntegerField(default=0)
    source_changed = models.BigIntegerField(default=0)
    hits = models.BigIntegerField(default=0)
    undecided = models.BigIntegerField(default=0)
    #: why it did not end well: {"zh", "en"} naming place and cure; never data of a record
    told = models.JSONField(default=dict)
    #: of a back-test: funnel, differences, cost
    report = models.JSONField(default=dict)
    cancel_by = models.CharField(max_length=60, blank=True)
    cancel_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["rule", "-id"], name="run_of_rule")]

    def __str__(self) -> str:
        return f"{self.rule} {self.mode} {self.pk}"
