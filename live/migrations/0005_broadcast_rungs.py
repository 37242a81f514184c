from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("live", "0004_broadcast_writer"),
    ]

    operations = [
        migrations.AddField(
            model_name="broadcast",
            name="rungs_json",
            field=models.JSONField(null=True, help_text="short sides encoded below the source"),
        ),
    ]
