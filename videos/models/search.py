"""The text of videos as the search compares it, and SQL expressions of searches."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Func

from common.folding import searchable


class Folded(Func):
    """A text in lower case; SQLite's ``LOWER`` knows only ASCII, so ``common.sqlite`` adds one."""

    function = "LOWER"
    output_field = models.TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="FOLDED", **context)


class VideoText(models.Model):
    """Title and description of a video in the form of ``common.folding``.

    ``Video.save`` writes it in the transaction that changes them.  Its trigrams are
    indexed on PostgreSQL.
    """

    video = models.OneToOneField("videos.Video", models.CASCADE, primary_key=True, related_name="searched")
    title = models.TextField()
    text = models.TextField()  # the title, a line break and the description

    def __str__(self) -> str:
        return self.title

    @classmethod
    def fields_of(cls, title: str, description: str) -> dict[str, str]:
        return {"title": searchable(title), "text": searchable(f"{title}\n{description}")}
