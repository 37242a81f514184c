from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_published_notifications"),
        ("videos", "0027_poster_choices"),
    ]

    operations = [
        migrations.AddField(
            model_name="video",
            name="downloads",
            field=models.CharField(
                choices=[("off", "No download"), ("mp4", "MP4 video"), ("source", "Original file")],
                db_default="off",
                default="off",
                max_length=8,
                verbose_name="download",
            ),
        ),
        migrations.AddField(
            model_name="video",
            name="mp4_expires_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="video",
            name="mp4_key",
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
                    ("subtitles", "Captions"),
                    ("mp4", "MP4 for download"),
                ],
                max_length=12,
                verbose_name="kind",
            ),
        ),
        migrations.AddIndex(
            model_name="video",
            index=models.Index(
                condition=models.Q(("mp4_expires_at__isnull", False)),
                fields=["mp4_expires_at"],
                name="video_mp4",
            ),
        ),
    ]
