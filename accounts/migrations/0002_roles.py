"""The groups *moderators* and *administrators*, and what moderators may do with people.

Later apps add what moderators may do with their own things in migrations of
their own; administrators are superusers and need no list.
"""

from django.db import migrations

MODERATORS = "moderators"
ADMINISTRATORS = "administrators"
MODERATORS_MAY = [
    ("user", "view_user", "Can view user"),
    ("user", "suspend_user", "Can suspend and restore users"),
    ("channel", "view_channel", "Can view channel"),
    ("channel", "change_channel", "Can change channel"),
    ("follow", "view_follow", "Can view follow"),
]


def make_roles(apps, _schema_editor):
    """Permissions are otherwise made after all migrations: those we need are made here, the same."""
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    Group = apps.get_model("auth", "Group")
    Group.objects.get_or_create(name=ADMINISTRATORS)
    moderators, _created = Group.objects.get_or_create(name=MODERATORS)
    for model, codename, name in MODERATORS_MAY:
        content_type, _created = ContentType.objects.get_or_create(app_label="accounts", model=model)
        permission, _created = Permission.objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        moderators.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
