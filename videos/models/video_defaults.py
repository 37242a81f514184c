"""Upload defaults: the settings with which the videos of a channel begin."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Channel
from videos.models.topics import Category
from videos.models.videos import Video


class VideoDefaults(models.Model):
    """The settings of new videos of a channel; each video changes its own afterwards."""

    # A password belongs to one video.
    VISIBILITIES = [choice for choice in Video.Visibility.choices if choice[0] != Video.Visibility.PASSWORD]

    channel = models.OneToOneField(
        Channel, models.CASCADE, primary_key=True, related_name="video_defaults", verbose_name=_("channel")
    )
    visibility = models.CharField(
        _("visibility"), max_length=12, choices=VISIBILITIES, default=Video.Visibility.PUBLIC
    )
    comments_mode = models.CharField(
        _("comments"), max_length=8, choices=Video.CommentsMode.choices, default=Video.CommentsMode.OPEN
    )
    downloads = models.CharField(
        _("download"), max_length=8, choices=Video.Downloads.choices, default=Video.Downloads.OFF
    )
    clipping = models.CharField(
        _("clips"), max_length=10, choices=Video.Clipping.choices, default=Video.Clipping.EVERYONE
    )
    category = models.CharField(
        _("category"), max_length=20, choices=Category.choices, default=Category.OTHER
    )

    class Meta:
        verbose_name = _("upload defaults")
        verbose_name_plural = _("upload defaults")

    def __str__(self) -> str:
        return str(self.channel)

    @classmethod
    def of(cls, channel: Channel) -> VideoDefaults:
        """Return the defaults of ``channel``, which may be unsaved."""
        return cls.objects.filter(channel=channel).first() or cls(channel=channel)

    @property
    def audience(self) -> dict[str, Any]:
        """Return the fields that set the rights of the viewers of a video."""
        return {name: getattr(self, name) for name in ("comments_mode", "downloads", "clipping")}
