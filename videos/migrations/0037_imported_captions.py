from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("videos", "0036_video_defaults")]

    operations = [
        migrations.AlterField(
            model_name="captiontrack",
            name="origin",
            field=models.CharField(
                choices=[
                    ("owner", "Added by the owner"),
                    ("embedded", "From the video file"),
                    ("automatic", "Automatic"),
                    ("imported", "From another site"),
                ],
                db_default="owner",
                default="owner",
                max_length=9,
                verbose_name="origin",
            ),
        ),
    ]
