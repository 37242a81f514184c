"""Audit trail: reports, decisions and sanctions, read-only; undoing adds a new line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import moderation
from accounts.models import Decision, Report, Sanction, User
from common.admin_base import OnlySeen
from common.errors import Refusal

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class UndoableAdmin(OnlySeen):
    """Base list with an action that undoes decisions, for people who may decide."""

    actions = ("undo",)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.decide_case")

    @admin.action(description=_("Undo"), permissions=["decide"])
    def undo(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        done = 0
        for row in rows:
            try:
                moderation.undo(self.decision_of(row), by=cast(User, request.user))
                done += 1
            except Refusal as error:
                self.message_user(request, f"{row}: {error}", messages.WARNING)
        sentence = ngettext("%(n)d decision was undone.", "%(n)d decisions were undone.", done) % {"n": done}
        self.message_user(request, sentence, messages.SUCCESS if done else messages.WARNING)

    def decision_of(self, row: Any) -> Decision:
        decision: Decision = row
        return decision


@admin.register(Decision)
class DecisionAdmin(UndoableAdmin):
    """Audit trail of decisions; lines are never changed or deleted."""

    list_display = ("created_at", "action", "about", "who", "reason", "decided_by", "is_undone")
    list_display_links = ("created_at",)
    list_filter = ("action", "reason", "created_at")
    list_select_related = ("case__author", "person", "undone_by")
    search_fields = ("title", "person_name", "moderator_name", "note", "room", "case__target_id")
    sortable_by = ("created_at",)
    fields = (
        "created_at", "decided_by", "action", "about", "who", "reason", "note", "until",
        "content_before", "content_after", "report_count", "undoes", "is_undone",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("about"), ordering="title")
    def about(self, decision: Decision) -> str:
        if decision.case_id is None:
            room = _("chat of @%(name)s") % {"name": decision.room} if decision.room else ""
            return decision.title or room
        url = reverse("admin:accounts_case_change", args=[decision.case_id])
        return format_html('<a href="{}">{}</a>', url, decision.title)

    @admin.display(description=_("person"))
    def who(self, decision: Decision) -> str:
        return decision.person_name

    @admin.display(description=_("moderator"))
    def decided_by(self, decision: Decision) -> str:
        return decision.moderator_name

    @admin.display(description=_("undone"), boolean=True)
    def is_undone(self, decision: Decision) -> bool:
        return hasattr(decision, "undone_by")


@admin.register(Sanction)
class SanctionAdmin(UndoableAdmin):
    """List of sanctions; undoing one undoes its decision."""

    list_display = ("person", "kind", "created_at", "until", "ended_at", "moderator", "reason")
    list_filter = ("kind", ("ended_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("person", "decision__case__author", "decision__person")
    search_fields = ("person__username",)
    fields = ("person", "kind", "created_at", "until", "ended_at", "moderator", "reason", "note")
    readonly_fields = fields

    def decision_of(self, row: Any) -> Decision:
        decision: Decision = row.decision
        return decision

    @admin.display(description=_("moderator"))
    def moderator(self, sanction: Sanction) -> str:
        return sanction.decision.moderator_name

    @admin.display(description=_("reason"))
    def reason(self, sanction: Sanction) -> str:
        return sanction.decision.get_reason_display()

    @admin.display(description=_("note"))
    def note(self, sanction: Sanction) -> str:
        return sanction.decision.note


@admin.register(Report)
class ReportAdmin(OnlySeen):
    """List of single reports; the desk groups them by target."""

    list_display = ("created_at", "about", "reason", "reporter", "status")
    list_display_links = ("created_at",)
    list_filter = ("status", "reason", "case__target_type", "created_at")
    list_select_related = ("case", "reporter")
    search_fields = ("title", "reporter__username", "detail", "case__target_id")
    fields = ("created_at", "reporter", "about", "reason", "detail", "offset_s", "text", "status", "decision")
    readonly_fields = fields

    @admin.display(description=_("about"), ordering="title")
    def about(self, report: Report) -> str:
        url = reverse("admin:accounts_case_change", args=[report.case_id])
        return format_html('<a href="{}">{}</a>', url, report.title)
