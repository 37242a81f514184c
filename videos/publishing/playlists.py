"""The playlists of an encode, as stored and as sent to players, and their measured bitrates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from django.utils import timezone

from common import storage
from videos import caption_tracks
from videos.hls.bitrate import measured
from videos.hls.media import MediaPlaylist, Segment
from videos.hls.multivariant import AudioRendition, KeyframeVariant, MultivariantPlaylist, Variant
from videos.languages import spoken_tag
from videos.models import Rendition
from videos.transcoding.chunks import SEGMENT_S
from videos.transcoding.codecs import expected_codec

from .encodes import Encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videos.models import CaptionTrack

AUDIO_GROUP = "audio"
# RFC 8216, 4.3.4.1.
DESCRIBES_VIDEO = "public.accessibility.describes-video"
# Before the name of a rung: the name of its I-frame playlist.
KEYFRAMES_PREFIX = "keyframes-"
# For a rendition that is not measured yet: a segment holds at most its encoder's maxrate for
# its duration and for the buffer of one second, plus 2 % for the container.
PEAK_FACTOR = (SEGMENT_S + 1) / SEGMENT_S * 1.02
# Recordings are cut at keyframes of their source: segments last at least SEGMENT_S
# and less than this.
RECORDING_TARGET_DURATION_S = 8


class NothingPublished(Exception):
    """The requested playlist would list no segment."""


def media_playlist(
    encode: Encode,
    rendition: Rendition,
    uri: Callable[[str], str],
    address: Callable[[str], str] = str,
) -> MediaPlaylist:
    """Return the media playlist of ``rendition``.

    ``uri`` maps an object's name to its URL, ``address`` the relative address of a
    segment that is not stored yet to the one that the playlist names.

    It is a ``VOD`` with ``EXT-X-ENDLIST`` once the encode is complete, and before that
    where it lists the whole plan.  Otherwise it is an ``EVENT``, so that players keep
    their segments and ask for more.  Raises NothingPublished if there is no segment.
    """
    placed = encode.listed(rendition)
    if not placed:
        raise NothingPublished(rendition.name)
    # Of a rendition without stored segments, the init segment does not exist either.
    has_init = any(segment.is_stored for segment in placed)
    init_uris = {
        name: uri(name) if has_init else address(name) for name in {segment.init_name for segment in placed}
    }
    return MediaPlaylist(
        target_duration_s=target_duration_s(encode),
        segments=tuple(
            Segment(
                uri=uri(segment.name) if segment.is_stored else address(segment.name),
                duration_s=segment.duration_s,
                map_uri=init_uris[segment.init_name],
                is_discontinuous=segment.is_discontinuous,
                taken_at=segment.taken_at,
            )
            for segment in placed
        ),
        is_complete=encode.shows_plan or encode.is_complete,
    )


def keyframe_playlist(
    encode: Encode, rendition: Rendition, ranges: Sequence[tuple[int, int]], uri: Callable[[str], str]
) -> MediaPlaylist:
    """Return the I-frame playlist of a complete rendition; ``ranges`` are lengths and offsets in bytes.

    Raises NothingPublished if they are those of another reading.
    """
    playlist = media_playlist(encode, rendition, uri)
    if len(ranges) != len(playlist.segments):
        raise NothingPublished(rendition.name)
    keyframes = (
        replace(segment, byte_range=byte_range)
        for segment, byte_range in zip(playlist.segments, ranges, strict=True)
    )
    return replace(playlist, segments=tuple(keyframes), is_keyframes=True)


def target_duration_s(encode: Encode) -> int:
    """Return one value for all renditions and for the whole life of an encode (RFC 8216, 4.3.3.1)."""
    if encode.video.is_recording:
        return RECORDING_TARGET_DURATION_S
    longest_picture_s = max((1 / rung.frame_rate for rung in encode.rungs if rung.frame_rate), default=0)
    grid = encode.plans[Rendition.Kind.VIDEO].grid if Rendition.Kind.VIDEO in encode.plans else None
    planned = pairwise([*grid.starts_s, grid.end_s]) if grid else ()
    longest_s = max((end_s - start_s for start_s, end_s in planned), default=0)
    # A segment ends with the frame that crosses the grid; players compare durations in whole seconds.
    return int(max(SEGMENT_S, longest_s) + longest_picture_s + 0.5)


def multivariant_playlist(
    encode: Encode,
    uri: Callable[[str], str],
    captions: Sequence[CaptionTrack] = (),
    *,
    names_keyframes: bool = False,
) -> str:
    """Return the multivariant playlist; ``uri`` maps a rendition's name to the URL of its playlist.

    Captions change without the encode, and keyframes are indexed after it, so the playlist
    in storage names neither.
    """
    tracks = encode.tracks
    subtitles = tuple(caption_tracks.rendition_of(track, uri) for track in captions)
    variants = (
        [_variant(encode, rung, tracks, uri) for rung in encode.offered]
        if encode.rungs
        else [_sound_alone(track, uri) for track in tracks[:1]]
    )
    return MultivariantPlaylist(
        audio=tuple(_audio_rendition(track, tracks, uri) for track in tracks) if encode.rungs else (),
        subtitles=subtitles,
        variants=tuple(
            replace(variant, subtitle_group=caption_tracks.SUBTITLE_GROUP if subtitles else None)
            for variant in variants
        ),
        keyframes=tuple(_keyframe_variant(rung, uri) for rung in encode.indexed) if names_keyframes else (),
    ).render()


def _sound_alone(track: Rendition, uri: Callable[[str], str]) -> Variant:
    return Variant(
        uri=uri(track.name),
        bandwidth_bps=_peak_bps(track),
        average_bandwidth_bps=track.average_bps,
        codecs=track.codecs,
        has_captions=False,
    )


def _variant(encode: Encode, rung: Rendition, tracks: list[Rendition], uri: Callable[[str], str]) -> Variant:
    averages_bps = [rendition.average_bps for rendition in [rung, *tracks]]
    average_bps = None
    if None not in averages_bps:
        average_bps = (rung.average_bps or 0) + max((track.average_bps or 0 for track in tracks), default=0)
    return Variant(
        uri=uri(rung.name),
        bandwidth_bps=_peak_bps(rung) + max(map(_peak_bps, tracks), default=0),
        average_bandwidth_bps=average_bps,
        codecs=",".join([rung.codecs or _expected_codec(rung), *(track.codecs for track in tracks[:1])]),
        resolution=(rung.width_px, rung.height_px),
        frame_rate=rung.frame_rate,
        audio_group=AUDIO_GROUP if tracks else None,
        # Copied segments may hold closed captions; encoded ones do not.
        has_captions=encode.video.is_recording or any(other.is_copied for other in encode.rungs),
    )


def _keyframe_variant(rung: Rendition, uri: Callable[[str], str]) -> KeyframeVariant:
    return KeyframeVariant(
        uri=uri(f"{KEYFRAMES_PREFIX}{rung.name}"),
        bandwidth_bps=rung.keyframes_peak_bps or 0,
        codecs=rung.codecs,
        resolution=(rung.width_px, rung.height_px),
    )


def _expected_codec(rung: Rendition) -> str:
    return expected_codec(rung.width_px, rung.height_px, rung.frame_rate, rung.bitrate_bps)


def _peak_bps(rendition: Rendition) -> int:
    return rendition.peak_bps or round(rendition.bitrate_bps * PEAK_FACTOR)


def _audio_rendition(track: Rendition, tracks: list[Rendition], uri: Callable[[str], str]) -> AudioRendition:
    default = next((other for other in tracks if other.is_default), tracks[0])
    return AudioRendition(
        group_id=AUDIO_GROUP,
        name=track.label,
        language=spoken_tag(track.language),
        uri=uri(track.name),
        is_default=track == default,
        channels=track.channels,
        # Players choose neither for a viewer who did not ask for it.
        is_autoselect=track.role not in (Rendition.Role.COMMENTARY, Rendition.Role.DESCRIPTION),
        characteristics=DESCRIBES_VIDEO if track.role == Rendition.Role.DESCRIPTION else "",
    )


def measure(encode: Encode) -> None:
    """Store the peak and average bitrate of each rendition, measured on the stored segments.

    A rendition with missing objects keeps the bound of its encoder as its peak.  An index
    of its keyframes is none of these segments': a recording that went on is longer.
    """
    key_of = encode.video.key_of
    sizes = storage.sizes_under(encode.video.encode_prefix)
    renditions = [*encode.rungs, *encode.tracks]
    for rendition in renditions:
        if rendition.is_added and rendition.peak_bps is not None:
            continue  # measured before it was added
        rendition.keyframes_peak_bps = None
        placed = encode.segments(rendition)
        stored = [sizes[key] for segment in placed if (key := key_of(segment.name)) in sizes]
        durations_s = [segment.duration_s for segment in placed]
        # A recording of a single frame may have no duration, and so no bitrate.
        if not sum(durations_s) or len(stored) < len(placed):
            rendition.peak_bps = _peak_bps(rendition)
            continue
        bitrate = measured(stored, durations_s, target_duration_s(encode))
        rendition.peak_bps, rendition.average_bps = bitrate.peak_bps, bitrate.average_bps
    Rendition.objects.bulk_update(renditions, ["peak_bps", "average_bps", "keyframes_peak_bps"])


def retire_interim(encode: Encode) -> None:
    """Take the copy of a complete encode out of its multivariant playlist if an encoded rung replaces it.

    Its own playlist and its segments stay for players that have the older playlist
    (``videos.cleaning``).
    """
    now = timezone.now()
    for rung in encode.rungs:
        if rung.is_interim and rung.retired_at is None:
            rung.retired_at = now
            rung.save(update_fields=["retired_at"])


def write_playlists(encode: Encode) -> None:
    """Store the playlists of a finished encode, with relative URIs, media playlists first."""
    prefix = encode.video.encode_prefix
    for rendition in [*encode.rungs, *encode.tracks]:
        storage.put_text(f"{prefix}{rendition.name}.m3u8", media_playlist(encode, rendition, str).render())
    write_multivariant_playlist(encode)


def write_multivariant_playlist(encode: Encode) -> None:
    name = f"{encode.video.encode_prefix}multivariant.m3u8"
    storage.put_text(name, multivariant_playlist(encode, "{}.m3u8".format))
