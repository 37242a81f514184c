from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0030_playback_tokens"),
    ]

    operations = [
        migrations.AddField(
            model_name="video",
            name="import_url",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=2000),
        ),
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(
                choices=[
                    ("fetch", "Import"),
                    ("plan", "Plan"),
                    ("poster", "Poster"),
                    ("audio", "Audio"),
                    ("video", "Video"),
                    ("storyboard", "Storyboard"),
                    ("loudness", "Loudness"),
                    ("subtitles", "Captions"),
                    ("mp4", "MP4 for download"),
                ],
                max_length=12,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="video",
            name="failure_code",
            field=models.CharField(
                blank=True,
                choices=[
                    ("empty_file", "The file is empty. Export it again and upload the new file."),
                    ("not_media", "This is not a supported video file. Export it as MP4 and try again."),
                    ("no_streams", "This file contains no video or audio. Export it as MP4 and try again."),
                    (
                        "unsupported_codec",
                        "The format of this file is not supported. Export it as MP4 (H.264) and try again.",
                    ),
                    ("encrypted", "This file is copy-protected. Upload an unprotected file."),
                    ("limits_exceeded", "This file is too large, too long or too complex."),
                    ("references_outside", "This file only links to other files. Upload the video itself."),
                    ("decode_failed", "The video in this file is damaged. Export it again and try again."),
                    ("storage_failed", "The video could not be stored. Nothing is lost. Try again."),
                    (
                        "import_failed",
                        "The file could not be fetched. Check the link and try again, or upload the file.",
                    ),
                    ("encode_failed", "The video could not be converted. Nothing is lost. Try again."),
                ],
                editable=False,
                max_length=32,
                verbose_name="failure",
            ),
        ),
    ]
