"""Models of live streaming: streams, their broadcasts, and chat messages.

A *stream* is a channel's permanent live address; a *broadcast* is one session on
air.  A publisher that drops and returns within the grace period continues the
same broadcast.  The recording is a ``videos.Video`` from its first segment on,
so rewinding and the replay need no other store.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Channel, Decision, User
from common.ids import new_public_id
from videos.models import Category, Video

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


# A broadcast has no password, and its chat no rule for followers but its own mode.
STREAM_VISIBILITIES = [
    (choice.value, choice.label)
    for choice in (Video.Visibility.PUBLIC, Video.Visibility.UNLISTED, Video.Visibility.PRIVATE)
]


def new_access_key() -> str:
    return secrets.token_urlsafe(12)


class StreamQuerySet(models.QuerySet["Stream"]):
    def named(self, username: str) -> StreamQuerySet:
        """Return the stream behind ``/@username/live/``, ignoring case."""
        return self.filter(channel__owner__username__iexact=username)

    def on_air(self) -> StreamQuerySet:
        """Return the streams for lists: public, with a running broadcast."""
        return self.filter(
            pk__in=Broadcast.objects.running().values("stream_id"),
            visibility=Video.Visibility.PUBLIC,
            is_suspended=False,
            channel__owner__is_active=True,
        )

    def for_cards(self) -> StreamQuerySet:
        return self.select_related("channel__owner")


class Stream(models.Model):
    """A channel's live address: its key, and the settings of its broadcasts."""

    class Latency(models.TextChoices):
        LOW = "low", _("Low")
        NORMAL = "normal", _("Normal")

    channel = models.OneToOneField(Channel, models.CASCADE, related_name="stream", verbose_name=_("channel"))
    title = models.CharField(_("title"), max_length=150, blank=True)
    category = models.CharField(
        _("category"), max_length=20, choices=Category.choices, default=Category.OTHER
    )
    visibility = models.CharField(
        _("visibility"), max_length=12, choices=STREAM_VISIBILITIES, default=Video.Visibility.PUBLIC
    )
    latency = models.CharField(_("latency"), max_length=8, choices=Latency.choices, default=Latency.LOW)
    record = models.BooleanField(_("save a replay"), default=True)
    is_suspended = models.BooleanField(
        _("suspended"), default=False, help_text=_("Cannot go live until a moderator allows it again.")
    )

    # SHA-256 of the key: 160 random bits need no salt, and a lookup uses the index.
    # NULL: many streams have no key, and unique columns allow only NULL more than once.
    key_digest = models.CharField(max_length=64, unique=True, null=True, editable=False)  # noqa: DJ001
    key_created_at = models.DateTimeField(_("key created"), null=True, editable=False)
    key_used_at = models.DateTimeField(_("key last used"), null=True, editable=False)

    slow_s = models.PositiveSmallIntegerField(_("seconds between messages"), default=0)
    followers_only = models.BooleanField(_("followers only"), default=False)
    emotes_only = models.BooleanField(_("emoji only"), default=False)

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
        """Return the chat room's name: the username in lower case, which is unique."""
        return self.username.lower()

    @property
    def key_id(self) -> str:
        """Return an identifier of the current key that does not reveal it; empty without a key."""
        return (self.key_digest or "")[:12]

    @property
    def shown_title(self) -> str:
        return self.title or _("%(name)s is live") % {"name": self.channel.name}

    def get_absolute_url(self) -> str:
        return reverse("live", args=[self.username])

    def is_owned_by(self, user: User | AnonymousUser) -> bool:
        return self.channel.is_owned_by(user)

    def can_moderate(self, user: User | AnonymousUser) -> bool:
        """Return True if ``user`` may moderate the chat and end the broadcast."""
        return self.is_owned_by(user) or (user.is_authenticated and user.is_moderator)

    def can_watch(self, user: User | AnonymousUser) -> bool:
        """Return True if ``user`` may watch, read the chat and know that the stream exists.

        Pages, API and chat all decide by this method.
        """
        if self.can_moderate(user):
            return True
        is_open = self.visibility != Video.Visibility.PRIVATE and not self.is_suspended
        return is_open and self.channel.owner.is_active

    def can_publish(self) -> bool:
        return self.channel.owner.is_active and not self.is_suspended


def recording_title(stream: Stream, started_at: datetime) -> str:
    """Return a replay's title: the stream's, or channel name and date if it has none."""
    return stream.title or f"{stream.channel.name} · {started_at:%Y-%m-%d}"


class BroadcastQuerySet(models.QuerySet["Broadcast"]):
    def running(self) -> BroadcastQuerySet:
        return self.filter(status__in=[Broadcast.Status.LIVE, Broadcast.Status.RECONNECTING])


