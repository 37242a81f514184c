"""Give every video its folder, and move pending deletions to the table that all apps share."""

from typing import Any

from django.db import migrations

ROWS_AT_ONCE = 2000


def fill(apps: Any, _schema_editor: Any) -> None:
    Video, VideoFolder = apps.get_model("videos", "Video"), apps.get_model("videos", "VideoFolder")
    DoomedPrefix = apps.get_model("videos", "DoomedPrefix")
    PendingDeletion = apps.get_model("common", "PendingDeletion")
    videos = Video.objects.order_by("pk").values_list("pk", "public_id")
    last_pk = 0
    while batch := list(videos.filter(pk__gt=last_pk)[:ROWS_AT_ONCE]):
        last_pk = batch[-1][0]
        VideoFolder.objects.bulk_create(
            VideoFolder(video_id=pk, prefix=f"videos/{public_id}/") for pk, public_id in batch
        )
    PendingDeletion.objects.bulk_create(
        (
            PendingDeletion(path=doomed.prefix, last_pass_at=doomed.last_pass_at)
            for doomed in DoomedPrefix.objects.iterator()
        ),
        batch_size=ROWS_AT_ONCE,
    )


class Migration(migrations.Migration):
    dependencies = [("videos", "0005_video_folder"), ("common", "0001_pending_deletion")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.DeleteModel(name="DoomedPrefix"),
    ]
