"""The searched text of videos, with the index of its trigrams in place of that of the raw text."""

import django.db.models.deletion
from django.db import migrations, models

from common import trigrams


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0048_dismissed_videos"),
    ]

    operations = [
        migrations.CreateModel(
            name="VideoText",
            fields=[
                (
                    "video",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="searched",
                        serialize=False,
                        to="videos.video",
                    ),
                ),
                ("title", models.TextField()),
                ("text", models.TextField()),
            ],
        ),
        trigrams.add_index("video_text_searched", "videos_videotext", "text"),
        trigrams.drop_index("video_searched", "videos_video", "LOWER(title || ' ' || description)"),
    ]
