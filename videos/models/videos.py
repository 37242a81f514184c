"""Videos and their folders in storage."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.fields import GenericRelation
from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.models import Channel, User
from accounts.viewers import Viewer
from comments.models import Comment, Danmaku
from common.ids import new_public_id
from videos import failures, leftovers, states
from videos.models.ids import new_encode_key
from videos.models.search import VideoText
from videos.models.topics import Category, Tag
from videos.models.video_lists import VideoQuerySet
from videos.transcoding import chapters
from videos.transcoding.chapters import Chapter
from videos.transcoding.source import SourceInfo
from videos.transcoding.timeline import KeptParts

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import AnonymousUser

    from videos.models.playback_tokens import PlaybackToken
    from videos.models.timeline_changes import TimelineChange

MAX_TITLE = 150  # characters
BESIDE = "../"
"""The beginning of the names of objects that lie beside the folder of their encode."""

PLAYBACK_TOKEN_PREFIX = "pt_"  # noqa: S105 -- tells them from other tokens
MAX_DESCRIPTION = 5_000
MIN_PASSWORD = 4
MAX_PASSWORD = 128


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


class Video(models.Model):
    class Status(models.TextChoices):
        UPLOADING = "uploading", _("Uploading")
        PROCESSING = "processing", _("Processing")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    class Visibility(models.TextChoices):
        PUBLIC = "public", _("Public")
        UNLISTED = "unlisted", _("Unlisted")
        PRIVATE = "private", _("Private")
        PASSWORD = "password", _("Password")
        FOLLOWERS = "followers", _("Followers only")

    class Withheld(models.TextChoices):
        """The decision of moderators; the owner's ``visibility`` is kept and applies again after it."""

        HIDDEN = "hidden", _("Hidden by moderators")
        REMOVED = "removed", _("Removed by moderators")

    class CommentsMode(models.TextChoices):
        """The handling of new comments."""

        OPEN = "open", _("Everyone can comment")
        HELD = "held", _("Review comments before they appear")
        CLOSED = "closed", _("Turn off comments")

    class EditionKind(models.TextChoices):
        """The reason for another encode of a video."""

        REENCODE = "reencode", _("Re-encode")
        REPLACEMENT = "replacement", _("New file")
        TRIM = "trim", _("Trim")
        RESTORE = "restore", _("Original")
        AUDIO = "audio", _("Audio track")

    class Downloads(models.TextChoices):
        """The file that viewers may download."""

        OFF = "off", _("No download")
        MP4 = "mp4", _("MP4 video")
        SOURCE = "source", _("Original file")

    class Clipping(models.TextChoices):
        """The users with access who may make clips; the owner always may."""

        EVERYONE = "everyone", _("Everyone who can watch")
        FOLLOWERS = "followers", _("Followers of your channel")
        NOBODY = "nobody", _("Only you")

    class Failure(models.TextChoices):
        """The reason of a failure: a code for programs, a sentence for the owner."""

        EMPTY_FILE = "empty_file", _("The file is empty. Export it again and upload the new file.")
        NOT_MEDIA = "not_media", _("This is not a supported video file. Export it as MP4 and try again.")
        NO_STREAMS = (
            "no_streams",
            _("This file contains no video or audio. Export it as MP4 and try again."),
        )
        UNSUPPORTED_CODEC = (
            "unsupported_codec",
            _("The format of this file is not supported. Export it as MP4 (H.264) and try again."),
        )
        ENCRYPTED = "encrypted", _("This file is copy-protected. Upload an unprotected file.")
        LIMITS_EXCEEDED = "limits_exceeded", _("This file is too large, too long or too complex.")
        REFERENCES_OUTSIDE = (
            "references_outside",
            _("This file only links to other files. Upload the video itself."),
        )
        DECODE_FAILED = (
            "decode_failed",
            _("The video in this file is damaged. Export it again and try again."),
        )
        STORAGE_FAILED = (
            "storage_failed",
            _("The video could not be stored. Nothing is lost. Try again."),
        )
        IMPORT_FAILED = (
            "import_failed",
            _("The file could not be fetched. Check the link and try again, or upload the file."),
        )
        ENCODE_FAILED = (
            "encode_failed",
            _("The video could not be converted. Nothing is lost. Try again."),
        )

    # Editions of these kinds have the source of their video.
    OF_SAME_SOURCE = frozenset({EditionKind.REENCODE, EditionKind.TRIM, EditionKind.RESTORE})
    # Everyone with the address may watch.
    OPEN = frozenset({Visibility.PUBLIC, Visibility.UNLISTED})
    # Everyone with the address sees what to do in order to watch.
    LOCKED = frozenset({Visibility.PASSWORD, Visibility.FOLLOWERS})

    RETRYABLE = frozenset({Failure.STORAGE_FAILED, Failure.IMPORT_FAILED, Failure.ENCODE_FAILED})

    public_id = models.CharField(
        _("public ID"), max_length=16, unique=True, default=new_public_id, editable=False
    )
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="videos", verbose_name=_("channel"))
    # An edition is a row of the pipeline alone, which nobody watches: see ``videos.editions``.
    edition_of = models.OneToOneField(
        "self", models.CASCADE, null=True, related_name="edition", editable=False
    )
    edition_kind = models.CharField(
        max_length=12, choices=EditionKind.choices, blank=True, default="", db_default="", editable=False
    )
    title = models.CharField(_("title"), max_length=MAX_TITLE)
    description = models.TextField(_("description"), max_length=MAX_DESCRIPTION, blank=True)
    category = models.CharField(
        _("category"), max_length=20, choices=Category.choices, default=Category.OTHER
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="videos", verbose_name=_("tags"))
    visibility = models.CharField(
        _("visibility"), max_length=12, choices=Visibility.choices, default=Visibility.PUBLIC
    )
    password_hash = models.CharField(max_length=128, blank=True, default="", db_default="", editable=False)
    # Changes with each new password, so that keys of an older one open nothing.
    password_version = models.CharField(max_length=16, blank=True, default="", db_default="", editable=False)
    withheld = models.CharField(
        _("withheld"), max_length=8, choices=Withheld.choices, blank=True, default="", editable=False
    )
    comments_mode = models.CharField(
        _("comments"), max_length=8, choices=CommentsMode.choices, default=CommentsMode.OPEN
    )
    downloads = models.CharField(
        _("download"),
        max_length=8,
        choices=Downloads.choices,
        default=Downloads.OFF,
        db_default=Downloads.OFF,
    )
    clipping = models.CharField(
        _("clips"),
        max_length=10,
        choices=Clipping.choices,
        default=Clipping.EVERYONE,
        db_default=Clipping.EVERYONE,
    )
    # Made on demand from the segments of this encode; deleted when it expires.
    mp4_key = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    mp4_expires_at = models.DateTimeField(null=True, editable=False)
    status = models.CharField(
        _("status"), max_length=12, choices=Status.choices, default=Status.UPLOADING, editable=False
    )
    failure_code = models.CharField(
        _("failure"), max_length=32, choices=Failure.choices, blank=True, editable=False
    )
    failure_parameters = models.JSONField(default=dict, blank=True, editable=False)  # see videos.failures

    source_key = models.CharField(max_length=200, blank=True, editable=False)
    source_filename = models.CharField(_("file name"), max_length=255, blank=True, editable=False)
    source_size_bytes = models.BigIntegerField(_("file size (bytes)"), default=0, editable=False)
    # The address of an import until its file is in storage.
    import_url = models.CharField(max_length=2000, blank=True, default="", db_default="", editable=False)
    # The name of the same video on another site, so that it is imported once.
    import_source = models.CharField(max_length=300, blank=True, default="", db_default="", editable=False)
    source_json = models.JSONField(null=True, editable=False)
    # The parts of the source that a trimmed video holds, ``[[start_s, end_s], …]``; of an edition that
    # trims, the parts of its video.  None: the whole source.
    kept_parts = models.JSONField(null=True, editable=False)
    # Found while its streams were copied: the source is encoded from then on.
    copy_refusal = models.CharField(max_length=32, blank=True, default="", db_default="", editable=False)

    # Names the objects of one encode, so that a second never overwrites the first.
    encode_key = models.CharField(max_length=16, default=new_encode_key, editable=False)
    is_playable = models.BooleanField(default=False, editable=False)
    duration_s = models.FloatField(null=True, editable=False)
    width_px = models.PositiveIntegerField(null=True, editable=False)
    height_px = models.PositiveIntegerField(null=True, editable=False)
    poster_key = models.CharField(max_length=200, blank=True, editable=False)
    storyboard_key = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    # Times (s) of the stills that are stored as choices of a poster.
    poster_times_s = models.JSONField(null=True, editable=False)
    # For each audio track in the order of the playlist: integrated loudness (LUFS) and true peak (dBTP),
    # null for a silent one.  None: not measured.
    loudness = models.JSONField(null=True, editable=False)
    # Changes with the audio tracks that were added, renamed and removed, as playlists do.
    audio_version = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    view_count = models.PositiveBigIntegerField(_("views"), default=0, editable=False)
    like_count = models.PositiveIntegerField(_("likes"), default=0, editable=False)
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    published_at = models.DateTimeField(_("published"), null=True, editable=False)
    # A private video becomes public then; a premiere is public before, and begins then.
    publish_at = models.DateTimeField(_("scheduled for"), null=True, editable=False)
    is_premiere = models.BooleanField(_("premiere"), default=False, db_default=False, editable=False)
    premiered_at = models.DateTimeField(null=True, editable=False)

    comments = GenericRelation(Comment, object_id_field="target_id", content_type_field="target_type")
    danmaku = GenericRelation(Danmaku, object_id_field="target_id", content_type_field="target_type")

    # Set on lists for one person (services.add_progress).
    watched_percent: int | None = None
    is_new: bool = False  # to a person who follows its channel (services.following)

    objects = VideoQuerySet.as_manager()

    class Meta:
        verbose_name = _("video")
        verbose_name_plural = _("videos")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "import_source"],
                name="video_imported_once",
                condition=~Q(import_source=""),
            )
        ]
        indexes = [
            models.Index(fields=["visibility", "is_playable", "-published_at", "-id"], name="video_listing"),
            models.Index(fields=["visibility", "is_playable", "-view_count", "-id"], name="video_popular"),
            models.Index(fields=["visibility", "is_playable", "-like_count", "-id"], name="video_liked"),
            models.Index(fields=["channel", "-created_at", "-id"], name="video_of_channel"),
            models.Index(fields=["-created_at", "-id"], name="video_created"),
            models.Index(fields=["status", "-created_at", "-id"], name="video_status"),
            models.Index(
                fields=["publish_at"], name="video_scheduled", condition=Q(publish_at__isnull=False)
            ),
            models.Index(
                fields=["mp4_expires_at"], name="video_mp4", condition=Q(mp4_expires_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("watch", args=[(self.edition_of or self).public_id])

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, with the searched text, and the folder of a new video, by which its objects can be found."""
        is_new = self._state.adding
        changed = kwargs.get("update_fields")
        is_other_text = changed is None or not {"title", "description"}.isdisjoint(changed)
        with transaction.atomic():
            super().save(*args, **kwargs)
            if self.edition_of_id is not None:
                return
            if is_new:
                VideoFolder.objects.create(prefix=self.prefix, video=self)
                VideoText.objects.create(video=self, **VideoText.fields_of(self.title, self.description))
            elif is_other_text:
                # The stored values: this instance may be older than another edit of the description.
                stored = Video.objects.values_list("title", "description").get(pk=self.pk)
                VideoText.objects.update_or_create(video=self, defaults=VideoText.fields_of(*stored))

    @property
    def source(self) -> SourceInfo | None:
        return SourceInfo.from_json(self.source_json) if self.source_json else None

    @property
    def prefix(self) -> str:
        """Return the prefix of all storage keys of this video; an edition shares that of its video."""
        return f"videos/{(self.edition_of or self).public_id}/"

    @property
    def encode_prefix(self) -> str:
        return f"{self.prefix}{self.encode_key}/"

    def key_of(self, name: str) -> str:
        """Return the key of an object by its name in the playlists of this encode.

        An added audio track lies beside the encode, in a folder of its own.
        """
        if name.startswith(BESIDE):
            return f"{self.prefix}{name.removeprefix(BESIDE)}"
        return f"{self.encode_prefix}{name}"

    @property
    def mp4_prefix(self) -> str:
        """Return the prefix of the MP4 files for downloads that were joined from this encode."""
        return f"{self.encode_prefix}download-"

    @property
    def posters_prefix(self) -> str:
        """Return the prefix of posters that the owner chose or uploaded."""
        return f"{self.prefix}posters/"

    @property
    def has_own_poster(self) -> bool:
        return self.poster_key.startswith(self.posters_prefix)

    @property
    def poster_choices(self) -> list[tuple[str, float]]:
        """Return key and time (s) of each still that may become the poster."""
        folder = self.storyboard_key.rpartition("/")[0]
        times_s = (self.poster_times_s or []) if self.has_storyboard else []
        return [(f"{folder}/poster-{number}.jpg", at_s) for number, at_s in enumerate(times_s)]

    @property
    def has_storyboard(self) -> bool:
        """Return whether the current encode has a storyboard."""
        return self.storyboard_key.startswith(self.encode_prefix)

    @property
    def is_recording(self) -> bool:
        """Return whether the video was recorded from a broadcast, so that it has no source to encode."""
        return not self.source_key and self.status != self.Status.UPLOADING

    @property
    def access(self) -> str:
        """Return a value that changes with the fields on which ``can_watch`` depends."""
        return (
            f"{self.visibility}-{self.password_version}-{self.withheld}-{int(self.channel.owner.is_active)}"
        )

    @property
    def is_growing(self) -> bool:
        """Return whether its playlists grow: while it is encoded without a plan, or recorded."""
        if self.status != self.Status.PROCESSING:
            return False
        return not self.plans.filter(encode_key=self.encode_key, kind="video", is_trusted=True).exists()

    @property
    def is_portrait(self) -> bool:
        return bool(self.width_px and self.height_px and self.height_px > self.width_px)

    @property
    def has_picture(self) -> bool:
        return bool(self.width_px)

    @property
    def can_retry(self) -> bool:
        """Return whether another encode of the same source may succeed, because the platform failed."""
        return self.status == self.Status.FAILED and self.failure_code in self.RETRYABLE

    @property
    def failure_sentence(self) -> str:
        """Return the cause of the failure and the remedy, for the owner."""
        if not self.failure_code:
            return ""
        return failures.sentence_of(self.failure_parameters) or str(self.Failure(self.failure_code).label)

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """Return code and sentence for each item of the source that the video lacks, for the owner."""
        source = self.source if self.status != self.Status.FAILED else None
        return [(left.code, leftovers.sentence_of(left)) for left in source.left_out] if source else []

    @property
    def timeline(self) -> KeptParts | None:
        """Return the parts of the source that a trimmed video holds; None for the whole source."""
        return KeptParts.of(self.kept_parts) if self.kept_parts else None

    @property
    def is_trimmed(self) -> bool:
        return bool(self.kept_parts)

    @cached_property
    def _timeline_history(self) -> list[TimelineChange]:
        return list(self.timeline_changes.all())

    def moment_now(self, at_s: float, written_at: datetime) -> float | None:
        """Return where a time (s) that was written then leads today; None if its moment is cut."""
        # Every moment of a trimmed video is one of the original, which does not change.
        for change in reversed([one for one in self._timeline_history if one.made_at <= written_at]):
            if change.is_restored:
                break
            at_s = change.kept.old_s(at_s)
        return self.timeline.moved_s(at_s) if self.timeline else at_s

    @property
    def chapters(self) -> tuple[Chapter, ...]:
        """Return the chapters that the description lists, or else those that the file declares."""
        listed = chapters.written(self.description, self.duration_s)
        if listed or not self.source:
            return listed
        of_file = self.source.chapters
        return chapters.moved(of_file, self.source.duration_s, self.timeline) if self.timeline else of_file

    @property
    def named_chapters(self) -> list[Chapter]:
        """Return the chapters, with a number as the title of those that have none."""
        return [
            replace(chapter, title=chapter.title or str(_("Chapter %(number)d") % {"number": number}))
            for number, chapter in enumerate(self.chapters, start=1)
        ]

    @property
    def comments_open(self) -> bool:
        return self.comments_mode != self.CommentsMode.CLOSED

    @property
    def comments_held(self) -> bool:
        """Return whether new comments are held until the channel's owner reviews them."""
        return self.comments_mode == self.CommentsMode.HELD

    def can_edit(self, user: User | AnonymousUser) -> bool:
        return self.channel.is_owned_by(user)

    def can_moderate(self, user: User | AnonymousUser) -> bool:
        return self.can_edit(user) or (user.is_authenticated and user.is_moderator)

    @property
    def is_open(self) -> bool:
        """Return whether everyone with the address may watch, also in frames of other sites."""
        return self.visibility in self.OPEN

    @property
    def plays_for_everyone(self) -> bool:
        """Return whether everyone with the address can play it now, also in frames of other sites."""
        return self.is_open and self.is_playable and not self.is_awaited and not self.withheld

    @property
    def has_password(self) -> bool:
        return bool(self.password_version)

    @property
    def password_key(self) -> str:
        """Return the key that a viewer gets for the current password."""
        return f"{self.public_id}:{self.password_version}"

    def can_watch(self, viewer: Viewer | User | AnonymousUser) -> bool:
        """Return whether ``viewer`` may watch; pages, playlists, sockets and the API ask this method."""
        viewer = Viewer.of(viewer)
        if self.edition_of_id:
            return False
        if viewer.is_moderator:
            return True
        if self.can_edit(viewer.user):
            return self.withheld != self.Withheld.REMOVED
        return self._is_there and (self._admits(viewer) or self.playback_token(viewer.token) is not None)

    def playback_token(self, secret: str) -> PlaybackToken | None:
        """Return the valid token of this video with ``secret``; other secrets cost no query."""
        if not secret.startswith(PLAYBACK_TOKEN_PREFIX):
            return None
        tokens = self.playback_tokens.filter(digest=digest_of(secret))
        return tokens.filter(expires_at__gt=timezone.now()).first()

    @property
    def is_awaited(self) -> bool:
        """Return whether it is a premiere that has not begun: its page is open, its media are not."""
        return self.is_premiere and self.publish_at is not None

    @property
    def publish_in_s(self) -> float:
        """Return the seconds until a scheduled video is published; negative while it is late."""
        return (self.publish_at - timezone.now()).total_seconds() if self.publish_at else 0.0

    @property
    def premiere_s(self) -> float | None:
        """Return the seconds since the beginning of a premiere that is running, else None."""
        if self.premiered_at is None or not self.duration_s:
            return None
        passed_s = (timezone.now() - self.premiered_at).total_seconds()
        return passed_s if 0 <= passed_s < self.duration_s else None

    def can_play(self, viewer: Viewer | User | AnonymousUser) -> bool:
        """Return whether ``viewer`` may load the media; moderators and the owner need not wait."""
        viewer = Viewer.of(viewer)
        return self.can_watch(viewer) and (not self.is_awaited or self.can_moderate(viewer.user))

    def can_clip(self, viewer: Viewer | User | AnonymousUser) -> bool:
        """Return whether ``viewer`` may make clips of it."""
        viewer = Viewer.of(viewer)
        user = viewer.user
        if not user.is_authenticated or not self.can_play(viewer):
            return False
        match self.clipping:
            case _ if self.can_edit(user):
                return True
            case self.Clipping.FOLLOWERS:
                return viewer.follows(self.channel_id)
        return self.clipping == self.Clipping.EVERYONE

    def download_for(self, viewer: Viewer | User | AnonymousUser) -> str:
        """Return the kind of file that ``viewer`` may download now: one of ``Downloads``.

        The owner gets the original file, which a recording does not have.  That of a
        trimmed video still holds the parts that were cut, so viewers get an MP4 instead.
        Only a complete encode becomes one.
        """
        viewer = Viewer.of(viewer)
        if not self.can_play(viewer) or self.status == self.Status.UPLOADING:
            return self.Downloads.OFF
        kind = self.Downloads.SOURCE if self.can_edit(viewer.user) else self.downloads
        is_withheld = not self.source_key or (self.is_trimmed and not self.can_edit(viewer.user))
        if kind == self.Downloads.SOURCE and is_withheld:
            kind = self.Downloads.MP4
        is_absent = kind == self.Downloads.MP4 and self.status != self.Status.READY
        return self.Downloads.OFF if is_absent else kind

    def is_locked_for(self, viewer: Viewer | User | AnonymousUser) -> bool:
        """Return whether ``viewer`` may not watch, but may know that a password or a follow lets them."""
        return self._is_there and self.visibility in self.LOCKED and not self.can_watch(viewer)

    @property
    def _is_there(self) -> bool:
        has_arrived = self.status in (self.Status.PROCESSING, self.Status.READY)
        return has_arrived and not self.withheld and self.channel.owner.is_active

    def _admits(self, viewer: Viewer) -> bool:
        match self.visibility:
            case self.Visibility.PASSWORD:
                return self.has_password and viewer.holds(self.password_key)
            case self.Visibility.FOLLOWERS:
                return viewer.follows(self.channel_id)
        return self.is_open

    def transition(self, status: str, **fields: Any) -> bool:
        """Change the status if the row is still as it was read; return False otherwise.

        Raises ValueError if ``videos.states`` does not allow the change.
        """
        if status not in states.VIDEO.after(self.status):
            raise ValueError(f"{self.status} cannot become {status}")
        moved = Video.objects.filter(pk=self.pk, status=self.status, encode_key=self.encode_key)
        if not moved.update(status=status, **fields):
            return False
        for name, value in {"status": status, **fields}.items():
            setattr(self, name, value)
        return True


class VideoFolder(models.Model):
    """The storage prefix of a video; its row outlives the video's row.

    After any deletion of the video, even by a cascade or by hand, this row stays with
    ``video`` NULL, and the clean-up deletes the objects.
    """

    prefix = models.CharField(max_length=200)
    video = models.OneToOneField(Video, models.SET_NULL, null=True, related_name="folder")

    def __str__(self) -> str:
        return self.prefix
