"""Stills of a ready video that its owner may choose as the poster, in the size of a poster.

They are stored with the storyboard and replaced with it.  A choice is copied, so that it
stays when a recording goes on and gets other ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

from videos.models import Rendition, Video
from videos.publishing import MAX_INIT_BYTES, MAX_SEGMENT_BYTES, Encode, read_object
from videos.transcoding import stills
from videos.transcoding.errors import TranscodeError
from videos.transcoding.ffmpeg import POSTER_LONG_SIDE_PX
from videos.transcoding.run import run_poster
from videos.transcoding.storyboard import GREY, Storyboard, still_args, still_size

logger = logging.getLogger(__name__)


def draw(
    video: Video, storyboard: Storyboard, folder: Path, nicely: Callable[[list[str]], list[str]]
) -> list[float]:
    """Write the best stills into ``folder`` as ``poster-0.jpg``, …, and return their times (s).

    ``folder`` holds the storyboard's grey stills.  A still that cannot be drawn ends the
    list: choices are dispensable.  Raises an error of storage.
    """
    encode = Encode.of(video)
    rendition = poster_rendition(encode)
    placed = encode.segments(rendition)
    ends_s = list(accumulate(segment.duration_s for segment in placed))
    size_px = still_size(rendition.width_px, rendition.height_px)
    times_s: list[float] = []
    for number in _best(storyboard, folder / GREY):
        at_s = storyboard.times_s[number]
        index = next((index for index, end_s in enumerate(ends_s) if at_s < end_s), len(placed) - 1)
        segment, path = placed[index], folder / "segment.mp4"
        path.write_bytes(
            read_object(video, segment.init_name, MAX_INIT_BYTES)
            + read_object(video, segment.name, MAX_SEGMENT_BYTES)
        )
        offset_s = at_s - (ends_s[index] - segment.duration_s)
        output = folder / f"poster-{len(times_s)}.jpg"
        try:
            found = run_poster(nicely(still_args(path, offset_s, size_px, output)), output)
        except TranscodeError as error:
            logger.warning("Still not drawn", extra={"video": video.public_id, "reason": str(error)[:200]})
            break
        if found is None:
            break
        times_s.append(round(at_s, 3))
    return times_s


def poster_rendition(encode: Encode) -> Rendition:
    """Return the best rung that is no larger than a poster, or else the smallest one."""
    fitting = (rung for rung in encode.offered if max(rung.width_px, rung.height_px) <= POSTER_LONG_SIDE_PX)
    return next(fitting, encode.offered[-1])


def _best(storyboard: Storyboard, path: Path) -> list[int]:
    """Return the numbers of the best stills, spread over the video."""
    width, height = storyboard.tile_px
    groups = stills.candidates(len(storyboard.times_s))
    scores: dict[int, float] = {}
    with path.open("rb") as file:
        for number in (number for group in groups for number in group):
            file.seek(number * width * height)
            scores[number] = stills.score(file.read(width * height), width)
    return stills.best_of_each(groups, scores)
