from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0023_scheduled_videos"),
    ]

    operations = [
        migrations.AddField(
            model_name="video",
            name="storyboard_key",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=200),
        ),
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(
                choices=[
                    ("plan", "Plan"),
                    ("poster", "Poster"),
                    ("audio", "Audio"),
                    ("video", "Video"),
                    ("storyboard", "Storyboard"),
                ],
                max_length=12,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="lane",
            field=models.PositiveSmallIntegerField(
                choices=[(0, "priority"), (1, "standard"), (2, "low priority")], default=1
            ),
        ),
    ]
