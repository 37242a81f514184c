import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0015_measured_renditions"),
    ]

    operations = [
        migrations.CreateModel(
            name="SegmentRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("encode_key", models.CharField(max_length=16)),
                ("kind", models.CharField(choices=[("video", "Video"), ("audio", "Audio")], max_length=8)),
                (
                    "position",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="number of the chunk, of the audio track, or of the recording's writer",
                    ),
                ),
                (
                    "attempt",
                    models.PositiveIntegerField(
                        default=0, help_text="attempt of its job; always 1 in a recording"
                    ),
                ),
                ("first_segment", models.PositiveIntegerField(default=0)),
                (
                    "segment_count",
                    models.PositiveIntegerField(
                        help_text="planned; empty: until the source or the broadcast ends", null=True
                    ),
                ),
                (
                    "is_discontinuous",
                    models.BooleanField(
                        default=False, help_text="begins a new timeline, with an init segment of its own"
                    ),
                ),
                (
                    "began_at",
                    models.DateTimeField(help_text="time of the first frame of a recorded run", null=True),
                ),
                ("is_open", models.BooleanField(default=True)),
                ("segments", models.JSONField(default=list)),
                ("bytes_stored", models.BigIntegerField(default=0)),
                (
                    "video",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="videos.video",
                    ),
                ),
            ],
            options={
                "verbose_name": "segment run",
                "verbose_name_plural": "segment runs",
                "ordering": ["kind", "position"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("video", "encode_key", "kind", "position"), name="run_once"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="job",
            name="run",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="job",
                to="videos.segmentrun",
            ),
        ),
    ]
