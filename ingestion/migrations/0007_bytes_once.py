from django.db import migrations, models


class Migration(migrations.Migration):
    """The same bytes count once under one agreement: what a clearing took away may come again under the next."""

    dependencies = [("ingestion", "0006_exchange")]

    operations = [
        migrations.RemoveConstraint(model_name="batch", name="batch_bytes_once"),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "refused"), _negated=True),
                fields=("feed", "digest", "agreement"),
                name="batch_bytes_once",
            ),
        ),
    ]
