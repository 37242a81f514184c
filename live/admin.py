"""Streams, broadcasts and chat at the moderators' desk.  Keys are revoked here and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from live import broadcasting, services
from live.models import Broadcast, ChatMessage, ChatRestriction, Stream

if TYPE_CHECKING:
    from django.db.models import QuerySet


class NothingToAdd:
    """What people make themselves is not made at this desk."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Stream)
class StreamAdmin(NothingToAdd, admin.ModelAdmin[Stream]):
    list_display = ("__str__", "title", "category", "visibility", "has_key", "key_used_at", "is_suspended")
    list_filter = ("is_suspended", "visibility", "category")
    list_select_related = ("channel__owner",)
    search_fields = ("channel__owner__username", "channel__display_name", "title")
    fields = ("title", "category", "visibility", "is_suspended", "key_created_at", "key_used_at")
    readonly_fields = ("visibility", "is_suspended", "key_created_at", "key_used_at")
    actions = ("revoke_keys", "suspend", "restore")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A stream goes with its channel."""
        return False

    @admin.display(boolean=True, description=_("key"))
    def has_key(self, stream: Stream) -> bool:
        return stream.key_digest is not None

    @admin.action(description=_("Revoke the stream key"), permissions=["change"])
    def revoke_keys(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        for stream in streams:
            services.revoke_stream_key(stream)
        self._say(request, len(streams))

    @admin.action(description=_("Suspend, and end what is live"), permissions=["change"])
    def suspend(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        for stream in streams:
            services.suspend_stream(stream, is_suspended=True)
        self._say(request, len(streams))

    @admin.action(description=_("Allow to go live again"), permissions=["change"])
    def restore(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        for stream in streams:
            services.suspend_stream(stream, is_suspended=False)
        self._say(request, len(streams))

    def _say(self, request: HttpRequest, count: int) -> None:
        sentence = ngettext("%(n)d stream was changed.", "%(n)d streams were changed.", count)
        self.message_user(request, sentence % {"n": count}, messages.SUCCESS)

    def save_model(self, request: HttpRequest, stream: Stream, form: Any, change: bool) -> None:
        services.edit_stream(stream, **{name: form.cleaned_data[name] for name in form.changed_data})


@admin.register(Broadcast)
class BroadcastAdmin(NothingToAdd, admin.ModelAdmin[Broadcast]):
    list_display = ("stream", "status", "started_at", "ended_at", "ending", "peak_viewer_count")
    list_filter = ("status", "ending", "started_at")
    list_select_related = ("stream__channel__owner",)
    search_fields = ("public_id", "stream__channel__owner__username")
    date_hierarchy = "started_at"
    actions = ("end",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What happened is not edited; it can be ended."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nor forgotten: its ingest still writes to it.  Its replay is a video, and deleted as one."""
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("live.change_broadcast")

    @admin.action(description=_("End"), permissions=["end"])
    def end(self, request: HttpRequest, broadcasts: QuerySet[Broadcast]) -> None:
        running = broadcasts.running().select_related("stream__channel__owner")  # type: ignore[attr-defined]
        ended = sum(broadcasting.end(broadcast, Broadcast.Ending.SUSPENDED) for broadcast in running)
        sentence = ngettext("%(n)d broadcast was ended.", "%(n)d broadcasts were ended.", ended)
        self.message_user(request, sentence % {"n": ended}, messages.SUCCESS)


@admin.register(ChatMessage)
class ChatMessageAdmin(NothingToAdd, admin.ModelAdmin[ChatMessage]):
    list_display = ("text", "user", "stream", "sent_at", "deleted_at")
    list_filter = ("sent_at", ("deleted_at", admin.EmptyFieldListFilter))
    list_select_related = ("user", "stream__channel__owner")
    search_fields = ("text", "user__username", "stream__channel__owner__username")
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A message is taken away in its room; what was said stays on record."""
        return False


@admin.register(ChatRestriction)
class ChatRestrictionAdmin(NothingToAdd, admin.ModelAdmin[ChatRestriction]):
    list_display = ("user", "stream", "until", "created_by", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("user", "stream__channel__owner", "created_by")
    search_fields = ("user__username", "stream__channel__owner__username")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
