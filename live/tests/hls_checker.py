"""Strict checker of HLS playlists and segments against RFC 8216 and draft-pantos-hls-rfc8216bis.

``faults(fetch)`` reads everything that a player reads and returns one sentence for
each broken rule, with the draft's section.  ``fetch`` takes a URI from a playlist,
of a media playlist or a segment, and returns its bytes.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from statistics import median
from types import MappingProxyType

from common.media.fragments import FragmentReader, Movie, Sample, Track
from videos.hls.bitrate import Bitrate, measured

Fetch = Callable[[str], bytes]
Attributes = dict[str, str]

# EXTINF and samples use different timescales: half a millisecond, and rounding.
DURATION_OFF_S = 0.002
# Audio is cut at its own frames, 21 ms each; an audio rendition may differ by one.
AUDIO_OFF_S = 0.03
# Sources have times in whole milliseconds.
TIME_OFF_S = 0.002
DATE_OFF_S = 0.1
SHORTEST_PART = 0.85
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)(?:,|$)')
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_OF_SEGMENT = {"EXTINF", "EXT-X-DISCONTINUITY", "EXT-X-GAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-BYTERANGE"}
_MEDIA = re.compile(r"#EXT-X-(?:MEDIA|STREAM-INF|I-FRAME-STREAM-INF):")


def attributes(line: str) -> Attributes:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line.partition(":")[2])}


@dataclass
class CheckedSegment:
    """Media segment, as described by its playlist."""

    uri: str
    duration_s: float
    map_uri: str
    is_discontinuous: bool
    date: datetime | None
    parts: list[Attributes]
    byte_range: str = ""


@dataclass
class ReadPlaylist:
    """Parsed media playlist."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    segments: list[CheckedSegment] = field(default_factory=list)
    open_parts: list[Attributes] = field(default_factory=list)
    hints: list[Attributes] = field(default_factory=list)
    reports: list[Attributes] = field(default_factory=list)

    @property
    def target_s(self) -> int:
        return int(self.tags["EXT-X-TARGETDURATION"])

    @property
    def is_ended(self) -> bool:
        return "EXT-X-ENDLIST" in self.tags

    @property
    def discontinuities(self) -> int:
        before = int(self.tags.get("EXT-X-DISCONTINUITY-SEQUENCE", 0))
        return before + sum(segment.is_discontinuous for segment in self.segments)


def read_playlist(name: str, text: str) -> ReadPlaylist:
    """Parse a media playlist."""
    playlist = ReadPlaylist(name)
    map_uri, parts = "", list[Attributes]()
    own: dict[str, str] = {}  # tags of the segment that follows
    lists = {
        "EXT-X-PART": parts,
        "EXT-X-PRELOAD-HINT": playlist.hints,
        "EXT-X-RENDITION-REPORT": playlist.reports,
    }
    for line in text.splitlines():
        tag, _, value = line.removeprefix("#").partition(":")
        if tag in lists:
            lists[tag].append(attributes(line))
        elif tag == "EXT-X-MAP":
            map_uri = attributes(line)["URI"]
        elif tag in _OF_SEGMENT:
            own[tag] = value
        elif line.startswith("#EXT"):
            playlist.tags[tag] = value
        elif line and not line.startswith("#"):
            playlist.segments.append(_segment(line, map_uri, own, list(parts)))
            own = {}
            parts.clear()
    playlist.open_parts = parts
    return playlist


def _segment(uri: str, map_uri: str, own: dict[str, str], parts: list[Attributes]) -> CheckedSegment:
    date = own.get("EXT-X-PROGRAM-DATE-TIME")
    return CheckedSegment(
        uri=uri,
        duration_s=float(own["EXTINF"].partition(",")[0]),
        map_uri=map_uri,
        is_discontinuous="EXT-X-DISCONTINUITY" in own,
        date=datetime.fromisoformat(date) if date else None,
        parts=parts,
        byte_range=own.get("EXT-X-BYTERANGE", ""),
    )


@dataclass
class CheckedRendition:
    """Media playlist, with measurements of its segments."""

    playlist: ReadPlaylist
    tracks: tuple[Track, ...] = ()
    sizes: list[int] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)  # presentation time of each segment's first frame
    frame_s: list[float] = field(default_factory=list)
    shown_s: list[float] = field(default_factory=list)  # presentation time of every frame

    @property
    def duration_s(self) -> float:
        return sum(segment.duration_s for segment in self.playlist.segments)

    @property
    def bitrate(self) -> Bitrate:
        durations = [segment.duration_s for segment in self.playlist.segments]
        return measured(self.sizes, durations, self.playlist.target_s)

    @property
    def video(self) -> Track | None:
        return next((track for track in self.tracks if track.kind == "vide"), None)


