"""Playlists: ordered lists of videos, and each person's private *watch later*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.viewers import Viewer
from common.ids import new_public_id
from videos.models.videos import MAX_TITLE, Video

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

MAX_PLAYLIST_DESCRIPTION = 1_000


class PlaylistQuerySet(models.QuerySet["Playlist"]):
    def named(self) -> PlaylistQuerySet:
        """Return the playlists that people made, without *watch later*."""
        return self.filter(kind=self.model.Kind.NAMED)

    def listed(self) -> PlaylistQuerySet:
        """Return the playlists for public lists."""
        return self.named().filter(
            visibility=self.model.Visibility.PUBLIC, withheld="", owner__is_active=True
        )


class Playlist(models.Model):
    """Ordered list of videos of any channels; each video keeps its own rule of access."""

    class Kind(models.TextChoices):
        NAMED = "named", _("Playlist")
        WATCH_LATER = "watch_later", _("Watch later")

    class Visibility(models.TextChoices):
        PUBLIC = "public", _("Public")
        UNLISTED = "unlisted", _("Unlisted")
        PRIVATE = "private", _("Private")

    public_id = models.CharField(
        _("public ID"), max_length=16, unique=True, default=new_public_id, editable=False
    )
    owner = models.ForeignKey(User, models.CASCADE, related_name="playlists", verbose_name=_("owner"))
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.NAMED, editable=False)
    title = models.CharField(_("title"), max_length=MAX_TITLE, blank=True)
    description = models.TextField(_("description"), max_length=MAX_PLAYLIST_DESCRIPTION, blank=True)
    visibility = models.CharField(
        _("visibility"), max_length=8, choices=Visibility.choices, default=Visibility.PRIVATE
    )
    withheld = models.CharField(
        _("withheld"), max_length=8, choices=Video.Withheld.choices, blank=True, default="", editable=False
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now_add=True)

    objects = PlaylistQuerySet.as_manager()

    class Meta:
        verbose_name = _("playlist")
        verbose_name_plural = _("playlists")
        ordering = ["-updated_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], condition=Q(kind="watch_later"), name="one_watch_later"
            ),
        ]
        indexes = [models.Index(fields=["owner", "-updated_at", "-id"], name="playlist_of_owner")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("playlist", args=[self.public_id])

    @property
    def name(self) -> str:
        return str(self.Kind.WATCH_LATER.label) if self.is_watch_later else self.title

    @property
    def is_watch_later(self) -> bool:
        return self.kind == self.Kind.WATCH_LATER

    def can_edit(self, user: User | AnonymousUser) -> bool:
        return user.is_authenticated and user.pk == self.owner_id

    def can_see(self, viewer: Viewer | User | AnonymousUser) -> bool:
        """Return whether ``viewer`` may see the list; pages and the API ask this method."""
        viewer = Viewer.of(viewer)
        if self.can_edit(viewer.user):
            return self.withheld != Video.Withheld.REMOVED
        if self.is_watch_later:
            return False
        if viewer.is_moderator:
            return True
        return self.visibility != self.Visibility.PRIVATE and not self.withheld and self.owner.is_active


class PlaylistItem(models.Model):
    """Place of a video in a playlist."""

    playlist = models.ForeignKey(Playlist, models.CASCADE, related_name="items")
    video = models.ForeignKey(Video, models.CASCADE, related_name="+")
    position = models.PositiveIntegerField()
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["playlist", "video"], name="in_playlist_once")]
        indexes = [models.Index(fields=["playlist", "position", "id"], name="playlist_order")]

    def __str__(self) -> str:
        return f"{self.playlist_id}: {self.video_id}"
