"""Lists of the admin that stay quick over a million rows, for our models and those of libraries.

Counting and searching whole tables took seconds.  A list counts its first
``MOST_COUNTED`` rows.  A search queries each of ``search_fields`` by itself and
keeps the newest ``MOST_FOUND`` rows of each, because no index serves an OR over
several tables; plain text is searched in the newest ``NEWEST_SEARCHED`` rows.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import AutoField, CharField, Model, QuerySet

from common import trigrams

if TYPE_CHECKING:
    from django.http import HttpRequest

MOST_COUNTED = 10_000
MOST_FOUND = 1_000
NEWEST_SEARCHED = 10_000
MOST_WORDS = 4


class BoundedPaginator(Paginator[Any]):
    """Paginator of the first ``MOST_COUNTED`` rows; filters lead to the rows behind them."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:MOST_COUNTED].count() if isinstance(rows, QuerySet) else len(rows)


def get_search_results(
    self: admin.ModelAdmin[Any], request: HttpRequest, queryset: QuerySet[Any], search_term: str
) -> tuple[QuerySet[Any], bool]:
    """Return the rows in which every word is found in one of ``search_fields``."""
    fields = self.get_search_fields(request)
    for word in search_term.split()[:MOST_WORDS] if fields else ():
        found: set[Any] = set()
        found.update(*(_found(queryset, path.split("__"), word) for path in fields))
        queryset = queryset.filter(pk__in=found)
    return queryset, False


def _found(rows: QuerySet[Any], path: list[str], word: str) -> list[Any]:
    """Return the keys of the newest ``rows`` with ``word`` in the field at the end of ``path``."""
    model: type[Model] = rows.model
    name, *further = path
    if further:
        related: Any = model._meta.get_field(name).related_model
        keys = _found(related._default_manager.all(), further, word)
        # By key, or PostgreSQL reads a table from its end until a page is full.
        return _newest(rows.filter(**{f"{name}__in": keys})) if keys else []
    field = model._meta.get_field(name)
    if not trigrams.is_indexed(model, name) and isinstance(field, CharField) and field.unique:
        return _newest(rows.filter(**{name: word}))
    found = rows.filter(**{f"{name}__icontains": word})
    if not trigrams.is_indexed(model, name) and isinstance(model._meta.pk, AutoField):
        newest = model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
        found = found.filter(pk__gt=newest - NEWEST_SEARCHED)
    return _newest(found)


def _newest(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by("-pk").values_list("pk", flat=True)[:MOST_FOUND])


def register() -> None:
    """Set paginator and search for all lists of the admin; called once, in ``AppConfig.ready``."""
    admin.ModelAdmin.paginator = BoundedPaginator
    admin.ModelAdmin.show_full_result_count = False
    admin.ModelAdmin.get_search_results = get_search_results  # type: ignore[method-assign]