def faults(
    fetch: Fetch,
    multivariant: str = "multivariant.m3u8",
    *,
    have_same_frames: bool = False,
    limits_bps: Mapping[str, int] = MappingProxyType({}),
) -> list[str]:
    """Return one sentence per broken rule of a presentation; empty if there is none.

    ``have_same_frames`` demands that all renditions show frames at the same moments, as
    those of an upload do.  ``limits_bps`` has the highest bitrate that an encoder permits
    in a segment, by playlist: while a broadcast runs, its peak is not known, and a
    BANDWIDTH up to this limit is true.
    """
    text = fetch(multivariant).decode()
    found = list(_of_multivariant(text))
    media = [attributes(line) for line in text.splitlines() if line.startswith("#EXT-X-MEDIA:")]
    renditions = dict.fromkeys(_uris(text, media))
    read: dict[str, CheckedRendition] = {}
    for uri in renditions:
        playlist_text = fetch(uri).decode()
        playlist = read_playlist(uri, playlist_text)
        found += _of_playlist(playlist, playlist_text)
        read[uri] = rendition = CheckedRendition(playlist)
        found += _of_segments(rendition, fetch)
    found += _of_all(list(read.values()))
    if have_same_frames:
        found += _of_frames([rendition for rendition in read.values() if rendition.video])
    for variant, uri in _variants(text):
        sounds = [read[one["URI"]] for one in media if one.get("GROUP-ID") == variant.get("AUDIO")]
        found += [f"{uri}: {fault}" for fault in _of_variant(variant, read[uri], sounds)]
        if int(variant["BANDWIDTH"]) > limits_bps.get(uri, sys.maxsize):
            found.append(f"{uri}: 4.4.6.2: BANDWIDTH is {variant['BANDWIDTH']}, above {limits_bps[uri]}")
    for line in text.splitlines():
        if line.startswith("#EXT-X-I-FRAME-STREAM-INF:"):
            found += _of_keyframes(attributes(line), fetch)
    return found


def _of_keyframes(variant: Attributes, fetch: Fetch) -> Iterator[str]:
    """Check an I-frame playlist: each byte range is one fragment's description and its keyframe."""
    if missing := {"BANDWIDTH", "CODECS", "RESOLUTION", "URI"} - variant.keys():
        yield f"4.4.6.3: an I-frame playlist lacks {sorted(missing)}"
        return
    text = fetch(variant["URI"]).decode()
    playlist = read_playlist(variant["URI"], text)
    yield from _of_playlist(playlist, text)
    if "EXT-X-I-FRAMES-ONLY" not in playlist.tags:
        yield f"{playlist.name}: 4.4.3.6: no EXT-X-I-FRAMES-ONLY"
    peak_bps = 0.0
    for segment in playlist.segments:
        length, offset = (int(part) for part in segment.byte_range.split("@"))
        reader, whole = FragmentReader(), fetch(segment.uri)
        kept = whole[offset : offset + length]
        found = [*reader.feed(fetch(segment.map_uri)), *reader.feed(whole)]
        first = next((one for one in found if isinstance(one, Sample)), None)
        if kept[4:8] != b"moof" or first is None or not first.is_sync or not kept.endswith(first.data):
            yield f"{playlist.name}: 4.4.3.6: {segment.byte_range} of {segment.uri} is no keyframe"
        peak_bps = max(peak_bps, length * 8 / segment.duration_s)
    if int(variant["BANDWIDTH"]) < peak_bps:
        yield f"4.4.6.3: BANDWIDTH is {variant['BANDWIDTH']}, the peak of the keyframes {peak_bps:.0f}"


def _variants(text: str) -> Iterator[tuple[Attributes, str]]:
    for line, following in pairwise(text.splitlines()):
        if line.startswith("#EXT-X-STREAM-INF:"):
            yield attributes(line), following


def _uris(text: str, media: Sequence[Attributes]) -> list[str]:
    return [uri for _, uri in _variants(text)] + [one["URI"] for one in media if "URI" in one]


