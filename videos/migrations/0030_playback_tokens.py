import django.db.models.deletion
from django.db import migrations, models

import common.ids


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0029_loudness"),
    ]

    operations = [
        migrations.CreateModel(
            name="PlaybackToken",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.CharField(
                        default=common.ids.new_public_id,
                        editable=False,
                        max_length=16,
                        unique=True,
                        verbose_name="public ID",
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("domains", models.JSONField(default=list, verbose_name="domains")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                (
                    "video",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="playback_tokens",
                        to="videos.video",
                    ),
                ),
            ],
            options={
                "verbose_name": "playback token",
                "verbose_name_plural": "playback tokens",
                "ordering": ["-created_at", "-pk"],
                "indexes": [models.Index(fields=["expires_at"], name="playback_token_expiry")],
            },
        ),
    ]
