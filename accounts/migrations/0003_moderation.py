"""Reports, decisions, sanctions and notifications, and the permissions of moderators for them."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

MODERATORS = "moderators"
MODERATORS_MAY = [
    ("case", "view_case", "Can view case"),
    ("case", "decide_case", "Can decide reports"),
    ("report", "view_report", "Can view report"),
    ("decision", "view_decision", "Can view decision"),
    ("sanction", "view_sanction", "Can view sanction"),
]


def add_permissions(apps, _schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    moderators, _created = apps.get_model("auth", "Group").objects.get_or_create(name=MODERATORS)
    for model, codename, name in MODERATORS_MAY:
        content_type, _created = ContentType.objects.get_or_create(app_label="accounts", model=model)
        permission, _created = Permission.objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        moderators.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="Case",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("target_type", models.CharField(max_length=20, verbose_name="kind")),
                ("target_id", models.CharField(max_length=40)),
                ("title", models.CharField(max_length=200, verbose_name="about")),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Decided")],
                        default="closed",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
                (
                    "content",
                    models.CharField(
                        choices=[("shown", "Shown"), ("hidden", "Hidden"), ("removed", "Removed")],
                        default="shown",
                        max_length=8,
                        verbose_name="content",
                    ),
                ),
                (
                    "report_count",
                    models.PositiveIntegerField(default=0, help_text="open reports", verbose_name="reports"),
                ),
                ("urgency", models.PositiveSmallIntegerField(default=0)),
                (
                    "opened_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="waiting since"),
                ),
                (
                    "reported_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="last reported"),
                ),
                ("version", models.PositiveIntegerField(default=0)),
                ("claimed_until", models.DateTimeField(null=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="cases",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="author",
                    ),
                ),
                (
                    "claimed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="assigned to",
                    ),
                ),
            ],
            options={
                "verbose_name": "case",
                "verbose_name_plural": "cases",
                "permissions": [("decide_case", "Can decide reports")],
            },
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("leave", "No action"),
                            ("hide", "Hide"),
                            ("remove", "Remove"),
                            ("time_out", "Time out"),
                            ("suspend", "Suspend"),
                            ("ban", "Ban"),
                            ("undo", "Undo"),
                        ],
                        max_length=8,
                        verbose_name="decision",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("spam", "Spam or scam"),
                            ("harassment", "Harassment or bullying"),
                            ("hate", "Hate speech"),
                            ("sexual", "Sexual content"),
                            ("violence", "Violent or dangerous content"),
                            ("child_safety", "Child safety"),
                            ("copyright", "Copyright infringement"),
                            ("privacy", "Privacy violation"),
                            ("misinformation", "Misinformation"),
                            ("other", "Other"),
                        ],
                        max_length=16,
                        verbose_name="reason",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                ("until", models.DateTimeField(null=True, verbose_name="until")),
                ("moderator_name", models.CharField(max_length=30)),
                ("person_name", models.CharField(blank=True, max_length=30)),
                ("title", models.CharField(blank=True, max_length=200, verbose_name="about")),
                (
                    "content_before",
                    models.CharField(
                        blank=True,
                        choices=[("shown", "Shown"), ("hidden", "Hidden"), ("removed", "Removed")],
                        max_length=8,
                    ),
                ),
                (
                    "content_after",
                    models.CharField(
                        blank=True,
                        choices=[("shown", "Shown"), ("hidden", "Hidden"), ("removed", "Removed")],
                        max_length=8,
                        verbose_name="content",
                    ),
                ),
                ("report_count", models.PositiveIntegerField(default=0, verbose_name="reports")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="decided"),
                ),
                (
                    "case",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="accounts.case",
                        verbose_name="case",
                    ),
                ),
                (
                    "moderator",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="decisions",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="moderator",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="decisions_about",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
                (
                    "undoes",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone_by",
                        to="accounts.decision",
                        verbose_name="undoes",
                    ),
                ),
            ],
            options={
                "verbose_name": "decision",
                "verbose_name_plural": "decisions",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("reply", "Reply"),
                            ("mention", "Mention"),
                            ("follow", "Follower"),
                            ("video_ready", "Video ready"),
                            ("video_failed", "Video failed"),
                            ("channel_live", "Live"),
                            ("moderation", "Moderation"),
                            ("report_decided", "Report decided"),
                        ],
                        max_length=16,
                    ),
                ),
                ("data", models.JSONField(default=dict, help_text="what the sentence is made of")),
                ("url", models.CharField(blank=True, max_length=500)),
                ("key", models.CharField(blank=True, max_length=100)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("read_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notifications",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "notification",
                "verbose_name_plural": "notifications",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("spam", "Spam or scam"),
                            ("harassment", "Harassment or bullying"),
                            ("hate", "Hate speech"),
                            ("sexual", "Sexual content"),
                            ("violence", "Violent or dangerous content"),
                            ("child_safety", "Child safety"),
                            ("copyright", "Copyright infringement"),
                            ("privacy", "Privacy violation"),
                            ("misinformation", "Misinformation"),
                            ("other", "Other"),
                        ],
                        max_length=16,
                        verbose_name="reason",
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=1000, verbose_name="details")),
                (
                    "offset_s",
                    models.FloatField(
                        help_text="position in the media, in seconds", null=True, verbose_name="at"
                    ),
                ),
                ("title", models.CharField(max_length=200, verbose_name="about")),
                ("text", models.TextField(blank=True, max_length=5000, verbose_name="text")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("upheld", "Action taken"),
                            ("dismissed", "No action taken"),
                        ],
                        default="open",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="reported"),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reports",
                        to="accounts.case",
                    ),
                ),
                (
                    "decision",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reports",
                        to="accounts.decision",
                    ),
                ),
                (
                    "reporter",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="reports",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="reporter",
                    ),
                ),
            ],
            options={
                "verbose_name": "report",
                "verbose_name_plural": "reports",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Sanction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("time_out", "Cannot post or upload"),
                            ("suspension", "Cannot sign in"),
                            ("ban", "Permanently banned"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("until", models.DateTimeField(null=True, verbose_name="until")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="since")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "decision",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sanction",
                        to="accounts.decision",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sanctions",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "sanction",
                "verbose_name_plural": "sanctions",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(
                models.F("status"),
                models.OrderBy(models.F("urgency"), descending=True),
                models.OrderBy(models.F("report_count"), descending=True),
                models.F("opened_at"),
                name="case_queue",
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.UniqueConstraint(fields=("target_type", "target_id"), name="case_once"),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(fields=["person", "-created_at"], name="decision_about"),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(fields=["created_at"], name="decision_created"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["person", "-created_at", "-id"], name="notification_of_person"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("read_at", None)), fields=["person"], name="notification_unread"
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["created_at"], name="notification_created"),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key", ""), _negated=True),
                fields=("person", "key"),
                name="notification_once",
            ),
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(fields=["case", "status", "-created_at"], name="report_of_case"),
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(fields=["reporter", "-created_at"], name="report_of_reporter"),
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(fields=["created_at"], name="report_created"),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "open")), fields=("reporter", "case"), name="report_one_open"
            ),
        ),
        migrations.AddIndex(
            model_name="sanction",
            index=models.Index(
                condition=models.Q(("ended_at", None)), fields=["person", "until"], name="sanction_in_force"
            ),
        ),
        migrations.AddIndex(
            model_name="sanction",
            index=models.Index(
                condition=models.Q(("ended_at", None)), fields=["until"], name="sanction_lapsing"
            ),
        ),
        migrations.RunPython(add_permissions, migrations.RunPython.noop),
    ]
