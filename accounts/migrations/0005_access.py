"""Revocable access: a version for each user, and our own token table in place of knox's."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def take_over_tokens(_apps, schema_editor):
    """Move the tokens of knox's own table, which exists on sites older than this migration."""
    connection = schema_editor.connection
    if "knox_authtoken" not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_apitoken (digest, token_key, created, expiry, user_id, name)"
            " SELECT digest, token_key, created, expiry, user_id, '' FROM knox_authtoken"
        )
        cursor.execute("DELETE FROM knox_authtoken")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_outbox"),
        # Runs after knox's last migration, whose table the tokens are moved from.
        ("knox", "0009_extend_authtoken_field"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="access_version",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("digest", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("token_key", models.CharField(db_index=True, max_length=25)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("expiry", models.DateTimeField(blank=True, null=True)),
                ("name", models.CharField(blank=True, max_length=60, verbose_name="name")),
                ("last_used_at", models.DateTimeField(blank=True, null=True, verbose_name="last used")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="auth_token_set",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API token",
                "verbose_name_plural": "API tokens",
                "ordering": ["-created"],
                "indexes": [models.Index(fields=["expiry"], name="token_expiry")],
            },
        ),
        migrations.RunPython(take_over_tokens, migrations.RunPython.noop),
    ]
