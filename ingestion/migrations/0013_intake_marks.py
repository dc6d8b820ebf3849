from django.db import migrations, models

#: landings were told apart by who had received their batch
_KINDS = """
    update ingestion_landing l set kind = case when l.feed <> '' then 'stream' when b.received_by = 'identity' then 'derived'
        else 'clearing' end
    from ingestion_batch b where b.id = l.batch_id and (l.feed = '' or b.received_by = 'HJ 212')
"""
#: nothing is complete beyond the day on which it landed
_COVERAGE = """
    update ingestion_landing set covers_until = (landed_at at time zone 'Asia/Shanghai')::date
        where covers_until > (landed_at at time zone 'Asia/Shanghai')::date
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0012_device_tickets")]

    operations = [
        migrations.AddField(
            model_name="landing",
            name="kind",
            field=models.CharField(
                choices=[("file", "文件"), ("stream", "实时数据"), ("clearing", "数据清除"), ("derived", "推导")],
                db_default="file",
                default="file",
                max_length=8,
            ),
        ),
        migrations.RunSQL(_KINDS, migrations.RunSQL.noop),
        migrations.RunSQL(_COVERAGE, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="landing",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("feed", ""), ("kind__in", ["clearing", "derived"])),
                    models.Q(models.Q(("feed", ""), _negated=True), ("kind__in", ["file", "stream"])),
                    _connector="OR",
                ),
                name="landing_of_a_feed_or_none",
            ),
        ),
        migrations.AlterField(
            model_name="deliveryfile",
            name="snapshot",
            field=models.BooleanField(null=True),
        ),
    ]
