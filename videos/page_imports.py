"""Imports from pages: the video that yt-dlp finds there, and the words of the page about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from django.conf import settings

from common import deletion, disk
from common.words import composed, one_line, printable
from videos import caption_tracks
from videos.imported_files import check_disk, check_quota, check_size, parts_of, store
from videos.languages import canonical_tag, spoken_tag
from videos.models import MAX_DESCRIPTION, MAX_TITLE, CaptionTrack, Job, Video
from videos.pages.reading import FetchedPage, is_confined, is_installed, read_page
from videos.tagging import set_tags
from videos.transcoding import chapters
from videos.transcoding.caption_conversion import convert
from videos.transcoding.captions import MAX_BYTES, UnreadableCaptions
from videos.transcoding.chapters import Chapter
from videos.transcoding.errors import (
    FetchRefused,
    FFmpegFailed,
    LimitsExceeded,
    NoRoomToStore,
    TranscodeError,
)
from videos.transcoding.ffmpeg import merge_args
from videos.transcoding.run import run_remux
from videos.transcoding.sniff import HEAD_BYTES, sniff

logger = logging.getLogger(__name__)

# The files of a page, and the one that they are joined to.
ROOM_FACTOR = 2
# Containers of the joined file: Matroska holds the codecs that MP4 does not.
CONTAINERS = ("mp4", "matroska")


def has_reader() -> bool:
    """Return whether pages are read here, by the setting and the installed packages."""
    return settings.IMPORT_PAGES and is_installed()


def is_possible() -> bool:
    """Return whether this machine reads pages: by setting, package and kernel."""
    return has_reader() and is_confined()


def store_page(
    job: Job, key: str, timeout_s: float, on_progress: Callable[[float], None]
) -> tuple[int, FetchedPage]:
    """Fetch the video of a page, store it with its captions, and return its size and the words of the page.

    Raises FetchFailed, LimitsExceeded, NoRoomToStore, LeaseLost and errors of storage.
    """
    if not is_possible():
        page = "not_confined" if has_reader() else "not_installed"
        raise FetchRefused("the address leads to a page", page=page)
    video = job.video
    room_bytes = (disk.measure().free_bytes - settings.WORK_FLOOR_BYTES) // ROOM_FACTOR
    most_bytes = min(settings.MAX_UPLOAD_BYTES, room_bytes)
    if most_bytes <= 0:
        raise NoRoomToStore("disk")
    with disk.workspace() as folder:
        try:
            found = read_page(
                video.import_url,
                folder,
                timeout_s=timeout_s,
                most_bytes=most_bytes,
                allowed=settings.IMPORT_NETWORKS,
                on_progress=on_progress,
            )
        except LimitsExceeded as error:
            if error.parameters.get("limit") == "size_bytes" and room_bytes < settings.MAX_UPLOAD_BYTES:
                raise NoRoomToStore("disk") from error
            raise
        path = joined(found.media, folder)
        size_bytes = path.stat().st_size
        check_size(size_bytes)
        check_disk(size_bytes)
        check_quota(video, size_bytes)
        store(key, parts_of(path))
        if video.edition_of is None:
            for language, file in found.subtitles:
                # Those that are too large stay out, as those of uploads do.
                if file.stat().st_size <= MAX_BYTES:
                    store_captions(video, language, file.read_bytes())
    return size_bytes, found


def joined(media: tuple[Path, ...], folder: Path) -> Path:
    """Return one file with the video and the audio of ``media``.

    Transport streams and fragments are written as MP4, whose table of samples lets them be
    copied.  Raises FFmpegFailed if two files cannot be joined, and NotMedia.
    """
    demuxers = []
    for path in media:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        demuxers.append((path, sniff(head)))
        is_whole = demuxers[-1][1] != "mpegts" and b"mvex" not in head
    if len(media) == 1 and is_whole:
        return media[0]
    most_bytes = 2 * sum(path.stat().st_size for path in media) + 1024**2
    for container in CONTAINERS:
        try:
            path = folder / f"joined-{container}"
            return run_remux(merge_args(demuxers, path, container), path, max_bytes=most_bytes)
        except FFmpegFailed as error:
            failure = error
    if len(media) == 1:
        return media[0]
    raise failure


def store_captions(video: Video, language: str, data: bytes) -> None:
    """Make subtitles of another site the captions of a video, unless it has some in their language."""
    tag = canonical_tag(spoken_tag(language))
    if tag is None or len(data) > MAX_BYTES:
        return
    try:
        converted = convert(data, language=tag)
    except (UnreadableCaptions, TranscodeError) as error:
        logger.info(
            "Subtitles hold no captions", extra={"video": video.public_id, "reason": str(error)[:100]}
        )
        return
    key = caption_tracks.put(video, tag, converted.webvtt)
    try:
        caption_tracks.record_ours(video, tag, key, converted, CaptionTrack.Origin.IMPORTED)
    except caption_tracks.TracksFull:
        deletion.delete_later(key)


def describe(video: Video, page: FetchedPage, unnamed: str) -> None:
    """Give a new video the page's title, description and tags, in the caller's transaction.

    Words that its owner has written since stay; ``unnamed`` is the title of a video without one.
    """
    if video.edition_of_id:
        return
    found = Video.objects.select_for_update().get(pk=video.pk)
    changed = []
    if found.title == unnamed and (title := one_line(page.title, MAX_TITLE)):
        found.title = title
        changed.append("title")
    if not found.description and (
        text := with_chapters(printable(page.description, MAX_DESCRIPTION), page.chapters)
    ):
        found.description = text
        changed.append("description")
    found.save(update_fields=changed)
    if not found.tags.exists():
        set_tags(found, (one_line(tag, 40) for tag in page.tags))


def with_chapters(description: str, found: Iterable[tuple[float, str]]) -> str:
    """Return the description with lines for the chapters of another site, unless it lists some itself."""
    if chapters.written(description, None):
        return description
    lines = "\n".join(
        f"{chapters.clock(chapter.start_s)} {chapter.title}"
        for at_s, title in found
        if (chapter := Chapter(at_s, chapters.shown_title(title))).title
    )
    text = composed(f"{description}\n\n{lines}".strip())
    fits = len(text) <= MAX_DESCRIPTION and chapters.written(text, None)
    return text if fits else description
