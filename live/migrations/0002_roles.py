"""What moderators may do with streams, broadcasts and chat (see ``accounts.0002_roles``)."""

from django.db import migrations

MODERATORS = "moderators"
MODERATORS_MAY = [
    ("stream", "view_stream", "Can view stream"),
    ("stream", "change_stream", "Can change stream"),
    ("broadcast", "view_broadcast", "Can view broadcast"),
    ("broadcast", "change_broadcast", "Can change broadcast"),
    ("chatmessage", "view_chatmessage", "Can view chat message"),
    ("chatrestriction", "view_chatrestriction", "Can view chat restriction"),
    ("chatrestriction", "delete_chatrestriction", "Can delete chat restriction"),
]


def add_permissions(apps, _schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    moderators, _created = apps.get_model("auth", "Group").objects.get_or_create(name=MODERATORS)
    for model, codename, name in MODERATORS_MAY:
        content_type, _created = ContentType.objects.get_or_create(app_label="live", model=model)
        permission, _created = Permission.objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        moderators.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("live", "0001_initial"), ("accounts", "0002_roles")]

    operations = [migrations.RunPython(add_permissions, migrations.RunPython.noop)]
