"""Imports of channels from other sites: the list of a site, and the chosen videos of it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Channel
from common.ids import new_public_id
from videos.models.leased_work import LeasedQuerySet, LeasedWork
from videos.models.videos import MAX_TITLE, Video


class ChannelImport(LeasedWork):
    """The list of another site's channel: a row of a queue until a worker has read it."""

    class Kind(models.TextChoices):
        PEERTUBE = "peertube", "PeerTube"
        MEDIACMS = "mediacms", "MediaCMS"
        ARCHIVE = "archive", _("PeerTube export")

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="channel_imports")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    address = models.CharField(max_length=2000)
    # How many videos the site says there are, and how many of them were read.
    total_count = models.PositiveIntegerField(default=0)
    found_count = models.PositiveIntegerField(default=0)
    # The stored archive, until it expires.
    archive_key = models.CharField(max_length=200, blank=True, default="", db_default="")
    archive_expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = LeasedQuerySet["ChannelImport"].as_manager()

    class Meta:
        verbose_name = _("channel import")
        verbose_name_plural = _("channel imports")
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["status", "not_before"], name="channel_import_queue")]

    def __str__(self) -> str:
        return f"{self.channel_id}: {self.address}"

    @property
    def shown_address(self) -> str:
        """Return the address without its query, which may hold a key."""
        return self.address.partition("?")[0]

    @property
    def archive_prefix(self) -> str:
        """Return the prefix of the keys of its archive."""
        return f"imports/{self.public_id}/"

    @property
    def has_expired(self) -> bool:
        return self.archive_expires_at is not None and self.archive_expires_at < timezone.now()


class ImportItem(models.Model):
    """One video of a channel import, listed and perhaps chosen; once begun, its state is the video's."""

    class State(models.TextChoices):
        FOUND = "found", _("Not chosen")
        CHOSEN = "chosen", _("Waiting")
        BEGUN = "begun", _("Begun")
        CANCELED = "canceled", _("Canceled")

    channel_import = models.ForeignKey(ChannelImport, models.CASCADE, related_name="items")
    source_id = models.CharField(max_length=300)
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=MAX_TITLE)
    duration_s = models.FloatField(null=True)
    size_bytes = models.BigIntegerField(null=True)
    published_at = models.DateTimeField(null=True)
    visibility = models.CharField(max_length=12, choices=Video.Visibility.choices)
    # The other fields of ``videos.sites.found.FoundVideo``.
    details = models.JSONField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.FOUND)
    # As it was chosen: else the video is private until its owner publishes it.
    keeps_visibility = models.BooleanField(default=False, db_default=False)
    # The code of the refusal for which a chosen item waits.
    waits_for = models.CharField(max_length=32, blank=True)
    video = models.OneToOneField(Video, models.SET_NULL, null=True, related_name="import_item")

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["channel_import", "source_id"], name="import_item_once")
        ]
        indexes = [
            models.Index(
                fields=["position", "id"], name="import_item_chosen", condition=models.Q(state="chosen")
            )
        ]

    def __str__(self) -> str:
        return self.title
