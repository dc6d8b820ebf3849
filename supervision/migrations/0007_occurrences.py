from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('supervision', '0006_disclosures'),
    ]

    operations = [
        migrations.AddField(
            model_name='clue',
            name='members',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='hit',
            name='members',
            field=models.JSONField(null=True),
        ),
        # Present results do not hold them: the next run of each rule is a full one.
        migrations.RunSQL("update supervision_rulestate set read_digest = ''", migrations.RunSQL.noop),
    ]
