from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("live", "0002_roles"),
    ]

    operations = [
        migrations.AddField(
            model_name="broadcast",
            name="recorded_msn",
            field=models.BigIntegerField(default=-1, help_text="the last live segment that it lists"),
        ),
    ]
