from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("live", "0005_broadcast_rungs"),
    ]

    operations = [
        migrations.AddField(
            model_name="broadcast",
            name="heard_at",
            field=models.DateTimeField(null=True),
        ),
    ]
