"""Separate waits from failures: a job counts failures of the media, and losses."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0006_pending_deletions"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="failures",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="job",
            name="losses",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="job",
            name="waits",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="job",
            name="waits_for",
            field=models.CharField(
                blank=True,
                choices=[
                    ("storage", "Waiting for storage…"),
                    ("host", "Waiting for a free encoder…"),
                    ("database", "Waiting for the database…"),
                ],
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="attempt",
            field=models.PositiveIntegerField(default=0),
        ),
    ]
