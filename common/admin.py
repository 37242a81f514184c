"""Pending deletions and storage discrepancies in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common import deletion, reconciliation, storage
from common.admin_base import SeenNotEdited
from common.models import Discrepancy, PendingDeletion

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

# Each is listed in the storage first, within one request.
MAX_DELETED_AT_ONCE = 50


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


@admin.register(Discrepancy)
class DiscrepancyAdmin(SeenNotEdited):
    """Differences between bucket and database that the last ``manage.py reconcile`` found."""

    list_display = ("path", "kind", "objects_count", "size", "found_at")
    list_filter = ("kind",)
    search_fields = ("path",)
    fields = ("path", "kind", "objects_count", "size", "found_at")
    actions = ("delete_objects",)

    @admin.display(description=_("size"), ordering="size_bytes")
    def size(self, row: Discrepancy) -> str:
        return filesizeformat(row.size_bytes)

    @admin.action(description=_("Delete the objects that belong to nothing"), permissions=["delete"])
    def delete_objects(self, request: HttpRequest, rows: QuerySet[Discrepancy]) -> None:
        unowned = rows.filter(kind=Discrepancy.Kind.NO_ROW)[:MAX_DELETED_AT_ONCE]
        try:
            count = sum(reconciliation.delete_objects(row) for row in unowned)
        except storage.StorageError:
            self.message_user(request, _("The storage does not answer. Try again later."), messages.ERROR)
            return
        sentence = ngettext("Deleting %d entry.", "Deleting %d entries.", count) % count
        self.message_user(request, sentence, messages.SUCCESS)
