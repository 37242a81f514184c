"""Stored calls (the outbox) and rows that a sweep could not handle."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_moderation"),
    ]

    operations = [
        migrations.CreateModel(
            name="OutboxEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "handler",
                    models.CharField(
                        help_text="dotted path of the function", max_length=200, verbose_name="handler"
                    ),
                ),
                ("arguments", models.JSONField(default=list, verbose_name="arguments")),
                ("attempt", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                (
                    "not_before",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="not before"),
                ),
                ("error", models.TextField(blank=True, verbose_name="last error")),
                ("is_given_up", models.BooleanField(default=False, verbose_name="given up")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
            ],
            options={
                "verbose_name": "outbox entry",
                "verbose_name_plural": "outbox",
                "ordering": ["pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_given_up", False)), fields=["not_before"], name="outbox_due"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SweepFailure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sweep", models.CharField(max_length=60, verbose_name="sweep")),
                ("row_pk", models.BigIntegerField(verbose_name="row")),
                ("label", models.CharField(blank=True, max_length=200, verbose_name="about")),
                ("error", models.TextField(verbose_name="error")),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                (
                    "first_failed_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="first failed"),
                ),
                (
                    "failed_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="last failed"),
                ),
                (
                    "retry_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="next attempt"),
                ),
            ],
            options={
                "verbose_name": "sweep failure",
                "verbose_name_plural": "sweep failures",
                "ordering": ["-failed_at", "-pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("sweep", "row_pk"), name="sweep_failure_once")
                ],
            },
        ),
    ]
