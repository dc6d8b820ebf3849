import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("supervision", "0019_agency_machines"),
    ]

    operations = [
        migrations.CreateModel(
            name="PoolQuery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("person", models.CharField(max_length=60)),
                ("office", models.CharField(max_length=6)),
                ("at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "basis",
                    models.CharField(
                        choices=[("clue", "本人线索"), ("matter", "本人牵头的类案"), ("case", "办案查询")],
                        max_length=6,
                    ),
                ),
                ("case_number", models.CharField(blank=True, max_length=60)),
                ("reason", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=12)),
                ("text", models.CharField(blank=True, max_length=120)),
                ("subjects", models.JSONField(default=list)),
                ("records", models.JSONField(default=list)),
                ("more", models.BooleanField(default=False)),
                (
                    "clue",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="supervision.clue",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["person", "-at"], name="pool_query_of_person")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("basis", "case"),
                                ("clue__isnull", True),
                                models.Q(("case_number", ""), _negated=True),
                            ),
                            models.Q(
                                ("basis__in", ["clue", "matter"]),
                                ("case_number", ""),
                                ("clue__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="pool_query_has_basis",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="pool_query_has_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "number"), _negated=True), ("text", ""), _connector="OR"
                        ),
                        name="pool_query_keeps_no_number",
                    ),
                ],
            },
        ),
    ]
