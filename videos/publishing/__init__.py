"""Finished segments and playlists, in the bucket and as sent to players.

Objects of an encode::

    videos/<video>/source                                  the uploaded file
    videos/<video>/<encode>/<rendition>/<run>-<attempt>/init.mp4
    videos/<video>/<encode>/<rendition>/<run>-<attempt>/<segment>.m4s
    videos/<video>/<encode>/<rendition>.m3u8               written when the encode is complete
    videos/<video>/<encode>/multivariant.m3u8
    videos/<video>/<track>/<rendition>/<run>-<attempt>/    an added audio track, of all encodes

``<run>`` is the position of a :class:`~videos.models.SegmentRun`.  The attempt is part of
the key, so a worker that was thought dead cannot overwrite its successor's objects.
Players see a segment once its run lists it.  A run lists a segment after it is stored
in each of the run's renditions, so every object named in a playlist exists; of planned
segments, playlists name an address of the site that waits for them.
"""

from .encodes import Encode, Placed
from .excerpts import Excerpt
from .playlists import (
    KEYFRAMES_PREFIX,
    PEAK_FACTOR,
    RECORDING_TARGET_DURATION_S,
    NothingPublished,
    keyframe_playlist,
    measure,
    media_playlist,
    multivariant_playlist,
    retire_interim,
    target_duration_s,
    write_multivariant_playlist,
    write_playlists,
)
from .reading import MAX_INIT_BYTES, MAX_SEGMENT_BYTES, read_object
from .segments import LeaseLost, SegmentPublisher

__all__ = [
    "KEYFRAMES_PREFIX",
    "MAX_INIT_BYTES",
    "MAX_SEGMENT_BYTES",
    "PEAK_FACTOR",
    "RECORDING_TARGET_DURATION_S",
    "Encode",
    "Excerpt",
    "LeaseLost",
    "NothingPublished",
    "Placed",
    "SegmentPublisher",
    "keyframe_playlist",
    "measure",
    "media_playlist",
    "multivariant_playlist",
    "read_object",
    "retire_interim",
    "target_duration_s",
    "write_multivariant_playlist",
    "write_playlists",
]
