"""Playlists: made, filled, ordered and deleted by their owners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Count, Max, OuterRef, Subquery
from django.utils import timezone

from accounts import moderation, sign_up
from accounts.errors import EmailNotConfirmed
from accounts.models import User
from common.words import composed
from videos.models import MAX_PLAYLIST_DESCRIPTION, MAX_TITLE, Playlist, PlaylistItem, Video
from videos.services.errors import (
    MayNotMakePlaylists,
    NotInPlaylist,
    PlaylistFull,
    PlaylistNameless,
    TooManyPlaylists,
    VideoNotThere,
)

if TYPE_CHECKING:
    from accounts.viewers import Viewer

MAX_PLAYLISTS = 200  # of one person
MAX_ITEMS = 500
# Of videos, which a list does not show.
_LONG_FIELDS = ("video__source_json", "video__description")


def create_playlist(
    owner: User, *, title: str, description: str = "", visibility: str = Playlist.Visibility.PRIVATE
) -> Playlist:
    """Return a new, empty playlist.

    Raises MayNotMakePlaylists, EmailNotConfirmed, PlaylistNameless and TooManyPlaylists.
    """
    if not moderation.may_speak(owner):
        raise MayNotMakePlaylists
    if not sign_up.may_take_part(owner):
        raise EmailNotConfirmed
    with transaction.atomic():
        # Locked, so that two playlists at once cannot exceed the bound.
        User.objects.select_for_update().get(pk=owner.pk)
        if Playlist.objects.filter(owner=owner).count() >= MAX_PLAYLISTS:
            raise TooManyPlaylists
        return Playlist.objects.create(
            owner=owner,
            title=_named(title),
            description=composed(description, MAX_PLAYLIST_DESCRIPTION),
            visibility=visibility,
        )


def edit_playlist(
    playlist: Playlist,
    *,
    title: str | None = None,
    description: str | None = None,
    visibility: str | None = None,
) -> Playlist:
    """Change the given fields; *watch later* stays as it is.  Raises PlaylistNameless."""
    if playlist.is_watch_later:
        return playlist
    if title is not None:
        playlist.title = _named(title)
    if description is not None:
        playlist.description = composed(description, MAX_PLAYLIST_DESCRIPTION)
    if visibility is not None:
        playlist.visibility = visibility
    playlist.updated_at = timezone.now()
    playlist.save(update_fields=["title", "description", "visibility", "updated_at"])
    return playlist


def _named(title: str) -> str:
    name = composed(title, MAX_TITLE).strip()
    if not name:
        raise PlaylistNameless
    return name


def delete_playlist(playlist: Playlist) -> None:
    """Delete the playlist; its videos stay.  *Watch later* is emptied instead."""
    if playlist.is_watch_later:
        playlist.items.all().delete()
    else:
        playlist.delete()


def watch_later(user: User) -> Playlist:
    """Return the *watch later* list of ``user``, made on first use."""
    return Playlist.objects.get_or_create(owner=user, kind=Playlist.Kind.WATCH_LATER)[0]


def playlists_of(user: User) -> list[Playlist]:
    """Return *watch later* and the playlists of ``user``, the latest changed first."""
    named = Playlist.objects.named().filter(owner=user).exclude(withheld=Video.Withheld.REMOVED)
    return [watch_later(user), *named.select_related("owner__channel__owner")]


@transaction.atomic
def add_to_playlist(playlist: Playlist, video: Video, viewer: Viewer) -> None:
    """Append a video that the viewer may watch; one that is in the list stays where it is.

    Raises VideoNotThere and PlaylistFull.
    """
    if not video.can_watch(viewer):
        raise VideoNotThere
    Playlist.objects.select_for_update().get(pk=playlist.pk)
    items = PlaylistItem.objects.filter(playlist=playlist)
    if items.filter(video=video).exists():
        return
    if items.count() >= MAX_ITEMS:
        raise PlaylistFull
    last = items.aggregate(last=Max("position"))["last"]
    PlaylistItem.objects.create(playlist=playlist, video=video, position=0 if last is None else last + 1)
    _touch(playlist)


@transaction.atomic
def remove_from_playlist(playlist: Playlist, public_id: str) -> None:
    PlaylistItem.objects.filter(playlist=playlist, video__public_id=public_id).delete()
    _touch(playlist)


@transaction.atomic
def move_in_playlist(playlist: Playlist, public_id: str, *, before: str = "") -> None:
    """Move a video in front of the video ``before``, or to the end.  Raises NotInPlaylist."""
    Playlist.objects.select_for_update().get(pk=playlist.pk)
    items = list(PlaylistItem.objects.filter(playlist=playlist).select_related("video"))
    moved = [item for item in items if item.video.public_id == public_id]
    others = [item for item in items if item.video.public_id != public_id]
    ids = [item.video.public_id for item in others]
    if not moved or (before and before not in ids):
        raise NotInPlaylist
    place = ids.index(before) if before else len(others)
    changed = []
    for position, item in enumerate([*others[:place], *moved, *others[place:]]):
        if item.position != position:
            item.position = position
            changed.append(item)
    PlaylistItem.objects.bulk_update(changed, ["position"])
    _touch(playlist)


def _touch(playlist: Playlist) -> None:
    Playlist.objects.filter(pk=playlist.pk).update(updated_at=timezone.now())


def shown_items(playlist: Playlist, viewer: Viewer) -> list[PlaylistItem]:
    """Return the items whose videos the viewer may watch, in their order."""
    items = list(playlist.items.select_related("video__channel__owner").defer(*_LONG_FIELDS))
    viewer = viewer.for_list(item.video.channel_id for item in items)
    return [item for item in items if item.video.can_watch(viewer)]


@dataclass(frozen=True, slots=True)
class Queue:
    """A playlist beside the video that plays: its items, and the one that follows."""

    playlist: Playlist
    items: Sequence[PlaylistItem]
    place: int

    @property
    def next_item(self) -> PlaylistItem | None:
        return self.items[self.place + 1] if self.place + 1 < len(self.items) else None


def queue_of(public_id: str, video: Video, viewer: Viewer) -> Queue | None:
    """Return the queue of the playlist ``public_id`` at ``video``; None if the viewer sees none with it."""
    if not public_id:
        return None
    playlist = Playlist.objects.select_related("owner").filter(public_id=public_id).first()
    if playlist is None or not playlist.can_see(viewer):
        return None
    items = shown_items(playlist, viewer)
    places = [place for place, item in enumerate(items) if item.video_id == video.pk]
    return Queue(playlist, items, places[0]) if places else None


def covers_of(playlists: Sequence[Playlist], viewer: Viewer) -> list[tuple[Playlist, int, Video | None]]:
    """Return each playlist with its number of videos and the first one, if the viewer may watch it."""
    first = PlaylistItem.objects.filter(playlist=OuterRef("pk")).values("video")[:1]
    rows = Playlist.objects.filter(pk__in=[one.pk for one in playlists])
    counted = {
        pk: (count, video) for pk, count, video in rows.values_list("pk", Count("items"), Subquery(first))
    }
    videos = Video.objects.for_cards().in_bulk([video for _count, video in counted.values() if video])
    shown = {pk: video for pk, video in videos.items() if video.can_watch(viewer)}
    return [(one, counted[one.pk][0], shown.get(counted[one.pk][1])) for one in playlists]


def holding(playlists: Iterable[Playlist], video: Video) -> set[int]:
    """Return the primary keys of the playlists that hold the video."""
    held = PlaylistItem.objects.filter(playlist__in=list(playlists), video=video)
    return set(held.values_list("playlist_id", flat=True))
