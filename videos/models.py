"""Videos, and the work that makes them playable.

SQL is the queue of record: every unit of work is a :class:`Job` row, claimed by
a conditional UPDATE and fenced by its attempt; Celery only wakes workers.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.contenttypes.fields import GenericRelation
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Channel, User
from comments.models import Comment, Danmaku
from videos.languages import language_name
from videos.transcoding.source import SourceInfo

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

# No vowels and no look-alikes: an id is never a word and survives being read aloud.
_ID_ALPHABET = "23456789bcdfghjkmnpqrstvwxzBCDFGHJKMNPQRSTVWXZ"


def new_public_id() -> str:
    """Eleven characters, 60 bits: opaque, and not to be guessed."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(11))


def new_encode_key() -> str:
    return secrets.token_hex(6)


class Category(models.TextChoices):
    ANIMATION = "animation", _("Animation")
    EDUCATION = "education", _("Education")
    ENTERTAINMENT = "entertainment", _("Entertainment")
    FILM = "film", _("Film")
    FOOD = "food", _("Food")
    GAMING = "gaming", _("Gaming")
    MUSIC = "music", _("Music")
    NEWS = "news", _("News")
    PEOPLE = "people", _("People")
    SCIENCE = "science", _("Science & technology")
    SPORTS = "sports", _("Sports")
    TRAVEL = "travel", _("Travel")
    OTHER = "other", _("Other")


class Tag(models.Model):
    name = models.CharField(max_length=40, unique=True)

    def __str__(self) -> str:
        return self.name


