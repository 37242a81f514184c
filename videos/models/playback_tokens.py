"""Playback tokens: permissions for pages of other sites to play a video that is not open."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.ids import new_public_id
from videos.models.videos import Video


class PlaybackTokenQuerySet(models.QuerySet["PlaybackToken"]):
    def in_force(self) -> PlaybackTokenQuerySet:
        return self.filter(expires_at__gt=timezone.now())


class PlaybackToken(models.Model):
    """Permission of some domains to play one video in a frame; its secret is stored as a digest."""

    public_id = models.CharField(
        _("public ID"), max_length=16, unique=True, default=new_public_id, editable=False
    )
    video = models.ForeignKey(Video, models.CASCADE, related_name="playback_tokens")
    # SHA-256: 192 random bits need no salt, and a lookup uses the index.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    domains = models.JSONField(_("domains"), default=list)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))

    objects = PlaybackTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("playback token")
        verbose_name_plural = _("playback tokens")
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["expires_at"], name="playback_token_expiry")]

    def __str__(self) -> str:
        return ", ".join(self.domains)

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()
