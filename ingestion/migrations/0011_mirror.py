from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ingestion", '0010_carried')]

    operations = [
        migrations.CreateModel(
            name="MirrorMark",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("landing", models.BigIntegerField(default=0)),
                ("shape", models.CharField(blank=True, max_length=64)),
                ("clearings", models.IntegerField(default=0)),
                ("last", models.BigIntegerField(default=0)),
                ("ended", models.BigIntegerField(default=0)),
                ("files", models.JSONField(default=list)),
                ("retired", models.JSONField(default=list)),
                ("written_at", models.DateTimeField(null=True)),
            ],
            options={"ordering": ["name"]},
        ),
    ]