def _of_multivariant(text: str) -> Iterator[str]:
    lines = text.splitlines()
    if lines[0] != "#EXTM3U":
        yield "4.4.1.1: the first line is not #EXTM3U"
    variants = list(_variants(text))
    if not variants:
        yield "4.4.6.2: no variant"
    for variant, uri in variants:
        if uri.startswith("#"):
            yield "4.4.6.2: a variant without a URI"
        if missing := {"BANDWIDTH", "CODECS"} - variant.keys():
            yield f"4.4.6.2: {uri} lacks {sorted(missing)}"
        if "avc1" in variant.get("CODECS", "") and (more := {"RESOLUTION", "FRAME-RATE"} - variant.keys()):
            yield f"4.4.6.2: {uri} lacks {sorted(more)}"
    captions = {variant.get("CLOSED-CAPTIONS") for variant, _ in variants}
    if "NONE" in captions and len(captions) > 1:
        yield "4.4.6.2: CLOSED-CAPTIONS is NONE in some variants"
    yield from _of_groups([attributes(line) for line in lines if line.startswith("#EXT-X-MEDIA:")], variants)


def _of_groups(media: Sequence[Attributes], variants: Sequence[tuple[Attributes, str]]) -> Iterator[str]:
    for group in {(one["TYPE"], one["GROUP-ID"]) for one in media}:
        members = [one for one in media if (one["TYPE"], one["GROUP-ID"]) == group]
        if len({one["NAME"] for one in members}) < len(members):
            yield f"4.4.6.1.1: two members of {group} have one NAME"
        if sum(one.get("DEFAULT") == "YES" for one in members) > 1:
            yield f"4.4.6.1.1: two members of {group} are DEFAULT"
        chosen = Counter(
            tuple(one.get(name) for name in ("LANGUAGE", "ASSOC-LANGUAGE", "FORCED", "CHARACTERISTICS"))
            for one in members
            if one.get("AUTOSELECT") == "YES"
        )
        if any(count > 1 for count in chosen.values()):
            yield f"4.4.6.1.1: AUTOSELECT members of {group} do not differ"
        for one in members:
            if one.get("DEFAULT") == "YES" and one.get("AUTOSELECT") != "YES":
                yield f"4.4.6.1: {one['NAME']} is DEFAULT and not AUTOSELECT"
            if "LANGUAGE" in one and not _LANGUAGE_TAG.fullmatch(one["LANGUAGE"]):
                yield f"4.4.6.1: {one['LANGUAGE']} is no RFC 5646 tag"
    groups = {one["GROUP-ID"] for one in media if one["TYPE"] == "AUDIO"}
    for variant, uri in variants:
        if variant.get("AUDIO") not in {None, *groups}:
            yield f"4.4.6.2: {uri} names a group that does not exist"


def _of_playlist(playlist: ReadPlaylist, text: str) -> Iterator[str]:
    name, tags = playlist.name, playlist.tags
    if not text.startswith("#EXTM3U\n") or _MEDIA.search(text):
        yield f"{name}: 4.1: not a media playlist alone"
    if "EXT-X-TARGETDURATION" not in tags:
        yield f"{name}: 4.4.3.1: no target duration"
        return
    if int(tags.get("EXT-X-VERSION", 1)) < 6:
        yield f"{name}: 8: EXT-X-MAP needs version 6"
    if tags.get("EXT-X-PLAYLIST-TYPE") == "VOD" and not playlist.is_ended:
        yield f"{name}: 4.4.3.5: a VOD that does not end"
    for segment in playlist.segments:
        if int(segment.duration_s + 0.5) > playlist.target_s:
            yield f"{name}: 4.4.3.1: {segment.uri} lasts {segment.duration_s} s of {playlist.target_s}"
        if not segment.map_uri:
            yield f"{name}: 4.4.4.5: {segment.uri} has no map"
    yield from _of_dates(playlist)
    if "EXT-X-PART-INF" in tags:
        yield from _of_parts(playlist)


def _of_dates(playlist: ReadPlaylist) -> Iterator[str]:
    due: float | None = None
    for segment in playlist.segments:
        if segment.date is not None:
            at = segment.date.timestamp()
            if due is not None and at < due - DATE_OFF_S:
                yield f"{playlist.name}: 4.4.4.6: the date goes {due - at:.3f} s back at {segment.uri}"
            due = at
        if due is not None:
            due += segment.duration_s


