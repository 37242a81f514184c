from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("videos", "0017_segments_of_jobs"),
    ]

    operations = [
        migrations.RemoveField(model_name="job", name="bytes_stored"),
        migrations.RemoveField(model_name="job", name="first_segment"),
        migrations.RemoveField(model_name="job", name="segment_count"),
        migrations.RemoveField(model_name="job", name="segments"),
        migrations.DeleteModel(name="FinishedEncode"),
    ]
