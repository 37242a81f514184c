"""SQL expressions of the search for videos."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Func


class Folded(Func):
    """A text in lower case; SQLite's ``LOWER`` knows only ASCII, so ``common.sqlite`` adds one."""

    function = "LOWER"
    output_field = models.TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="FOLDED", **context)


class SearchedText(Folded):
    """Texts in lower case, joined by spaces: the expression of an index."""

    arg_joiner = " || ' ' || "
