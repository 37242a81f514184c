"""Clips, the setting who may make them, and the permission of moderators to see them in the admin."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import common.ids

MODERATORS = "moderators"
MODERATORS_MAY = [("clip", "view_clip", "Can view clip")]


def add_permissions(apps, _schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    moderators, _created = apps.get_model("auth", "Group").objects.get_or_create(name=MODERATORS)
    for model, codename, name in MODERATORS_MAY:
        content_type, _created = ContentType.objects.get_or_create(app_label="videos", model=model)
        permission, _created = Permission.objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        moderators.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0034_editions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="video",
            name="clipping",
            field=models.CharField(
                choices=[
                    ("everyone", "Everyone who can watch"),
                    ("followers", "Followers of your channel"),
                    ("nobody", "Only you"),
                ],
                db_default="everyone",
                default="everyone",
                max_length=10,
                verbose_name="clips",
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(
                choices=[
                    ("fetch", "Import"),
                    ("plan", "Plan"),
                    ("poster", "Poster"),
                    ("audio", "Audio"),
                    ("video", "Video"),
                    ("storyboard", "Storyboard"),
                    ("loudness", "Loudness"),
                    ("subtitles", "Captions"),
                    ("mp4", "MP4 for download"),
                    ("clip", "Poster of a clip"),
                ],
                max_length=12,
                verbose_name="kind",
            ),
        ),
        migrations.CreateModel(
            name="Clip",
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
                ("title", models.CharField(max_length=150, verbose_name="title")),
                ("start_s", models.FloatField(editable=False, verbose_name="start (s)")),
                ("end_s", models.FloatField(editable=False, verbose_name="end (s)")),
                ("poster_key", models.CharField(blank=True, default="", editable=False, max_length=200)),
                (
                    "withheld",
                    models.CharField(
                        blank=True,
                        choices=[("hidden", "Hidden by moderators"), ("removed", "Removed by moderators")],
                        default="",
                        editable=False,
                        max_length=8,
                        verbose_name="withheld",
                    ),
                ),
                (
                    "view_count",
                    models.PositiveBigIntegerField(default=0, editable=False, verbose_name="views"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                (
                    "maker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="clips",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="clipped by",
                    ),
                ),
                (
                    "video",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="clips",
                        to="videos.video",
                        verbose_name="video",
                    ),
                ),
            ],
            options={
                "verbose_name": "clip",
                "verbose_name_plural": "clips",
                "ordering": ["-created_at", "-pk"],
                "indexes": [
                    models.Index(fields=["-created_at", "-id"], name="clip_created"),
                    models.Index(fields=["video", "-view_count", "-id"], name="clip_popular"),
                    models.Index(fields=["video", "-created_at", "-id"], name="clip_of_video"),
                    models.Index(fields=["maker", "-created_at", "-id"], name="clip_of_maker"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("end_s__gt", models.F("start_s")), ("start_s__gte", 0)),
                        name="clip_times",
                    )
                ],
            },
        ),
        migrations.RunPython(add_permissions, migrations.RunPython.noop),
    ]
