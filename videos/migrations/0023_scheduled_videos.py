from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0022_automatic_captions"),
    ]

    operations = [
        migrations.AddField(
            model_name="video",
            name="is_premiere",
            field=models.BooleanField(
                db_default=False, default=False, editable=False, verbose_name="premiere"
            ),
        ),
        migrations.AddField(
            model_name="video",
            name="premiered_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="video",
            name="publish_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="scheduled for"),
        ),
        migrations.AddIndex(
            model_name="video",
            index=models.Index(
                condition=models.Q(("publish_at__isnull", False)),
                fields=["publish_at"],
                name="video_scheduled",
            ),
        ),
    ]
