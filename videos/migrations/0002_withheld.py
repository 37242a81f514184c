"""The decision of moderators on a video, and their permissions (see ``accounts.0002_roles``)."""

from django.db import migrations, models

MODERATORS = "moderators"
MODERATORS_MAY = [("video", "view_video", "Can view video")]


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
    dependencies = [("videos", "0001_initial"), ("accounts", "0002_roles")]

    operations = [
        migrations.AddField(
            model_name="video",
            name="withheld",
            field=models.CharField(
                blank=True,
                choices=[("hidden", "Hidden by moderators"), ("removed", "Removed by moderators")],
                default="",
                editable=False,
                max_length=8,
                verbose_name="withheld",
            ),
        ),
        migrations.AddIndex(
            model_name="video",
            index=models.Index(fields=["created_at"], name="video_created"),
        ),
        migrations.RunPython(add_permissions, migrations.RunPython.noop),
    ]
