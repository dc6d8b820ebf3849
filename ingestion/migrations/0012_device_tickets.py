
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0011_mirror'),
    ]

    operations = [
        migrations.AlterField(
            model_name='dataticket',
            name='kind',
            field=models.CharField(choices=[('quarantine', '隔离行'), ('anomaly', '数据异常'), ('late', '迟报或中断'), ('device', '设备中断'), ('layout', '格式问题'), ('other', '其他')], max_length=12),
        ),
    ]
