from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0019_segment_plans"),
    ]

    operations = [
        migrations.AddField(
            model_name="video",
            name="password_hash",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=128),
        ),
        migrations.AddField(
            model_name="video",
            name="password_version",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=16),
        ),
        migrations.AlterField(
            model_name="video",
            name="visibility",
            field=models.CharField(
                choices=[
                    ("public", "Public"),
                    ("unlisted", "Unlisted"),
                    ("private", "Private"),
                    ("password", "Password"),
                    ("followers", "Followers only"),
                ],
                default="public",
                max_length=12,
                verbose_name="visibility",
            ),
        ),
    ]