class Broadcast(models.Model):
    """One session on air, including all reconnections of its publisher."""

    class Status(models.TextChoices):
        LIVE = "live", _("Live")
        RECONNECTING = "reconnecting", _("Reconnecting")
        ENDED = "ended", _("Ended")

    class Ending(models.TextChoices):
        """Reason of a broadcast's end; only an unpublished one can continue, within the grace period."""

        UNPUBLISHED = "unpublished", _("The encoder stopped streaming.")
        STOPPED = "stopped", _("Ended from the live studio.")
        TIMED_OUT = "timed_out", _("The encoder did not reconnect.")
        SUSPENDED = "suspended", _("Ended by a moderator.")

    public_id = models.CharField(
        _("public ID"), max_length=16, unique=True, default=new_public_id, editable=False
    )
    stream = models.ForeignKey(Stream, models.CASCADE, related_name="broadcasts", verbose_name=_("stream"))
    status = models.CharField(
        _("status"), max_length=12, choices=Status.choices, default=Status.LIVE, editable=False
    )
    ending = models.CharField(_("ending"), max_length=12, choices=Ending.choices, blank=True, editable=False)
    started_at = models.DateTimeField(_("began"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    interrupted_at = models.DateTimeField(null=True, help_text="since when we wait for the publisher")

    # Last heartbeat of the ingest that publishes or still stores; in SQL, because a
    # full or restarted Redis must not end a broadcast.
    heard_at = models.DateTimeField(null=True)

    # The newest valid publisher's connection.  Every write of an ingest names its
    # connection, so that writes of an older one are ignored.
    connection_id = models.CharField(max_length=32)
    # Number of the publisher, by which Redis refuses edge writes of an older one.
    generation = models.PositiveIntegerField(default=1)
    # First segment of the newest publisher; None until it has opened the edge.
    # Segments that an older one still records lie before it.
    first_msn = models.BigIntegerField(null=True)
    # Secret path segment of a private broadcast's media; a new value invalidates
    # URLs with the old one.
    access_key = models.CharField(max_length=24, default=new_access_key, editable=False)

    # Chosen once: another host continues with the rungs that suited the first host's cores.
    rungs_json = models.JSONField(null=True, help_text="short sides encoded below the source")
    source_json = models.JSONField(null=True, help_text="what arrives: codec, size, rate")
    renditions_json = models.JSONField(default=list, help_text="what leaves, best first")
    recording = models.OneToOneField(
        Video, models.SET_NULL, null=True, related_name="broadcast", verbose_name=_("replay")
    )
    # Changed only together with the recording's segment list, compared with the value
    # read before: so no segment is listed twice or left out if an ingest dies.
    recorded_msn = models.BigIntegerField(default=-1, help_text="the last live segment that it lists")
    poster_key = models.CharField(max_length=200, blank=True)
    peak_viewer_count = models.PositiveIntegerField(_("peak viewers"), default=0)

    objects = BroadcastQuerySet.as_manager()

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        ordering = ["-started_at", "-pk"]
        indexes = [
            models.Index(fields=["status", "-started_at"], name="broadcast_status"),
            models.Index(fields=["stream", "-started_at"], name="broadcast_of_stream"),
            models.Index(fields=["-started_at", "-id"], name="broadcast_started"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["stream"], condition=~Q(status="ended"), name="broadcast_one_running"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream} · {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def is_running(self) -> bool:
        return self.status != self.Status.ENDED

    @property
    def access(self) -> str:
        """Return the path segment that opens the media: ``open``, or the secret one if it is private."""
        is_private = self.stream.visibility == Video.Visibility.PRIVATE
        return self.access_key if is_private else "open"

    @property
    def media_path(self) -> str:
        """Return the path of its playlists and parts, with a slash at the end."""
        return f"/live-media/{self.public_id}/{self.access}/"

    @property
    def hls_path(self) -> str:
        return f"{self.media_path}multivariant.m3u8"


class ChatMessage(models.Model):
    """Chat message, kept for the replay and for moderators; the live room is in Redis."""

    public_id = models.CharField(_("public ID"), max_length=16, unique=True)
    stream = models.ForeignKey(Stream, models.CASCADE, related_name="messages", verbose_name=_("stream"))
    broadcast = models.ForeignKey(
        Broadcast, models.SET_NULL, null=True, related_name="messages", verbose_name=_("broadcast")
    )
    user = models.ForeignKey(User, models.CASCADE, related_name="chat_messages", verbose_name=_("person"))
    seq = models.PositiveBigIntegerField(help_text="its place among all events of the room")
    text = models.CharField(_("text"), max_length=500)
    sent_at = models.DateTimeField(_("sent"))
    deleted_at = models.DateTimeField(_("removed"), null=True)
    deleted_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("removed by")
    )

    class Meta:
        verbose_name = _("chat message")
        verbose_name_plural = _("chat messages")
        ordering = ["-seq"]
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="chat_seq_once")]
        indexes = [
            models.Index(fields=["broadcast", "sent_at"], name="chat_of_broadcast"),
            models.Index(fields=["sent_at"], name="chat_sent"),
        ]

    def __str__(self) -> str:
        return self.text[:50]


class ChatRestrictionQuerySet(models.QuerySet["ChatRestriction"]):
    def in_force(self, now: datetime) -> ChatRestrictionQuerySet:
        return self.filter(Q(until=None) | Q(until__gt=now))


class ChatRestriction(models.Model):
    """Restriction of a person in one room: a time-out, or a ban if ``until`` is empty."""

    stream = models.ForeignKey(Stream, models.CASCADE, related_name="restrictions", verbose_name=_("stream"))
    user = models.ForeignKey(User, models.CASCADE, related_name="chat_restrictions", verbose_name=_("person"))
    until = models.DateTimeField(_("until"), null=True, blank=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("moderator")
    )
    # The decision that made it; restrictions older than the trail have none.
    decision = models.OneToOneField(Decision, models.PROTECT, null=True, related_name="chat_restriction")

    objects = ChatRestrictionQuerySet.as_manager()

    class Meta:
        verbose_name = _("chat restriction")
        verbose_name_plural = _("chat restrictions")
        constraints = [models.UniqueConstraint(fields=["stream", "user"], name="chat_restriction_once")]

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.user_id}"

    @property
    def is_in_force(self) -> bool:
        return self.until is None or self.until > timezone.now()

    def as_json(self) -> dict[str, Any]:
        return {"username": self.user.username, "until": self.until and self.until.isoformat()}
