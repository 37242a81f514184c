"""What happens now: a channel's place to go live, its broadcasts, and what is said there.

A *stream* is the place, which a channel keeps; a *broadcast* is one session on
air.  A publisher that drops and returns within the grace period continues the
same broadcast.  What a broadcast recorded is a ``videos.Video`` from its first
segment on, so rewinding and the replay need no other store.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import Channel, User
from videos.models import Category, Video, new_public_id

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


def new_access_key() -> str:
    return secrets.token_urlsafe(12)


class StreamQuerySet(models.QuerySet["Stream"]):
    def named(self, username: str) -> StreamQuerySet:
        """The stream behind ``/@username/live/``, in whatever case it was typed."""
        return self.filter(channel__owner__username__iexact=username)

    def on_air(self) -> StreamQuerySet:
        """Public streams with a running broadcast: what lists show."""
        return self.filter(
            pk__in=Broadcast.objects.running().values("stream_id"),
            visibility=Video.Visibility.PUBLIC,
            is_suspended=False,
            channel__owner__is_active=True,
        )

    def for_cards(self) -> StreamQuerySet:
        return self.select_related("channel__owner")


class Stream(models.Model):
    """Where a channel goes live: its key, and what the next broadcast will be called."""

    class Latency(models.TextChoices):
        LOW = "low", _("Low")
        NORMAL = "normal", _("Normal")

    channel = models.OneToOneField(Channel, models.CASCADE, related_name="stream", verbose_name=_("channel"))
    title = models.CharField(_("title"), max_length=150, blank=True)
    category = models.CharField(
        _("category"), max_length=20, choices=Category.choices, default=Category.OTHER
    )
    visibility = models.CharField(
        _("visibility"), max_length=12, choices=Video.Visibility.choices, default=Video.Visibility.PUBLIC
    )
    latency = models.CharField(_("latency"), max_length=8, choices=Latency.choices, default=Latency.LOW)
    record = models.BooleanField(_("keep a replay"), default=True)
    is_suspended = models.BooleanField(
        _("suspended"), default=False, help_text=_("May not go live until a moderator allows it again.")
    )

    # SHA-256 of the key: 160 random bits need no salt, and looking one up needs no scan.
    # NULL: many streams have no key, and unique columns allow only NULL more than once.
    key_digest = models.CharField(max_length=64, unique=True, null=True, editable=False)  # noqa: DJ001
    key_created_at = models.DateTimeField(null=True, editable=False)
    key_used_at = models.DateTimeField(null=True, editable=False)

    slow_s = models.PositiveSmallIntegerField(_("seconds between messages"), default=0)
    followers_only = models.BooleanField(_("followers only"), default=False)
    emotes_only = models.BooleanField(_("emotes only"), default=False)

    objects = StreamQuerySet.as_manager()

    class Meta:
        verbose_name = _("stream")
        verbose_name_plural = _("streams")

    def __str__(self) -> str:
        return f"@{self.username}"

    @property
    def username(self) -> str:
        return self.channel.username

    @property
    def room(self) -> str:
        """Names the chat room: user names differ by more than case."""
        return self.username.lower()

    @property
    def shown_title(self) -> str:
        return self.title or _("%(name)s is live") % {"name": self.channel.name}

    def get_absolute_url(self) -> str:
        return reverse("live", args=[self.username])

    def is_owned_by(self, user: User | AnonymousUser) -> bool:
        return self.channel.is_owned_by(user)

    def can_moderate(self, user: User | AnonymousUser) -> bool:
        """Who may act in its chat and end its broadcast."""
        return self.is_owned_by(user) or (user.is_authenticated and user.is_moderator)

    def can_watch(self, user: User | AnonymousUser) -> bool:
        """The one place that decides who may see and hear, read the chat, and know that it exists."""
        if self.can_moderate(user):
            return True
        is_open = self.visibility != Video.Visibility.PRIVATE and not self.is_suspended
        return is_open and self.channel.owner.is_active

    def can_publish(self) -> bool:
        return self.channel.owner.is_active and not self.is_suspended


class BroadcastQuerySet(models.QuerySet["Broadcast"]):
    def running(self) -> BroadcastQuerySet:
        return self.filter(status__in=[Broadcast.Status.LIVE, Broadcast.Status.RECONNECTING])


class Broadcast(models.Model):
    """One session on air, however many times its publisher had to come back."""

    class Status(models.TextChoices):
        LIVE = "live", _("Live")
        RECONNECTING = "reconnecting", _("Reconnecting")
        ENDED = "ended", _("Ended")

    class Ending(models.TextChoices):
        """Why a broadcast ended; only a publisher that said goodbye may come back."""

        UNPUBLISHED = "unpublished", _("The encoder stopped.")
        STOPPED = "stopped", _("Ended in the studio.")
        TIMED_OUT = "timed_out", _("The encoder did not come back.")
        SUSPENDED = "suspended", _("Ended by a moderator.")

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    stream = models.ForeignKey(Stream, models.CASCADE, related_name="broadcasts")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.LIVE, editable=False)
    ending = models.CharField(max_length=12, choices=Ending.choices, blank=True, editable=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    interrupted_at = models.DateTimeField(null=True, help_text="since when we wait for the publisher")

    # Whose bytes count: the newest valid publisher's.  Everything an ingest writes
    # names its connection, so that what an older one still says is ignored.
    connection_id = models.CharField(max_length=32)
    # Names the way to the media of a broadcast that is not for everyone; a new one
    # turns away whoever holds the old.
    access_key = models.CharField(max_length=24, default=new_access_key, editable=False)

    source_json = models.JSONField(null=True, help_text="what arrives: codec, size, rate")
    renditions_json = models.JSONField(default=list, help_text="what leaves, best first")
    recording = models.OneToOneField(Video, models.SET_NULL, null=True, related_name="broadcast")
    # Changed only together with the recording's list, by whoever saw it last: so
    # that no segment is listed twice or left out when an ingest dies.
    recorded_msn = models.BigIntegerField(default=-1, help_text="the last live segment that it lists")
    poster_key = models.CharField(max_length=200, blank=True)
    peak_viewer_count = models.PositiveIntegerField(default=0)

    objects = BroadcastQuerySet.as_manager()

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        ordering = ["-started_at", "-pk"]
        indexes = [
            models.Index(fields=["status", "-started_at"], name="broadcast_status"),
            models.Index(fields=["stream", "-started_at"], name="broadcast_of_stream"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["stream"], condition=~Q(status="ended"), name="broadcast_one_running"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def is_running(self) -> bool:
        return self.status != self.Status.ENDED

    @property
    def access(self) -> str:
        """The path segment that opens its media: ``open`` for what anyone may watch."""
        is_private = self.stream.visibility == Video.Visibility.PRIVATE
        return self.access_key if is_private else "open"

    @property
    def media_path(self) -> str:
        """Where its playlists and parts are served, with a slash at the end."""
        return f"/live-media/{self.public_id}/{self.access}/"

    @property
    def hls_path(self) -> str:
        return f"{self.media_path}multivariant.m3u8"


class ChatMessage(models.Model):
    """What was said, kept for the replay and for moderators; the room itself lives in Redis."""

    public_id = models.CharField(max_length=16, unique=True)
    stream = models.ForeignKey(Stream, models.CASCADE, related_name="messages")
    broadcast = models.ForeignKey(Broadcast, models.SET_NULL, null=True, related_name="messages")
    user = models.ForeignKey(User, models.CASCADE, related_name="chat_messages")
    seq = models.PositiveBigIntegerField(help_text="its place among all events of the room")
    text = models.CharField(max_length=500)
    sent_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)
    deleted_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("chat message")
        verbose_name_plural = _("chat messages")
        ordering = ["-seq"]
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="chat_seq_once")]
        indexes = [models.Index(fields=["broadcast", "sent_at"], name="chat_of_broadcast")]

    def __str__(self) -> str:
        return self.text[:50]


class ChatRestrictionQuerySet(models.QuerySet["ChatRestriction"]):
    def in_force(self, now: datetime) -> ChatRestrictionQuerySet:
        return self.filter(Q(until=None) | Q(until__gt=now))


class ChatRestriction(models.Model):
    """Somebody may not speak in a room: for a time, or (``until`` empty) at all."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="restrictions")
    user = models.ForeignKey(User, models.CASCADE, related_name="chat_restrictions")
    until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    objects = ChatRestrictionQuerySet.as_manager()

    class Meta:
        verbose_name = _("chat restriction")
        verbose_name_plural = _("chat restrictions")
        constraints = [models.UniqueConstraint(fields=["stream", "user"], name="chat_restriction_once")]

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.user_id}"

    def as_json(self) -> dict[str, Any]:
        return {"username": self.user.username, "until": self.until and self.until.isoformat()}
