"""Videos for moderators and administrators: what there is, what became of it, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import moderation
from accounts.admin.forms import BulkDecisionForm
from accounts.errors import AccountError
from accounts.models import Decision, User
from videoplatform.templatetags.human import clock
from videos import progress, services
from videos.models import Job, Video
from videos.services.errors import ServiceError

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse


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

    def has_view_permission(self, request: HttpRequest, obj: Video | None = None) -> bool:
        """Whoever may see a video in the admin may see what became of it."""
        return request.user.has_perm("videos.view_video")


@admin.register(Video)
class VideoAdmin(admin.ModelAdmin[Video]):
    list_display = (
        "title", "channel", "status", "progress_percent", "visibility", "withheld", "duration",
        "view_count", "created_at",
    )  # fmt: skip
    list_filter = ("status", "withheld", "failure_code", "visibility", "category", "created_at")
    list_select_related = ("channel__owner",)
    list_per_page = 50
    search_fields = ("title", "public_id", "channel__owner__username", "channel__display_name")
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = (
        "title", "description", "category", "visibility", "public_id", "channel", "status", "withheld",
        "failure", "source_filename", "source_size_bytes", "view_count", "like_count", "created_at",
        "published_at",
    )  # fmt: skip
    readonly_fields = fields[4:]
    inlines = (JobInline,)
    action_form = BulkDecisionForm
    actions = ("retry", "cancel", "hide", "remove", "put_back")
    change_form_template = "admin/videos/video/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # videos come by upload

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.decide_case")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return VideoList

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With the player above the form."""
        video = self.get_object(request, object_id)
        playback = services.playback(video) if video else None
        more = {"video": video, "playback": playback, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, more)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What was said about a video goes with it, though nobody may delete it alone."""
        to_delete, counts, _may_not_alone, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Video) -> None:
        services.delete_video(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Video]) -> None:
        for video in queryset:
            services.delete_video(video)

    @admin.display(description=_("progress"))
    def progress_percent(self, video: Any) -> str:
        return f"{video.percent} %" if video.status == Video.Status.PROCESSING else ""

    @admin.display(description=_("length"), ordering="duration_s")
    def duration(self, video: Video) -> str:
        return "" if video.duration_s is None else clock(video.duration_s)

    @admin.display(description=_("failure"))
    def failure(self, video: Video) -> str:
        return f"{video.failure_code}: {video.failure_sentence}" if video.failure_code else ""

    # --- Work -----------------------------------------------------------------------

    @admin.action(description=_("Try failed videos again"), permissions=["change"])
    def retry(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        retried = self._each(request, videos.filter(status=Video.Status.FAILED), services.retry_video)
        said = ngettext("%d video is encoded again.", "%d videos are encoded again.", retried) % retried
        self._say(request, said, retried)

    @admin.action(description=_("Stop the encode"), permissions=["change"])
    def cancel(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        stopped = self._each(request, videos, services.cancel_encode)
        self._say(
            request, ngettext("%d encode is stopped.", "%d encodes are stopped.", stopped) % stopped, stopped
        )

    # --- Moderation -----------------------------------------------------------------

    @admin.action(description=_("Hide"), permissions=["decide"])
    def hide(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        self._decide(request, videos, Decision.Action.HIDE)

    @admin.action(description=_("Remove"), permissions=["decide"])
    def remove(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        self._decide(request, videos, Decision.Action.REMOVE)

    @admin.action(description=_("Take the last decision back"), permissions=["decide"])
    def put_back(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        by = cast(User, request.user)
        done = self._each(request, videos, lambda video: moderation.put_back("video", video.public_id, by=by))
        self._say(request, ngettext("%d video is back.", "%d videos are back.", done) % done, done)

    def _decide(self, request: HttpRequest, videos: QuerySet[Video], action: Decision.Action) -> None:
        by, reason = cast(User, request.user), BulkDecisionForm.reason_in(request.POST)
        done = self._each(
            request,
            videos,
            lambda video: moderation.act("video", video.public_id, by=by, action=action, reason=reason),
        )
        self._say(request, ngettext("%d video is withheld.", "%d videos are withheld.", done) % done, done)

    def _each(self, request: HttpRequest, videos: QuerySet[Video], act: Callable[[Video], object]) -> int:
        """Let ``act`` act on every video it can; how many that were.  The others are named, and why."""
        done = 0
        for video in videos.select_related("channel__owner"):
            try:
                act(video)
                done += 1
            except (AccountError, ServiceError) as error:
                self.message_user(request, f"{video}: {error}", messages.WARNING)
        return done

    def _say(self, request: HttpRequest, said: str, count: int) -> None:
        self.message_user(request, said, messages.SUCCESS if count else messages.WARNING)


class VideoList(ChangeList):
    """Knows how far every encode on the page is, by one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        videos = list(self.result_list)
        percents = progress.percents(videos)
        for video in videos:
            video.percent = percents[video.pk]
        self.result_list = videos
