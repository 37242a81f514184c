from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0028_downloads"),
    ]

    operations = [
        migrations.AddField(
            model_name="video",
            name="loudness",
            field=models.JSONField(editable=False, null=True),
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
                    ("loudness", "Loudness"),
                    ("subtitles", "Captions"),
                    ("mp4", "MP4 for download"),
                ],
                max_length=12,
                verbose_name="kind",
            ),
        ),
    ]
