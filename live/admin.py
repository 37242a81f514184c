"""Admin of streams, broadcasts and chat.  Moderators can revoke stream keys, but never see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts import moderation
from accounts.admin.ranked import Ranked
from accounts.models import Case, User
from common.errors import Refusal
from common.templatetags.human import clock
from live import services
from live.chat import room_moderation as chat
from live.models import Broadcast, ChatMessage, ChatRestriction, Stream

if TYPE_CHECKING:
    from django.db.models import QuerySet


class NothingToAdd:
    """Mixin that forbids adding: only users create these rows, on the site itself."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Stream)
class StreamAdmin(NothingToAdd, Ranked):
    list_display = ("__str__", "title", "category", "visibility", "has_key", "key_used_at", "is_suspended")
    list_filter = ("is_suspended", "visibility", "category")
    list_select_related = ("channel__owner",)
    search_fields = ("channel__owner__username", "channel__display_name", "title")
    fields = ("title", "category", "visibility", "is_suspended", "key_created_at", "key_used_at")
    readonly_fields = ("visibility", "is_suspended", "key_created_at", "key_used_at")
    actions = ("revoke_keys", "suspend", "lift_suspension")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a stream is deleted only with its channel."""
        return False

    def owner_of(self, row: Stream) -> User:
        return row.channel.owner

    @admin.display(boolean=True, description=_("key"))
    def has_key(self, stream: Stream) -> bool:
        return stream.key_digest is not None

    @admin.action(description=_("Revoke stream key"), permissions=["change"])
    def revoke_keys(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        reached = self.within_reach(request, streams)
        for stream in reached:
            services.revoke_stream_key(stream)
            self.log_change(request, stream, gettext("Stream key revoked"))
        self._show_count(request, len(reached))

    @admin.action(description=_("Suspend and end the broadcast"), permissions=["decide"])
    def suspend(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        self._set(request, streams.filter(is_suspended=False), Case.Content.HIDDEN)

    @admin.action(description=_("Allow going live"), permissions=["decide"])
    def lift_suspension(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        self._set(request, streams.filter(is_suspended=True), Case.Content.SHOWN)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.decide_case")

    def _set(self, request: HttpRequest, streams: QuerySet[Stream], content: Case.Content) -> None:
        by, changed = cast(User, request.user), 0
        for stream in self.within_reach(request, streams):
            try:
                moderation.set_at_once("stream", str(stream.pk), by=by, content=content)
                changed += 1
            except Refusal as error:
                self.message_user(request, f"{stream}: {error}", messages.WARNING)
        self._show_count(request, changed)

    def _show_count(self, request: HttpRequest, count: int) -> None:
        sentence = ngettext("%(n)d stream was changed.", "%(n)d streams were changed.", count)
        self.message_user(request, sentence % {"n": count}, messages.SUCCESS)

    def save_model(self, request: HttpRequest, stream: Stream, form: Any, change: bool) -> None:
        services.edit_stream(stream, **{name: form.cleaned_data[name] for name in form.changed_data})


@admin.register(Broadcast)
class BroadcastAdmin(NothingToAdd, Ranked):
    list_display = ("stream", "status", "started_at", "lasted", "ending", "peak_viewer_count")
    list_filter = ("status", "ending", "started_at")
    list_select_related = ("stream__channel__owner",)
    search_fields = ("public_id", "stream__channel__owner__username")
    sortable_by = ("started_at",)
    fields = (
        "stream", "status", "ending", "started_at", "ended_at", "lasted", "peak_viewer_count", "arrives",
        "leaves", "replay", "public_id",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("end",)

    def owner_of(self, row: Broadcast) -> User:
        return row.stream.channel.owner

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a broadcast is a fact; moderators can only end it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the ingest may still write to it.  Its replay is deleted as a video."""
        return False

    @admin.display(description=_("length"))
    def lasted(self, broadcast: Broadcast) -> str:
        end = broadcast.ended_at or timezone.now()
        return clock((end - broadcast.started_at).total_seconds())

    @admin.display(description=_("incoming signal"))
    def arrives(self, broadcast: Broadcast) -> str:
        return _in_words(broadcast.source_json or {})

    @admin.display(description=_("qualities"))
    def leaves(self, broadcast: Broadcast) -> str:
        """Return one line per rendition, best first."""
        lines = [(_in_words(rendition),) for rendition in broadcast.renditions_json]
        return format_html_join(mark_safe("<br>"), "{}", lines)

    @admin.display(description=_("replay"))
    def replay(self, broadcast: Broadcast) -> str:
        video = broadcast.recording
        if video is None:
            return ""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:videos_video_change", args=[video.pk]), video
        )

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("live.change_broadcast")

    @admin.action(description=_("End broadcast"), permissions=["end"])
    def end(self, request: HttpRequest, broadcasts: QuerySet[Broadcast]) -> None:
        running = broadcasts.running().select_related("stream__channel__owner")  # type: ignore[attr-defined]
        by, ended = cast(User, request.user), 0
        for broadcast in self.within_reach(request, running):
            try:
                moderation.set_at_once("broadcast", broadcast.public_id, by=by, content=Case.Content.REMOVED)
                ended += 1
            except Refusal as error:
                self.message_user(request, f"{broadcast}: {error}", messages.WARNING)
        sentence = ngettext("%(n)d broadcast was ended.", "%(n)d broadcasts were ended.", ended)
        self.message_user(request, sentence % {"n": ended}, messages.SUCCESS)


def _in_words(track: Mapping[str, Any]) -> str:
    """Return size, frame rate, bitrate, codecs and encoder of a source or rendition, as far as known."""
    width, height, rate = track.get("width_px"), track.get("height_px"), track.get("frame_rate")
    bitrate_bps = track.get("bitrate_bps") or track.get("video_bitrate_bps")
    facts = [
        f"{width} × {height}" if width and height else "",
        f"{rate:.4g} fps" if rate else "",
        f"{bitrate_bps / 1e6:.1f} Mb/s" if bitrate_bps else "",
        str(track.get("codecs") or ""),
        str(track.get("encoder") or ""),
    ]
    return " · ".join(filter(None, facts))


@admin.register(ChatMessage)
class ChatMessageAdmin(NothingToAdd, admin.ModelAdmin[ChatMessage]):
    list_display = ("text", "user", "stream", "sent_at", "deleted_at")
    list_filter = ("sent_at", ("deleted_at", admin.EmptyFieldListFilter))
    fields = ("text", "user", "stream", "broadcast", "sent_at", "deleted_at", "deleted_by", "public_id")
    list_select_related = ("user", "stream__channel__owner")
    search_fields = ("text", "user__username", "stream__channel__owner__username")
    ordering = ("-pk",)
    sortable_by = ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a message is removed through moderation, and its row stays."""
        return False


@admin.register(ChatRestriction)
class ChatRestrictionAdmin(NothingToAdd, admin.ModelAdmin[ChatRestriction]):
    list_display = ("user", "stream", "until", "created_by", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("user", "stream__channel__owner", "created_by")
    search_fields = ("user__username", "stream__channel__owner__username")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: ChatRestriction) -> None:
        """Lift the restriction through the chat, which updates open pages and records a decision."""
        try:
            chat.unban(stream=obj.stream, by=cast(User, request.user), username=obj.user.username)
        except Refusal as error:
            self.message_user(request, f"{obj.user}: {error}", messages.WARNING)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ChatRestriction]) -> None:
        for restriction in queryset.select_related("stream__channel__owner", "user"):
            self.delete_model(request, restriction)
