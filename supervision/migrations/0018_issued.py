from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("supervision", "0017_runs")]

    operations = [
        migrations.AddField("appearance", "issued", models.CharField(max_length=6, null=True)),
        migrations.AddField("mention", "issued", models.CharField(max_length=6, null=True)),
    ]
