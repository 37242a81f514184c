"""Permissions of moderators for comments and danmaku (see ``accounts.0002_roles``)."""

from django.db import migrations

MODERATORS = "moderators"
MODERATORS_MAY = [
    ("comment", "view_comment", "Can view comment"),
    ("comment", "change_comment", "Can change comment"),
    ("danmaku", "view_danmaku", "Can view danmaku"),
    ("danmaku", "change_danmaku", "Can change danmaku"),
]


def add_permissions(apps, _schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    moderators, _created = apps.get_model("auth", "Group").objects.get_or_create(name=MODERATORS)
    for model, codename, name in MODERATORS_MAY:
        content_type, _created = ContentType.objects.get_or_create(app_label="comments", model=model)
        permission, _created = Permission.objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        moderators.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("comments", "0001_initial"), ("accounts", "0002_roles")]

    operations = [migrations.RunPython(add_permissions, migrations.RunPython.noop)]
