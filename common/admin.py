"""Pending deletions in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common import deletion
from common.admin_base import SeenNotEdited
from common.models import PendingDeletion

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(PendingDeletion)
class PendingDeletionAdmin(SeenNotEdited):
    """Objects that wait for deletion, with the storage's last answer; deleting a row gives it up."""

    list_display = ("path", "attempts", "last_error", "next_try_at", "created_at")
    ordering = ("-attempts", "created_at")
    search_fields = ("path", "last_error")
    fields = ("path", "attempts", "last_error", "next_try_at", "last_pass_at", "created_at")
    actions = ("try_now",)

    @admin.action(description=_("Retry now"), permissions=["view"])
    def try_now(self, request: HttpRequest, rows: QuerySet[PendingDeletion]) -> None:
        count = rows.update(next_try_at=timezone.now())
        deletion.wake()
        sentence = ngettext("Retrying %d deletion.", "Retrying %d deletions.", count) % count
        self.message_user(request, sentence, messages.SUCCESS)
