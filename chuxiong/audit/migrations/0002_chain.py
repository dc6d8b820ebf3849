"""Rows learn from where they come and who wrote them; segments of the chain get their table.

Rows from before carry stamp 0: all of them were committed when this ran, so they come first in the chain.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.AddField("auditevent", "purpose", models.CharField(blank=True, default="", max_length=60)),
        migrations.AddField("auditevent", "ip", models.CharField(blank=True, default="", max_length=45)),
        migrations.AddField("auditevent", "device", models.CharField(blank=True, default="", max_length=120)),
        migrations.AddField("auditevent", "session", models.CharField(blank=True, default="", max_length=16)),
        migrations.AlterField("auditevent", "reason", models.CharField(blank=True, max_length=500)),
        migrations.AlterField("auditevent", "detail", models.TextField(default="{}")),
        migrations.AddField("auditevent", "logged_at", models.DateTimeField(null=True)),
        migrations.RunSQL("update audit_auditevent set logged_at = at", migrations.RunSQL.noop),
        migrations.AlterField("auditevent", "logged_at", models.DateTimeField()),
        migrations.AddField(
            "auditevent", "writer", models.CharField(default="", max_length=63), preserve_default=False
        ),
        migrations.AddField("auditevent", "stamp", models.BigIntegerField(default=0), preserve_default=False),
        migrations.AddIndex("auditevent", models.Index(fields=["stamp", "id"], name="audit_chain_order")),
        migrations.AddIndex("auditevent", models.Index(fields=["at", "id"], name="audit_by_time")),
        migrations.AddIndex("auditevent", models.Index(fields=["actor", "at", "id"], name="audit_by_person")),
        migrations.AddIndex("auditevent", models.Index(fields=["action", "at", "id"], name="audit_by_action")),
        migrations.AddIndex(
            "auditevent", models.Index(fields=["object_ref", "at", "id"], name="audit_by_object")
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("algorithm", models.CharField(max_length=10)),
                ("rows", models.IntegerField()),
                ("total", models.BigIntegerField()),
                ("first_stamp", models.BigIntegerField()),
                ("first_id", models.BigIntegerField()),
                ("last_stamp", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("sealed_at", models.DateTimeField()),
                ("ids", models.BinaryField()),
                ("leaves", models.BinaryField()),
                ("previous", models.BinaryField()),
                ("digest", models.BinaryField()),
                ("key", models.CharField(max_length=16)),
                ("signature", models.BinaryField()),
                ("purged_at", models.DateTimeField(null=True)),
            ],
            options={"ordering": ["number"]},
        ),
    ]
