from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("supervision", '0016_ranking')]

    operations = [
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=60)),
                ("version", models.IntegerField(default=0)),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("subjects", "增量"),
                            ("full", "全量"),
                            ("backtest", "回测"),
                            ("compare", "引擎比对"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "engine",
                    models.CharField(
                        choices=[("postgres", "PostgreSQL"), ("duckdb", "DuckDB")],
                        default="postgres",
                        max_length=10,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "等待中"),
                            ("running", "运行中"),
                            ("done", "完成"),
                            ("stopped", "协议停用"),
                            ("cancelled", "已取消"),
                            ("over", "超出限额"),
                            ("failed", "失败"),
                        ],
                        max_length=10,
                    ),
                ),
                ("landing", models.BigIntegerField(default=0)),
                ("as_of", models.DateField()),
                ("priority", models.SmallIntegerField(default=5)),
                ("asked_by", models.CharField(blank=True, max_length=60)),
                ("started_at", models.DateTimeField()),
                ("seconds", models.FloatField(null=True)),
                ("step", models.SmallIntegerField(default=0)),
                ("subjects", models.BigIntegerField(default=0)),
                ("changed", models.BigIntegerField(default=0)),
                ("raised", models.BigIntegerField(default=0)),
                ("withdrawn", models.BigIntegerField(default=0)),
                ("source_changed", models.BigIntegerField(default=0)),
                ("hits", models.BigIntegerField(default=0)),
                ("undecided", models.BigIntegerField(default=0)),
                ("told", models.JSONField(default=dict)),
                ("report", models.JSONField(default=dict)),
                ("cancel_by", models.CharField(blank=True, max_length=60)),
                ("cancel_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["rule", "-id"], name="run_of_rule")],
            },
        ),
    ]