def _of_parts(playlist: ReadPlaylist) -> Iterator[str]:
    name, tags = playlist.name, playlist.tags
    target_s = float(attributes("x:" + tags["EXT-X-PART-INF"])["PART-TARGET"])
    control = attributes("x:" + tags.get("EXT-X-SERVER-CONTROL", ""))
    if float(control.get("PART-HOLD-BACK", 0)) < 2 * target_s:
        yield f"{name}: 4.4.3.8: PART-HOLD-BACK is below two part targets"
    if "CAN-SKIP-UNTIL" in control and float(control["CAN-SKIP-UNTIL"]) < 6 * playlist.target_s:
        yield f"{name}: 4.4.3.8: CAN-SKIP-UNTIL is below six target durations"
    if not playlist.is_ended and not playlist.hints:
        yield f"{name}: 4.4.5.3: no preload hint while live"
    for segment in playlist.segments:
        yield from _of_part_durations(name, segment.parts, target_s, is_whole=True)
        length_s = sum(float(part["DURATION"]) for part in segment.parts)
        if segment.parts and abs(length_s - segment.duration_s) > DURATION_OFF_S * len(segment.parts):
            yield f"{name}: 4.4.4.9: parts of {segment.uri} last {length_s:.3f} of {segment.duration_s} s"
    yield from _of_part_durations(name, playlist.open_parts, target_s, is_whole=False)


def _of_part_durations(
    name: str, parts: Sequence[Attributes], target_s: float, *, is_whole: bool
) -> Iterator[str]:
    for number, part in enumerate(parts):
        duration_s = float(part["DURATION"])
        is_last = is_whole and number == len(parts) - 1
        if duration_s > target_s + 1e-6:
            yield f"{name}: 4.4.3.7: {part['URI']} lasts {duration_s} s, PART-TARGET is {target_s}"
        if not is_last and duration_s < SHORTEST_PART * target_s - 1e-6 and "GAP" not in part:
            yield f"{name}: 4.4.3.7: {part['URI']} lasts {duration_s} s, too short for {target_s}"


def _of_segments(rendition: CheckedRendition, fetch: Fetch) -> Iterator[str]:
    name = rendition.playlist.name
    reader, map_uri = FragmentReader(), ""
    ends: dict[int, float] = {}
    for segment in rendition.playlist.segments:
        if segment.map_uri != map_uri or segment.is_discontinuous:
            reader, map_uri = FragmentReader(), segment.map_uri
            movies = [found for found in reader.feed(fetch(map_uri)) if isinstance(found, Movie)]
            if len(movies) != 1:
                yield f"{name}: 3.1.2: {map_uri} is no init segment"
                return
            rendition.tracks = rendition.tracks or movies[0].tracks
        if segment.is_discontinuous:
            ends = {}
        data = fetch(segment.uri)
        rendition.sizes.append(len(data))
        samples = [found for found in reader.feed(data) if isinstance(found, Sample)]
        yield from _of_samples(rendition, segment, samples, ends)


def _of_samples(
    rendition: CheckedRendition, segment: CheckedSegment, samples: Sequence[Sample], ends: dict[int, float]
) -> Iterator[str]:
    where = f"{rendition.playlist.name}: {segment.uri}"
    lead = rendition.video or rendition.tracks[0]
    for track in rendition.tracks:
        own = [sample for sample in samples if sample.track == track.number]
        if not own:
            if track is lead:
                yield f"{where}: 3: holds no samples"
            continue
        start_s, end_s = own[0].decode_time / track.timescale, own[-1].end / track.timescale
        before_s = ends.get(track.number)
        if before_s is not None and abs(start_s - before_s) > TIME_OFF_S:
            yield f"{where}: 3: {track.kind} begins at {start_s:.4f} s, {before_s:.4f} was due"
        ends[track.number] = end_s
        if track.kind == "vide" and not own[0].is_sync:
            yield f"{where}: 4.4.2.1: does not begin with a keyframe"
        if track is not lead:
            continue
        off_s = DURATION_OFF_S if track.kind == "vide" else AUDIO_OFF_S
        shown_at = [one.decode_time + one.composition_offset for one in own]
        shown_s = (max(at + one.duration for at, one in zip(shown_at, own, strict=True)) - min(shown_at)) / (
            track.timescale
        )
        # A cut between a frame and the B-frames before it leaves a hole that is presented as well.
        if min(abs(length_s - segment.duration_s) for length_s in (end_s - start_s, shown_s)) > off_s:
            yield f"{where}: 4.4.4.1: EXTINF {segment.duration_s}, samples last {end_s - start_s:.4f} s"
        rendition.starts_s.append(min(shown_at) / track.timescale)
        rendition.shown_s += [at / track.timescale for at in shown_at]
        rendition.frame_s += [sample.duration / track.timescale for sample in own]


