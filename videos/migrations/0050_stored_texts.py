"""Store the searched text of every video, a batch a transaction; it can be repeated."""

from typing import Any

from django.db import migrations

from common.folding import searchable

BATCH = 1_000


def store_texts(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    video, text = (apps.get_model("videos", name) for name in ("Video", "VideoText"))
    found = video.objects.using(alias).filter(edition_of=None).order_by("pk")
    last = 0
    while batch := found.filter(pk__gt=last).values_list("pk", "title", "description")[:BATCH]:
        rows = [
            text(video_id=pk, title=searchable(title), text=searchable(f"{title}\n{description}"))
            for pk, title, description in batch
        ]
        text.objects.using(alias).bulk_create(
            rows, update_conflicts=True, unique_fields=["video"], update_fields=["title", "text"]
        )
        last = rows[-1].video_id


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("videos", "0049_video_text"),
    ]

    operations = [migrations.RunPython(store_texts, migrations.RunPython.noop)]
