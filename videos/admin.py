"""Admin pages of videos, for moderators and administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import moderation
from accounts.admin.forms import BulkDecisionForm
from accounts.models import Decision, User
from accounts.models.cases import MAX_TITLE as MAX_DECISION_TITLE
from common.errors import Refusal
from common.templatetags.human import clock
from videos import job_details, progress, services, transcriptions
from videos.models import Clip, Job, Transcription, Video

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse


def progress_of(job: Job) -> str:
    """Return the percentage and the speed against real time of a job, as far as they are known."""
    encoded_s = job.length_s if job.status == Job.Status.DONE else progress.done_s([job])[job.pk]
    percent, speed = job_details.percent(job, encoded_s), job_details.speed(job, encoded_s)
    parts = [] if percent is None else [f"{percent} %"]
    return " · ".join([*parts, f"{speed:.1f} ×"] if speed else parts)


class JobInline(admin.TabularInline[Job, Video]):
    """The jobs of a video, read-only."""

    model = Job
    extra = 0
    can_delete = False
    fields = (
        "kind",
        "position",
        "status",
        "attempt",
        "progress",
        "failures",
        "losses",
        "waits_for",
        "worker",
        "claimed_at",
        "finished_at",
        "error_code",
        "error_detail",
        "log_tail",
    )
    readonly_fields = fields
    show_change_link = True

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> str:
        return progress_of(job)

    def has_add_permission(self, request: HttpRequest, obj: Video | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Video | None = None) -> bool:
        """Return whether the user may view videos; viewing jobs needs no other permission."""
        return request.user.has_perm("videos.view_video")


class VideoAdminForm(forms.ModelForm[Video]):
    """Form that refuses a protection by password for a video without one."""

    def clean_visibility(self) -> str:
        visibility: str = self.cleaned_data["visibility"]
        if visibility == Video.Visibility.PASSWORD and not self.instance.has_password:
            raise forms.ValidationError(_("Only the owner can set a password, in the studio."))
        return visibility


@admin.register(Video)
class VideoAdmin(admin.ModelAdmin[Video]):
    form = VideoAdminForm
    list_display = (
        "title", "channel", "status", "progress_percent", "visibility", "withheld", "duration",
        "view_count", "created_at",
    )  # fmt: skip
    list_filter = ("status", "withheld", "failure_code", "visibility", "category", "created_at")
    list_select_related = ("channel__owner",)
    list_per_page = 50
    search_fields = ("title", "public_id", "channel__owner__username", "channel__display_name")
    sortable_by = ("created_at",)
    show_full_result_count = False
    fields = (
        "title", "description", "category", "visibility", "public_id", "channel", "status", "withheld",
        "failure", "edition_state", "storyboard", "source_filename", "source_size_bytes", "view_count",
        "like_count", "created_at", "published_at",
    )  # fmt: skip
    readonly_fields = fields[4:]
    inlines = (JobInline,)
    action_form = BulkDecisionForm
    actions = ("retry", "reencode", "cancel", "hide", "remove", "undo_latest")
    change_form_template = "admin/videos/video/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # videos come by upload

    def get_queryset(self, request: HttpRequest) -> QuerySet[Video]:
        """Leave out editions, which are rows of the pipeline."""
        return super().get_queryset(request).filter(edition_of=None)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.decide_case")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return VideoList

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the player above the form."""
        video = self.get_object(request, object_id)
        playback = services.playback(video) if video else None
        more = {"video": video, "playback": playback, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, more)

    def save_model(self, request: HttpRequest, obj: Video, form: Any, change: bool) -> None:
        """Change the video as its owner would: a new visibility also ends a schedule."""
        services.edit_video(obj, **{name: form.cleaned_data[name] for name in form.changed_data})

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Allow the deletion of a video's comments with it, although nobody may delete them alone."""
        to_delete, counts, _may_not_alone, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Video) -> None:
        """Delete the video for good; a decision records it, unless it is the administrator's own."""
        by, owner = cast(User, request.user), obj.channel.owner
        with transaction.atomic():
            if owner != by:
                moderation.record_removal(obj.title[:MAX_DECISION_TITLE], owner, by=by)
            services.delete_video(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Video]) -> None:
        for video in queryset.select_related("channel__owner"):
            self.delete_model(request, video)

    @admin.display(description=_("progress"))
    def progress_percent(self, video: Any) -> str:
        return f"{video.percent} %" if video.status == Video.Status.PROCESSING else ""

    @admin.display(description=_("length"), ordering="duration_s")
    def duration(self, video: Video) -> str:
        return "" if video.duration_s is None else clock(video.duration_s)

    @admin.display(description=_("failure"))
    def failure(self, video: Video) -> str:
        return f"{video.failure_code}: {video.failure_sentence}" if video.failure_code else ""

    @admin.display(description=_("new version"))
    def edition_state(self, video: Video) -> str:
        """Return the progress of a new version, or the reason why it failed."""
        edition = Video.objects.filter(edition_of=video).first()
        if edition is None:
            return ""
        return self.failure(edition) or f"{edition.get_edition_kind_display()}: {progress.percent(edition)} %"

    @admin.display(description=_("storyboard"))
    def storyboard(self, video: Video) -> str:
        """Return the state of the storyboard: present, waiting, or the reason why there is none."""
        if video.has_storyboard:
            return str(_("present"))
        job = video.jobs.filter(kind=Job.Kind.STORYBOARD).order_by("-position").first()
        if job is None:
            return ""
        return f"{job.error_code}: {job.error_detail}" if job.error_code else job.get_status_display()

    @admin.action(description=_("Retry failed videos"), permissions=["change"])
    def retry(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        retried = self._each(request, videos.filter(status=Video.Status.FAILED), services.retry_video)
        sentence = (
            ngettext("%d video is being encoded again.", "%d videos are being encoded again.", retried)
            % retried
        )
        self._show_sentence(request, sentence, retried)

    @admin.action(description=_("Re-encode with the current settings"), permissions=["decide"])
    def reencode(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        begun = self._each(request, videos, lambda video: services.reencode(video, counts=False))
        sentence = ngettext("%d video is being encoded again.", "%d videos are being encoded again.", begun)
        self._show_sentence(request, sentence % begun, begun)

    @admin.action(description=_("Stop the encode"), permissions=["change"])
    def cancel(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        stopped = self._each(request, videos, services.stop_encode)
        self._show_sentence(
            request, ngettext("%d encode is stopped.", "%d encodes are stopped.", stopped) % stopped, stopped
        )

    @admin.action(description=_("Hide"), permissions=["decide"])
    def hide(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        self._decide(request, videos, Decision.Action.HIDE)

    @admin.action(description=_("Remove"), permissions=["decide"])
    def remove(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        self._decide(request, videos, Decision.Action.REMOVE)

    @admin.action(description=_("Undo last decision"), permissions=["decide"])
    def undo_latest(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        by = cast(User, request.user)
        done = self._each(
            request, videos, lambda video: moderation.undo_latest("video", video.public_id, by=by)
        )
        self._show_sentence(
            request, ngettext("%d video was restored.", "%d videos were restored.", done) % done, done
        )

    def _decide(self, request: HttpRequest, videos: QuerySet[Video], action: Decision.Action) -> None:
        by, reason = cast(User, request.user), BulkDecisionForm.reason_in(request.POST)
        done = self._each(
            request,
            videos,
            lambda video: moderation.act("video", video.public_id, by=by, action=action, reason=reason),
        )
        self._show_sentence(
            request, ngettext("%d video was withheld.", "%d videos were withheld.", done) % done, done
        )

    def _each(self, request: HttpRequest, videos: QuerySet[Video], act: Callable[[Video], object]) -> int:
        """Call ``act`` for every video; return the number of successes and show the errors of the others."""
        done = 0
        for video in videos.select_related("channel__owner"):
            try:
                act(video)
                done += 1
            except Refusal as error:
                self.message_user(request, f"{video}: {error}", messages.WARNING)
        return done

    def _show_sentence(self, request: HttpRequest, sentence: str, count: int) -> None:
        self.message_user(request, sentence, messages.SUCCESS if count else messages.WARNING)


class VideoList(ChangeList):
    """The list of videos, with the progress of every encode on the page in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        videos = list(self.result_list)
        percents = progress.percents(videos)
        for video in videos:
            video.percent = percents[video.pk]
        self.result_list = videos


@admin.register(Job)
class JobAdmin(admin.ModelAdmin[Job]):
    """The queue of encodes, read-only; single jobs that a video can lack are retried and canceled here."""

    list_display = (
        "video", "kind", "position", "lane", "status", "attempt", "progress", "waits_for", "worker",
        "claimed_at", "finished_at", "error_code",
    )  # fmt: skip
    list_filter = ("status", "kind", "lane", "waits_for", "error_code")
    list_select_related = ("video", "run")
    list_per_page = 50
    search_fields = ("video__public_id", "worker")
    ordering = ("-pk",)
    sortable_by = ("claimed_at", "finished_at")
    show_full_result_count = False
    fields = (*list_display, "failures", "losses", "error_detail", "log_tail")
    readonly_fields = fields
    actions = ("retry", "cancel")

    @admin.display(description=_("progress"))
    def progress(self, job: Job) -> str:
        return progress_of(job)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the plan of an encode creates them

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    @admin.action(description=_("Try selected jobs again"), permissions=["change"])
    def retry(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        count = self._each(request, jobs, services.retry_job)
        done = ngettext("%(n)d job is queued again.", "%(n)d jobs are queued again.", count)
        self.message_user(request, done % {"n": count}, messages.SUCCESS if count else messages.WARNING)

    @admin.action(description=_("Cancel selected jobs"), permissions=["change"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        count = self._each(request, jobs, services.cancel_job)
        done = ngettext("%(n)d job was canceled.", "%(n)d jobs were canceled.", count)
        self.message_user(request, done % {"n": count}, messages.SUCCESS if count else messages.WARNING)

    def _each(self, request: HttpRequest, jobs: QuerySet[Job], act: Callable[[Job], None]) -> int:
        """Call ``act`` for every job; return the number of successes and show the errors of the others."""
        done = 0
        for job in jobs.select_related("video"):
            try:
                act(job)
                done += 1
            except Refusal as error:
                self.message_user(request, f"{job}: {error}", messages.WARNING)
        return done


@admin.register(Transcription)
class TranscriptionAdmin(admin.ModelAdmin[Transcription]):
    """The queue of automatic captions, read-only."""

    list_display = (
        "video", "status", "language", "found_language", "heard_s", "work_s", "attempt", "failures",
        "losses", "waits_for", "worker", "claimed_at", "finished_at", "error_code",
    )  # fmt: skip
    list_filter = ("status", "waits_for", "error_code")
    list_select_related = ("video",)
    list_per_page = 50
    show_full_result_count = False
    fields = (*list_display, "error_detail", "created_at")
    readonly_fields = fields
    actions = ("cancel",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # owners request them

    def has_delete_permission(self, request: HttpRequest, obj: Transcription | None = None) -> bool:
        return False

    @admin.action(description=_("Cancel selected transcriptions"), permissions=["change"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Transcription]) -> None:
        count = sum(transcriptions.cancel(row.video) for row in rows.select_related("video"))
        done = ngettext("%(n)d transcription was canceled.", "%(n)d transcriptions were canceled.", count)
        messages.success(request, done % {"n": count})


@admin.register(Clip)
class ClipAdmin(admin.ModelAdmin[Clip]):
    """Clips, read-only, with the decisions of the desk as actions."""

    list_display = ("title", "video", "maker", "start", "length", "withheld", "view_count", "created_at")
    list_filter = ("withheld", "created_at")
    list_select_related = ("video", "maker")
    list_per_page = 50
    search_fields = ("title", "public_id", "video__title", "maker__username")
    sortable_by = ("created_at",)
    show_full_result_count = False
    fields = (*list_display, "public_id")
    readonly_fields = fields
    action_form = BulkDecisionForm
    actions = ("hide", "remove", "undo_latest")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # viewers make them

    def has_change_permission(self, request: HttpRequest, obj: Clip | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Clip | None = None) -> bool:
        return False  # by a decision, which can be undone

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.decide_case")

    @admin.display(description=_("start"), ordering="start_s")
    def start(self, clip: Clip) -> str:
        return clock(clip.start_s)

    @admin.display(description=_("length"))
    def length(self, clip: Clip) -> str:
        return clock(clip.duration_s)

    @admin.action(description=_("Hide"), permissions=["decide"])
    def hide(self, request: HttpRequest, clips: QuerySet[Clip]) -> None:
        self._decide(request, clips, Decision.Action.HIDE)

    @admin.action(description=_("Remove"), permissions=["decide"])
    def remove(self, request: HttpRequest, clips: QuerySet[Clip]) -> None:
        self._decide(request, clips, Decision.Action.REMOVE)

    @admin.action(description=_("Undo last decision"), permissions=["decide"])
    def undo_latest(self, request: HttpRequest, clips: QuerySet[Clip]) -> None:
        by = cast(User, request.user)
        self._each(request, clips, lambda clip: moderation.undo_latest("clip", clip.public_id, by=by))

    def _decide(self, request: HttpRequest, clips: QuerySet[Clip], action: Decision.Action) -> None:
        by, reason = cast(User, request.user), BulkDecisionForm.reason_in(request.POST)
        self._each(
            request,
            clips,
            lambda clip: moderation.act("clip", clip.public_id, by=by, action=action, reason=reason),
        )

    def _each(self, request: HttpRequest, clips: QuerySet[Clip], act: Callable[[Clip], object]) -> None:
        """Call ``act`` for every clip, and show those that it refuses with their reasons."""
        done = 0
        for clip in clips:
            try:
                act(clip)
                done += 1
            except Refusal as error:
                messages.warning(request, f"{clip}: {error}")
        if done:
            messages.success(request, ngettext("%(n)d changed.", "%(n)d changed.", done) % {"n": done})
