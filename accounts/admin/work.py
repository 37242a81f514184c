"""Pending or failed work: outbox entries and rows that a sweep could not handle; administrators only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import outbox
from accounts.models import OutboxEntry, SweepFailure
from common.admin_base import OnlySeen

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class TriedAgain(OnlySeen):
    """Base list of work with an action that moves its next attempt to now."""

    actions = ("try_again",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"accounts.change_{self.opts.model_name}")

    def _show_count(self, request: HttpRequest, count: int) -> None:
        sentence = ngettext("Retrying %d row.", "Retrying %d rows.", count) % count
        self.message_user(request, sentence, messages.SUCCESS if count else messages.WARNING)


@admin.register(OutboxEntry)
class OutboxEntryAdmin(TriedAgain):
    list_display = ("created_at", "handler", "attempt", "not_before", "is_given_up", "error")
    list_filter = ("is_given_up", "handler")
    fields = ("created_at", "handler", "arguments", "attempt", "not_before", "is_given_up", "error")
    readonly_fields = fields

    @admin.action(description=_("Retry now"), permissions=["retry"])
    def try_again(self, request: HttpRequest, entries: QuerySet[OutboxEntry]) -> None:
        count = entries.update(attempt=0, not_before=timezone.now(), is_given_up=False)
        outbox.wake()
        self._show_count(request, count)


@admin.register(SweepFailure)
class SweepFailureAdmin(TriedAgain):
    list_display = ("failed_at", "sweep", "label", "row_pk", "attempts", "retry_at", "error")
    list_filter = ("sweep",)
    fields = (
        "sweep",
        "label",
        "row_pk",
        "attempts",
        "first_failed_at",
        "failed_at",
        "retry_at",
        "error",
    )
    readonly_fields = fields

    @admin.action(description=_("Retry now"), permissions=["retry"])
    def try_again(self, request: HttpRequest, failures: QuerySet[SweepFailure]) -> None:
        self._show_count(request, failures.update(retry_at=timezone.now()))
