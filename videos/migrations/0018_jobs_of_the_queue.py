from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.exceptions import IrreversibleError


def refuse(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Undo the migration only where 0017 can be undone as well, or the columns would come back empty."""
    if apps.get_model("videos", "SegmentRun").objects.exists():
        raise IrreversibleError("Segments cannot move back to jobs: restore a backup.")


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
        # Operations are undone from the last to the first.
        migrations.RunPython(migrations.RunPython.noop, refuse),
    ]