def _of_all(renditions: Sequence[CheckedRendition]) -> Iterator[str]:
    playlists = [rendition.playlist for rendition in renditions]
    for tag in ("EXT-X-TARGETDURATION", "EXT-X-SERVER-CONTROL", "EXT-X-PART-INF", "EXT-X-PLAYLIST-TYPE"):
        if len({playlist.tags.get(tag) for playlist in playlists}) > 1:
            yield f"6.2.4: {tag} differs between renditions"
    if len({playlist.is_ended for playlist in playlists}) > 1:
        yield "6.2.4: one rendition has ended and another has not"
    if playlists[0].is_ended:
        if len({playlist.discontinuities for playlist in playlists}) > 1:
            yield "6.2.4: discontinuities differ between renditions"
        lengths = [rendition.duration_s for rendition in renditions]
        if max(lengths) - min(lengths) > max(AUDIO_OFF_S, *(max(one.frame_s) for one in renditions)):
            yield f"6.2.4: renditions last {sorted(lengths)} s"
    videos = [rendition for rendition in renditions if rendition.video]
    for starts in zip(*(rendition.starts_s for rendition in videos), strict=False):
        if max(starts) - min(starts) > TIME_OFF_S:
            yield f"6.2.4: segments begin at {[round(start, 4) for start in starts]}"
            break


def _of_frames(videos: Sequence[CheckedRendition]) -> Iterator[str]:
    """Compare each frame of each rendition with the first one's: none is lost, doubled or moved."""
    if not videos:
        return
    first, *others = (sorted(rendition.shown_s) for rendition in videos)
    if first and first[0] > TIME_OFF_S:
        yield f"3: the first frame is shown at {first[0]:.4f} s"
    if any(after - before <= 0 for before, after in pairwise(first)):
        yield f"3: {videos[0].playlist.name} shows two frames at once"
    for rendition, shown_s in zip(videos[1:], others, strict=True):
        name = rendition.playlist.name
        if len(shown_s) != len(first):
            yield f"6.2.4: {name} shows {len(shown_s)} frames of {len(first)}"
            continue
        moved = max((abs(one - other) for one, other in zip(shown_s, first, strict=True)), default=0)
        if moved > TIME_OFF_S:
            yield f"6.2.4: a frame of {name} is shown {moved:.4f} s away from its place"


def _of_variant(
    variant: Attributes, own: CheckedRendition, sounds: Sequence[CheckedRendition]
) -> Iterator[str]:
    peak_bps = own.bitrate.peak_bps + max((sound.bitrate.peak_bps for sound in sounds), default=0)
    average_bps = own.bitrate.average_bps + max((sound.bitrate.average_bps for sound in sounds), default=0)
    if int(variant["BANDWIDTH"]) < peak_bps:
        yield f"4.4.6.2: BANDWIDTH is {variant['BANDWIDTH']}, the peak {peak_bps}"
    if "AVERAGE-BANDWIDTH" in variant and abs(int(variant["AVERAGE-BANDWIDTH"]) / average_bps - 1) > 0.05:
        yield f"4.4.6.2: AVERAGE-BANDWIDTH is {variant['AVERAGE-BANDWIDTH']}, measured {average_bps}"
    codecs = {track.codecs for rendition in (own, *sounds) for track in rendition.tracks}
    if set(variant["CODECS"].split(",")) != codecs:
        yield f"4.4.6.2: CODECS are {variant['CODECS']}, the init segments say {sorted(codecs)}"
    if own.video is None:
        return
    size = f"{own.video.width_px}x{own.video.height_px}"
    if variant["RESOLUTION"] != size:
        yield f"4.4.6.2: RESOLUTION is {variant['RESOLUTION']}, the init segment says {size}"
    # A frame that lasts until the publisher returns does not count for the rate.
    usual_s = [frame_s for frame_s in own.frame_s if frame_s < 1.5 * median(own.frame_s)]
    rate = len(usual_s) / sum(usual_s)
    if abs(float(variant["FRAME-RATE"]) - rate) > max(0.05, 0.002 * rate):
        yield f"4.4.6.2: FRAME-RATE is {variant['FRAME-RATE']}, frames come at {rate:.3f}"
