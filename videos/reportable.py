"""Videos and clips as content that people can report: find, show at the desk, hide, remove, restore."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from accounts import moderation
from videos.models import Clip, Playlist, Video
from videos.services.clips import clip_playback, excerpt_of
from videos.services.watching import playback

if TYPE_CHECKING:
    from accounts.models import User
    from accounts.viewers import Viewer


def find_video(public_id: str, asker: Viewer) -> Video | None:
    video = Video.objects.for_cards().prefetch_related("tags").filter(public_id=public_id).first()
    if video is None or not video.can_watch(asker):
        return None
    # Only owners and moderators may see an upload under way.
    is_there = video.status != Video.Status.UPLOADING or video.can_moderate(asker.user)
    return video if is_there else None


def text_of(video: Video) -> str:
    tags = " ".join(f"#{tag.name}" for tag in video.tags.all())
    return "\n\n".join(filter(None, [video.title, video.description, tags]))


def withhold(video: Video, _by: User, *, state: str) -> None:
    """Set the moderators' decision; it applies to the next playlist request, and ``""`` undoes it."""
    Video.objects.filter(pk=video.pk).update(withheld=state)


def find_clip(public_id: str, asker: Viewer) -> Clip | None:
    clip = Clip.objects.for_cards().filter(public_id=public_id).first()
    return clip if clip and clip.can_watch(asker) else None


def withhold_clip(clip: Clip, _by: User, *, state: str) -> None:
    """Set the moderators' decision about a clip; its video is left alone."""
    Clip.objects.filter(pk=clip.pk).update(withheld=state)


def context_of_clip(clip: Clip) -> dict[str, Any]:
    """Return the context of the player template."""
    excerpt = excerpt_of(clip)
    return {
        "clip": clip,
        "video": clip.video,
        "playback": clip_playback(clip, excerpt) if excerpt else None,
    }


def context_of(video: Video) -> dict[str, Any]:
    """Return the context of the player template."""
    return {"video": video, "playback": playback(video), "channel": video.channel}


def register_video() -> None:
    moderation.register(
        moderation.Kind(
            name="video",
            label=_("Video"),
            preview="admin/previews/video.html",
            find=find_video,
            author=lambda video: video.channel.owner,
            title=lambda video: video.title,
            text=text_of,
            url=lambda video: video.get_absolute_url(),
            hide=partial(withhold, state=Video.Withheld.HIDDEN),
            remove=partial(withhold, state=Video.Withheld.REMOVED),
            restore=partial(withhold, state=""),
            context=context_of,
        )
    )


def find_playlist(public_id: str, asker: Viewer) -> Playlist | None:
    playlist = Playlist.objects.select_related("owner").filter(public_id=public_id).first()
    return playlist if playlist and playlist.can_see(asker) else None


def withhold_playlist(playlist: Playlist, _by: User, *, state: str) -> None:
    """Set the moderators' decision about a playlist; its videos are left alone."""
    Playlist.objects.filter(pk=playlist.pk).update(withheld=state)


def register_playlist() -> None:
    moderation.register(
        moderation.Kind(
            name="playlist",
            label=_("Playlist"),
            preview="admin/previews/playlist.html",
            find=find_playlist,
            author=lambda playlist: playlist.owner,
            title=lambda playlist: playlist.name,
            text=lambda playlist: "\n\n".join(filter(None, [playlist.name, playlist.description])),
            url=lambda playlist: playlist.get_absolute_url(),
            hide=partial(withhold_playlist, state=Video.Withheld.HIDDEN),
            remove=partial(withhold_playlist, state=Video.Withheld.REMOVED),
            restore=partial(withhold_playlist, state=""),
            context=lambda playlist: {"playlist": playlist},
        )
    )


def register_clip() -> None:
    moderation.register(
        moderation.Kind(
            name="clip",
            label=_("Clip"),
            preview="admin/previews/clip.html",
            find=find_clip,
            author=lambda clip: clip.maker,
            title=lambda clip: clip.title,
            text=lambda clip: clip.title,
            url=lambda clip: clip.get_absolute_url(),
            hide=partial(withhold_clip, state=Video.Withheld.HIDDEN),
            remove=partial(withhold_clip, state=Video.Withheld.REMOVED),
            restore=partial(withhold_clip, state=""),
            context=context_of_clip,
        )
    )
