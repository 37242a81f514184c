from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_admin_labels"),
    ]

    operations = [
        migrations.AlterField(
            model_name="notification",
            name="kind",
            field=models.CharField(
                choices=[
                    ("reply", "Reply"),
                    ("mention", "Mention"),
                    ("follow", "Follower"),
                    ("video_ready", "Video ready"),
                    ("video_failed", "Video failed"),
                    ("video_published", "Video published"),
                    ("premiere", "Premiere"),
                    ("channel_live", "Live"),
                    ("moderation", "Moderation"),
                    ("report_decided", "Report decided"),
                ],
                max_length=16,
            ),
        ),
    ]