class VideoQuerySet(models.QuerySet["Video"]):
    def visible_to(self, user: User | AnonymousUser) -> VideoQuerySet:
        """Whatever ``user`` may watch when holding the link; lists use :meth:`listed`."""
        if user.is_authenticated and user.is_moderator:
            return self
        open_to_all = Q(visibility__in=[Video.Visibility.PUBLIC, Video.Visibility.UNLISTED])
        is_there = Q(status__in=[Video.Status.PROCESSING, Video.Status.READY], withheld="")
        reachable = open_to_all & is_there & Q(channel__owner__is_active=True)
        if user.is_authenticated:
            reachable |= Q(channel__owner=user) & ~Q(withheld=Video.Withheld.REMOVED)
        return self.filter(reachable)

    def kept(self) -> VideoQuerySet:
        """All but what moderators removed: what an owner still has."""
        return self.exclude(withheld=Video.Withheld.REMOVED)

    def listed(self) -> VideoQuerySet:
        """Public and playable: what home, search and channel pages show."""
        return self.filter(
            visibility=Video.Visibility.PUBLIC, is_playable=True, withheld="", channel__owner__is_active=True
        ).exclude(status=Video.Status.FAILED)

    def for_cards(self) -> VideoQuerySet:
        """Everything a card shows, in one query."""
        return self.select_related("channel__owner")

    def matching(self, words: str) -> VideoQuerySet:
        """Every word occurs in the title, the description, a tag or the channel's name."""
        found = self
        for word in words.split()[:8]:
            found = found.filter(
                Q(title__icontains=word)
                | Q(description__icontains=word)
                | Q(channel__display_name__icontains=word)
                | Q(channel__owner__username__icontains=word)
                | Q(pk__in=Video.tags.through.objects.filter(tag__name__icontains=word).values("video_id"))
            )
        return found

    def of_length(self, length: str) -> VideoQuerySet:
        """``short`` is under 4 minutes, ``medium`` reaches to 20, ``long`` is above."""
        bounds = {
            "short": Q(duration_s__lt=240),
            "medium": Q(duration_s__gte=240, duration_s__lte=1200),
            "long": Q(duration_s__gt=1200),
        }
        return self.filter(bounds[length])


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

    class Withheld(models.TextChoices):
        """What moderators did with it; its owner's visibility stays as it was, and counts again later."""

        HIDDEN = "hidden", _("Hidden by moderators")
        REMOVED = "removed", _("Removed by moderators")

    class CommentsMode(models.TextChoices):
        """What becomes of a new comment."""

        OPEN = "open", _("Everyone may comment")
        HELD = "held", _("I look at comments first")
        CLOSED = "closed", _("No new comments")

    class Failure(models.TextChoices):
        """Why a video failed: the code a program reads, the sentence its owner reads."""

        EMPTY_FILE = "empty_file", _("The file is empty. Export it again and upload the new file.")
        NOT_MEDIA = "not_media", _("This is not a video file we can read. Export it as MP4 and try again.")
        NO_STREAMS = (
            "no_streams",
            _("This file has no picture or sound in it. Export it as MP4 and try again."),
        )
        UNSUPPORTED_CODEC = (
            "unsupported_codec",
            _("We cannot read the format inside this file. Export it as MP4 (H.264) and try again."),
        )
        ENCRYPTED = "encrypted", _("This file is copy-protected. Upload one without protection.")
        LIMITS_EXCEEDED = "limits_exceeded", _("This file is larger, longer or more complex than we accept.")
        REFERENCES_OUTSIDE = (
            "references_outside",
            _("This file only points to other files. Upload the video itself."),
        )
        DECODE_FAILED = (
            "decode_failed",
            _("The picture in this file is damaged. Export it again and try again."),
        )
        STORAGE_FAILED = (
            "storage_failed",
            _("We could not store this video. Nothing is lost: please try again."),
        )
        ENCODE_FAILED = (
            "encode_failed",
            _("We could not convert this video. Nothing is lost: please try again."),
        )

    # What may follow what; ``transition`` is the only way to change a status.
    TRANSITIONS: dict[str, frozenset[str]] = {
        Status.UPLOADING: frozenset({Status.PROCESSING}),
        Status.PROCESSING: frozenset({Status.READY, Status.FAILED}),
        Status.FAILED: frozenset({Status.PROCESSING}),
        Status.READY: frozenset({Status.PROCESSING}),
    }

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="videos", verbose_name=_("channel"))
    title = models.CharField(_("title"), max_length=150)
    description = models.TextField(_("description"), max_length=5000, blank=True)
    category = models.CharField(
        _("category"), max_length=20, choices=Category.choices, default=Category.OTHER
    )
    tags = models.ManyToManyField(Tag, blank=True, related_name="videos", verbose_name=_("tags"))
    visibility = models.CharField(
        _("visibility"), max_length=12, choices=Visibility.choices, default=Visibility.PUBLIC
    )
    withheld = models.CharField(
        _("withheld"), max_length=8, choices=Withheld.choices, blank=True, default="", editable=False
    )
    comments_mode = models.CharField(
        _("comments"), max_length=8, choices=CommentsMode.choices, default=CommentsMode.OPEN
    )
    status = models.CharField(
        _("status"), max_length=12, choices=Status.choices, default=Status.UPLOADING, editable=False
    )
    failure_code = models.CharField(max_length=32, choices=Failure.choices, blank=True, editable=False)
    failure_detail = models.CharField(max_length=300, blank=True, editable=False)

    source_key = models.CharField(max_length=200, blank=True, editable=False)
    source_filename = models.CharField(max_length=255, blank=True, editable=False)
    source_size_bytes = models.BigIntegerField(default=0, editable=False)
    source_json = models.JSONField(null=True, editable=False)

    # Names the objects of one encode, so that a second never overwrites the first.
    encode_key = models.CharField(max_length=16, default=new_encode_key, editable=False)
    is_playable = models.BooleanField(default=False, editable=False)
    duration_s = models.FloatField(null=True, editable=False)
    width_px = models.PositiveIntegerField(null=True, editable=False)
    height_px = models.PositiveIntegerField(null=True, editable=False)
    poster_key = models.CharField(max_length=200, blank=True, editable=False)

    view_count = models.PositiveBigIntegerField(default=0, editable=False)
    like_count = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, editable=False)

    comments = GenericRelation(Comment, object_id_field="target_id", content_type_field="target_type")
    danmaku = GenericRelation(Danmaku, object_id_field="target_id", content_type_field="target_type")

    objects = VideoQuerySet.as_manager()

    class Meta:
        verbose_name = _("video")
        verbose_name_plural = _("videos")
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["visibility", "is_playable", "-published_at", "-id"], name="video_listing"),
            models.Index(fields=["visibility", "is_playable", "-view_count", "-id"], name="video_popular"),
            models.Index(fields=["channel", "-created_at", "-id"], name="video_of_channel"),
            models.Index(fields=["created_at"], name="video_created"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("watch", args=[self.public_id])

    @property
    def source(self) -> SourceInfo | None:
        return SourceInfo.from_json(self.source_json) if self.source_json else None

    @property
    def prefix(self) -> str:
        """Where every object of this video lies in the bucket."""
        return f"videos/{self.public_id}/"

    @property
    def encode_prefix(self) -> str:
        return f"{self.prefix}{self.encode_key}/"

    @property
    def is_recording(self) -> bool:
        """Whether it arrived encoded, as a broadcast: there is no source to encode again."""
        return not self.source_key and self.status != self.Status.UPLOADING

    @property
    def is_portrait(self) -> bool:
        return bool(self.width_px and self.height_px and self.height_px > self.width_px)

    @property
    def has_picture(self) -> bool:
        return bool(self.width_px)

    @property
    def failure_sentence(self) -> str:
        """What went wrong and what to do, for the owner to read."""
        if self.failure_detail:
            return self.failure_detail
        return str(self.Failure(self.failure_code).label) if self.failure_code else ""

    @property
    def comments_open(self) -> bool:
        return self.comments_mode != self.CommentsMode.CLOSED

    @property
    def comments_held(self) -> bool:
        """Whether new comments wait until the creator has looked at them."""
        return self.comments_mode == self.CommentsMode.HELD

    def can_edit(self, user: User | AnonymousUser) -> bool:
        return self.channel.is_owned_by(user)

    def can_moderate(self, user: User | AnonymousUser) -> bool:
        return self.can_edit(user) or (user.is_authenticated and user.is_moderator)

    def can_watch(self, user: User | AnonymousUser) -> bool:
        """The one place that decides who may see a video, down to its segments."""
        if user.is_authenticated and user.is_moderator:
            return True
        if self.can_edit(user):
            return self.withheld != self.Withheld.REMOVED
        is_there = self.status in (self.Status.PROCESSING, self.Status.READY) and not self.withheld
        return is_there and self.visibility != self.Visibility.PRIVATE and self.channel.owner.is_active

    def transition(self, status: str, **fields: Any) -> bool:
        """Move to ``status`` if the row is still where we saw it; false if someone was faster."""
        if status not in self.TRANSITIONS[self.status]:
            raise ValueError(f"{self.status} cannot become {status}")
        moved = Video.objects.filter(pk=self.pk, status=self.status, encode_key=self.encode_key)
        if not moved.update(status=status, **fields):
            return False
        for name, value in {"status": status, **fields}.items():
            setattr(self, name, value)
        return True


class Upload(models.Model):
    """A source on its way from the browser to the bucket: one S3 multipart upload."""

    video = models.OneToOneField(Video, models.CASCADE, related_name="upload")
    multipart_id = models.CharField(max_length=1024)
    size_bytes = models.BigIntegerField()
    part_size_bytes = models.BigIntegerField()
    part_count = models.PositiveIntegerField(validators=[MaxValueValidator(10_000)])
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.video.public_id}: {self.part_count} × {self.part_size_bytes}"

    def part_size(self, number: int) -> int:
        """Bytes of part ``number`` (from 1); only the last may be smaller."""
        if number < self.part_count:
            return self.part_size_bytes
        return self.size_bytes - self.part_size_bytes * (self.part_count - 1)


