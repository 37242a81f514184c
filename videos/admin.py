"""Videos for moderators: what there is, what became of it, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from videos import services
from videos.models import Job, Video
from videos.services.errors import CannotRetry

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class JobInline(admin.TabularInline[Job, Video]):
    """The work on a video, to be read and not to be changed."""

    model = Job
    extra = 0
    can_delete = False
    fields = (
        "kind",
        "position",
        "status",
        "attempt",
        "worker",
        "claimed_at",
        "finished_at",
        "error_code",
        "error_detail",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Video | None = None) -> bool:
        return False


@admin.register(Video)
class VideoAdmin(admin.ModelAdmin[Video]):
    list_display = ("title", "channel", "status", "visibility", "duration", "view_count", "created_at")
    list_filter = ("status", "failure_code", "visibility", "category", "created_at")
    list_select_related = ("channel__owner",)
    list_per_page = 50
    search_fields = ("title", "public_id", "channel__owner__username", "channel__display_name")
    date_hierarchy = "created_at"
    fields = (
        "title", "description", "category", "visibility", "public_id", "channel", "status", "failure",
        "source_filename", "source_size_bytes", "view_count", "like_count", "created_at", "published_at",
    )  # fmt: skip
    readonly_fields = fields[4:]
    inlines = (JobInline,)
    actions = ("retry",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # videos come by upload

    def delete_model(self, request: HttpRequest, obj: Video) -> None:
        services.delete_video(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Video]) -> None:
        for video in queryset:
            services.delete_video(video)

    @admin.display(description=_("length"), ordering="duration_s")
    def duration(self, video: Video) -> str:
        return (
            ""
            if video.duration_s is None
            else f"{int(video.duration_s) // 60}:{int(video.duration_s) % 60:02}"
        )

    @admin.display(description=_("failure"))
    def failure(self, video: Video) -> str:
        return f"{video.failure_code}: {video.failure_sentence}" if video.failure_code else ""

    @admin.action(description=_("Try failed videos again"))
    def retry(self, request: HttpRequest, queryset: QuerySet[Video]) -> None:
        retried = 0
        for video in queryset.filter(status=Video.Status.FAILED):
            try:
                services.retry_video(video)
            except CannotRetry:
                continue  # somebody else was faster
            retried += 1
        said = ngettext("%d video is encoded again.", "%d videos are encoded again.", retried) % retried
        self.message_user(request, said, messages.SUCCESS if retried else messages.WARNING)
