"""The archive in which PeerTube exports an account (version 6.1 and newer): a list of videos, and files."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import found
from .found import FoundVideo, array, line, moment, number, obj, text
from .peertube import CATEGORIES, UUID, VISIBILITIES, id_of

LIST_NAME = "peertube/videos.json"
_FILES = "files/videos/"


def videos_of(
    answer: object, size_of: Callable[[str], int | None], address_of: Callable[[str], str], most: int
) -> Iterator[tuple[FoundVideo, int]]:
    """Yield the videos of the list that have a file in the archive, each with the number of all.

    A file that two of them name belongs to the first.  ``size_of`` returns the bytes of a
    part, None if there is no such file; ``address_of`` maps its name to an address.
    """
    rows = array(obj(answer).get("videos"), most)
    files: set[str] = set()
    for row in map(obj, rows):
        video = _video(row, size_of, address_of)
        if video and video.media_url not in files:
            files.add(video.media_url)
            yield video, len(rows)


def _video(
    row: Mapping[str, Any], size_of: Callable[[str], int | None], address_of: Callable[[str], str]
) -> FoundVideo | None:
    files, uuid = obj(row.get("archiveFiles")), str(row.get("uuid", ""))
    media = part_name(files.get("videoFile"))
    size_bytes = size_of(media) if media else None
    if size_bytes is None or not UUID.fullmatch(uuid) or row.get("isLive"):
        return None
    heard = {
        obj(one).get("language")
        for one in array(row.get("captions"), 100)
        if obj(one).get("automaticallyGenerated")
    }
    captions = [
        (line(language, 35), address_of(name))
        for language, value in list(obj(files.get("captions")).items())[: found.MAX_SOURCE_CAPTIONS]
        if language not in heard and (name := part_name(value)) and size_of(name) is not None
    ]
    thumbnail = part_name(files.get("thumbnail"))
    # The site's name for it, so that a video that came by address does not come again.
    return FoundVideo(
        source_id=f"peertube:{found.host_of(row.get('url'))}/{uuid}"[: found.MAX_SOURCE_ID],
        title=line(row.get("name"), found.MAX_SOURCE_TITLE),
        media_url=address_of(media),
        size_bytes=size_bytes,
        duration_s=number(row.get("duration")),
        published_at=moment(row.get("originallyPublishedAt")) or moment(row.get("publishedAt")),
        visibility=VISIBILITIES.get(id_of(row.get("privacy")), found.PRIVATE),
        category=CATEGORIES.get(id_of(row.get("category")), "other"),
        description=text(row.get("description"), found.MAX_SOURCE_DESCRIPTION),
        tags=found.tags(array(row.get("tags"), found.MAX_SOURCE_TAGS)),
        thumbnail_url=address_of(thumbnail) if thumbnail and size_of(thumbnail) else "",
        captions=tuple(captions),
        chapters=found.chapters(row.get("chapters"), "timecode"),
    )


def part_name(value: object) -> str:
    """Return the name of a part from a path that is relative to the list, empty for one outside its files."""
    if not isinstance(value, str) or not 0 < len(value) < 500 or "\0" in value or "\\" in value:
        return ""
    name = posixpath.normpath(posixpath.join(posixpath.dirname(LIST_NAME), value))
    return name if name.startswith(_FILES) else ""