class Rendition(models.Model):
    """One encoded rung, or one audio track: what one media playlist lists."""

    class Kind(models.TextChoices):
        VIDEO = "video"
        AUDIO = "audio"

    video = models.ForeignKey(Video, models.CASCADE, related_name="renditions")
    encode_key = models.CharField(max_length=16)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    position = models.PositiveSmallIntegerField(help_text="best rung first; tracks in the source's order")
    name = models.CharField(max_length=16, help_text="names its folder and its playlist: 1080p, audio-0")
    width_px = models.PositiveIntegerField(default=0)
    height_px = models.PositiveIntegerField(default=0)
    frame_rate = models.FloatField(default=0)
    bitrate_bps = models.PositiveIntegerField()
    codecs = models.CharField(max_length=40, blank=True)
    language = models.CharField(max_length=16, blank=True)
    label = models.CharField(max_length=100, blank=True)
    channels = models.PositiveSmallIntegerField(default=0)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering = ["kind", "position"]
        constraints = [models.UniqueConstraint(fields=["video", "encode_key", "name"], name="rendition_once")]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.name}"


class CaptionTrack(models.Model):
    """Captions in one language: a WebVTT file of ours, made of what somebody uploaded."""

    video = models.ForeignKey(Video, models.CASCADE, related_name="captions")
    language = models.CharField(max_length=35, help_text="RFC 5646, in its usual case: en, pt-BR, zh-Hans")
    key = models.CharField(max_length=200)
    cue_count = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("captions")
        verbose_name_plural = _("captions")
        ordering = ["language"]
        constraints = [models.UniqueConstraint(fields=["video", "language"], name="captions_once")]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.language}"

    @property
    def label(self) -> str:
        """The language by its own name, as players offer it."""
        return language_name(self.language)


