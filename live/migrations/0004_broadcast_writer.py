from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("live", "0003_broadcast_recorded_msn"),
    ]

    operations = [
        migrations.AddField(
            model_name="broadcast",
            name="generation",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="broadcast",
            name="first_msn",
            field=models.BigIntegerField(null=True),
        ),
    ]
