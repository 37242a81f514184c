"""A template tag that lists repeated failures on the admin's first page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import template
from django.urls import reverse
from django.utils.translation import ngettext

from accounts.models import OutboxEntry, SweepFailure
from common.models import Discrepancy, PendingDeletion

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

register = template.Library()

# Counting more would delay the page.
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Trouble:
    """Failing rows of one kind: a sentence, and the address of their list."""

    sentence: str
    url: str


@register.simple_tag
def troubles(perms: Any) -> list[Trouble]:
    """Return the current failures that the holder of ``perms`` may see."""
    deletions = _count(perms, PendingDeletion.objects.filter(attempts__gt=0))
    calls = _count(perms, OutboxEntry.objects.exclude(error=""))
    failures = _count(perms, SweepFailure.objects.all())
    discrepancies = _count(perms, Discrepancy.objects.all())
    found = (
        (
            deletions,
            ngettext(
                "%d deletion from storage is failing.", "%d deletions from storage are failing.", deletions
            ),
            _url(PendingDeletion, "?attempts__gt=0"),
        ),
        (
            calls,
            ngettext(
                "%d email or notification was not delivered.",
                "%d emails or notifications were not delivered.",
                calls,
            ),
            _url(OutboxEntry, "?error__gt="),
        ),
        (
            failures,
            ngettext(
                "%d row cannot be processed by a sweep.", "%d rows cannot be processed by a sweep.", failures
            ),
            _url(SweepFailure),
        ),
        (
            discrepancies,
            ngettext(
                "%d difference between storage and database.",
                "%d differences between storage and database.",
                discrepancies,
            ),
            _url(Discrepancy),
        ),
    )
    return [Trouble(sentence % count, url) for count, sentence, url in found if count]


def _count(perms: Any, rows: QuerySet[Any]) -> int:
    """Count rows up to ``MOST_COUNTED``; return 0 without permission to see them."""
    meta = rows.model._meta
    if f"{meta.app_label}.view_{meta.model_name}" not in perms:
        return 0
    return rows.order_by()[:MOST_COUNTED].count()


def _url(model: type[Model], query: str = "") -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist") + query