class JobQuerySet(models.QuerySet["Job"]):
    def claimable(self) -> JobQuerySet:
        """Waiting, and due; or running under a lease that has run out."""
        now = timezone.now()
        return self.filter(
            Q(status=Job.Status.WAITING, not_before__lte=now)
            | Q(status=Job.Status.RUNNING, lease_until__lt=now)
        )

    def held(self, job: Job) -> JobQuerySet:
        """The row of ``job`` as long as this attempt still holds the lease."""
        return self.filter(pk=job.pk, status=Job.Status.RUNNING, attempt=job.attempt)


class Job(models.Model):
    """One unit of work on a video: plan it, encode a chunk of its picture, or a whole audio track."""

    class Kind(models.TextChoices):
        PLAN = "plan", _("Plan")
        POSTER = "poster", _("Poster")
        AUDIO = "audio", _("Audio")
        VIDEO = "video", _("Picture")

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    class Lane(models.IntegerChoices):
        """First work makes a video playable and has workers of its own; bulk completes it."""

        FIRST = 0, _("first")
        BULK = 1, _("bulk")

    video = models.ForeignKey(Video, models.CASCADE, related_name="jobs")
    encode_key = models.CharField(max_length=16)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    position = models.PositiveIntegerField(default=0, help_text="number of the chunk or of the audio track")
    lane = models.PositiveSmallIntegerField(choices=Lane.choices, default=Lane.BULK)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)

    first_segment = models.PositiveIntegerField(default=0)
    segment_count = models.PositiveIntegerField(null=True, help_text="empty: until the source ends")
    start_s = models.FloatField(default=0)
    length_s = models.FloatField(default=0)

    attempt = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=100, blank=True)
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=32, blank=True)
    error_detail = models.TextField(blank=True)

    # Durations (s) of the segments that lie in the bucket under this attempt, in
    # order; a chunk's are the same in every rung.
    segments = models.JSONField(default=list)
    bytes_stored = models.BigIntegerField(default=0)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "position"]
        constraints = [
            models.UniqueConstraint(fields=["video", "encode_key", "kind", "position"], name="job_once"),
        ]
        indexes = [
            models.Index(fields=["status", "lane", "not_before"], name="job_queue"),
            models.Index(fields=["claimed_at"], name="job_claimed"),
        ]

    def __str__(self) -> str:
        return f"{self.video_id}: {self.kind} {self.position}"

    def renew_lease(self, **fields: Any) -> bool:
        """Say that this attempt is alive, and what it has done; false if it has lost the lease."""
        until = timezone.now() + timedelta(seconds=settings.ENCODE_LEASE_S)
        return Job.objects.held(self).update(lease_until=until, **fields) == 1


class Like(models.Model):
    video = models.ForeignKey(Video, models.CASCADE, related_name="likes")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["video", "user"], name="like_once")]

    def __str__(self) -> str:
        return f"{self.user_id} ♥ {self.video_id}"


class DoomedPrefix(models.Model):
    """Objects to delete: kept in SQL until the bucket has nothing left under the prefix.

    A worker that had not heard of the deletion may still write for as long as its
    lease, so a prefix is emptied once at once and again at ``last_pass_at``.
    """

    prefix = models.CharField(max_length=200)
    last_pass_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.prefix
