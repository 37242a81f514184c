"""Clips: named sections of a video, made by its viewers, without bytes of their own but a poster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.viewers import Viewer
from common.ids import new_public_id
from videos.models.videos import MAX_TITLE, Video

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import AnonymousUser

MIN_CLIP_S = 5.0
MAX_CLIP_S = 180.0


class ClipQuerySet(models.QuerySet["Clip"]):
    def shown(self) -> ClipQuerySet:
        """Return the clips that moderators and trims left alone, of makers who are not locked."""
        return self.filter(withheld="", is_cut=False, maker__is_active=True)

    def listed(self) -> ClipQuerySet:
        """Return the clips for public lists: those of listed videos."""
        return self.shown().filter(video__in=Video.objects.listed())

    def older_than(self, created_at: datetime, pk: int) -> ClipQuerySet:
        """Return the clips after a row of a list that begins with the newest."""
        return self.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=pk))

    def for_cards(self) -> ClipQuerySet:
        """Join the video, its channel and the maker, so that a list of cards takes one query."""
        return self.select_related("video__channel__owner", "maker__channel__owner")


class Clip(models.Model):
    """Section of a video with a title and an address of its own.

    Its times are those of the video.  It is played from the segments of the video's
    current encode, so it survives another encode, and follows every change of access.
    """

    public_id = models.CharField(
        _("public ID"), max_length=16, unique=True, default=new_public_id, editable=False
    )
    # Empty once the video is deleted: the page then answers 410.
    video = models.ForeignKey(
        Video, models.SET_NULL, null=True, related_name="clips", verbose_name=_("video")
    )
    maker = models.ForeignKey(User, models.CASCADE, related_name="clips", verbose_name=_("clipped by"))
    title = models.CharField(_("title"), max_length=MAX_TITLE)
    start_s = models.FloatField(_("start (s)"), editable=False)
    end_s = models.FloatField(_("end (s)"), editable=False)
    # The video was trimmed, and too little of the clip is left; its times are those of the source.
    is_cut = models.BooleanField(default=False, db_default=False, editable=False)
    # Drawn by a worker; until then the video's poster stands for it.
    poster_key = models.CharField(max_length=200, blank=True, default="", editable=False)
    withheld = models.CharField(
        _("withheld"), max_length=8, choices=Video.Withheld.choices, blank=True, default="", editable=False
    )
    view_count = models.PositiveBigIntegerField(_("views"), default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ClipQuerySet.as_manager()

    class Meta:
        verbose_name = _("clip")
        verbose_name_plural = _("clips")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(start_s__gte=0, end_s__gt=F("start_s")), name="clip_times"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="clip_created"),
            models.Index(fields=["video", "-view_count", "-id"], name="clip_popular"),
            models.Index(fields=["video", "-created_at", "-id"], name="clip_of_video"),
            models.Index(fields=["maker", "-created_at", "-id"], name="clip_of_maker"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("clip", args=[self.public_id])

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def source_url(self) -> str:
        """Return the address of the video at the moment where the clip begins."""
        return f"{self.video.get_absolute_url()}?t={int(self.start_s)}" if self.video else ""

    @property
    def shown_poster_key(self) -> str:
        if self.is_cut:
            return ""
        return self.poster_key or (self.video.poster_key if self.video else "")

    def can_watch(self, viewer: Viewer | User | AnonymousUser) -> bool:
        """Return whether ``viewer`` may watch; pages, playlists and the API ask this method.

        A viewer without access to the video has none to its clips.
        """
        viewer = Viewer.of(viewer)
        return self.video is not None and self._is_shown_to(viewer) and self.video.can_play(viewer)

    def is_locked_for(self, viewer: Viewer | User | AnonymousUser) -> bool:
        """Return whether a password or a follow would let ``viewer`` watch."""
        viewer = Viewer.of(viewer)
        return self.video is not None and self._is_shown_to(viewer) and self.video.is_locked_for(viewer)

    def _is_shown_to(self, viewer: Viewer) -> bool:
        if viewer.is_moderator:
            return True
        if viewer.user.pk == self.maker_id:
            return self.withheld != Video.Withheld.REMOVED
        return not self.withheld and self.maker.is_active

    def can_edit(self, user: User | AnonymousUser) -> bool:
        return user.is_authenticated and user.pk == self.maker_id

    def can_delete(self, user: User | AnonymousUser) -> bool:
        """Return whether ``user`` made the clip, owns its video, or is a moderator."""
        return self.can_edit(user) or (self.video is not None and self.video.can_moderate(user))
