"""Time limit for queries whose cost depends on user input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Refusal

SEARCH_TIMEOUT_S = 2.0


class TooSlow(Refusal):
    """Refusal of a query that exceeded its time limit."""

    code = "search_too_slow"
    status = 503
    sentence = _("This search takes too long. Use longer or fewer words.")


@contextmanager
def bounded(seconds: float = SEARCH_TIMEOUT_S) -> Iterator[None]:
    """End every query of the block after ``seconds`` on PostgreSQL, and raise ``TooSlow``."""
    if connection.vendor != "postgresql":
        yield
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [f"{round(seconds * 1000)}ms"]
                )
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == "57014":  # query_canceled
            raise TooSlow from error
        raise
