"""Groups *moderators* and *administrators*, and the permissions of moderators for people.

Later apps grant moderators permissions for their own models in their own
migrations; administrators are superusers and need none.
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
    """Create the groups; their permissions too, which Django would create only after all migrations."""
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
