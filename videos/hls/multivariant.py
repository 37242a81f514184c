"""The multivariant playlist: which renditions there are, and what it takes to play them (RFC 8216, 4.3.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from .attributes import decimal, quoted, tag, uri_line, yes_no
from .media import VERSION


@dataclass(frozen=True, slots=True)
class AudioRendition:
    """One sound track; players offer ``name``, and ``language`` is an RFC 5646 tag or empty."""

    name: str
    uri: str
    language: str = ""
    channels: int = 2
    is_default: bool = False
    is_autoselect: bool = True
    group_id: str = "audio"


@dataclass(frozen=True, slots=True)
class Variant:
    """One picture quality, or sound alone.

    ``bandwidth_bps`` is the highest bitrate of any segment together with the
    sound that goes with it.  ``codecs`` names everything a player must decode.
    """

    uri: str
    bandwidth_bps: int
    codecs: tuple[str, ...]
    average_bandwidth_bps: int | None = None
    size_px: tuple[int, int] | None = None
    frame_rate: Fraction | None = None
    audio_group_id: str | None = None


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """All renditions of one video, best first; players start in the middle or where they like."""

    variants: tuple[Variant, ...]
    audio: tuple[AudioRendition, ...] = ()
    start_offset_s: float | None = None

    def render(self) -> str:
        """Return the playlist's text.  Raises ValueError for a variant whose audio group does not exist."""
        groups = {rendition.group_id for rendition in self.audio}
        if any(v.audio_group_id is not None and v.audio_group_id not in groups for v in self.variants):
            raise ValueError("a variant names an audio group without renditions")
        start = self.start_offset_s
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{VERSION}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *([tag("EXT-X-START", [("TIME-OFFSET", decimal(start))])] if start is not None else []),
            *(_audio(rendition) for rendition in distinct_names(self.audio)),
            *(line for variant in self.variants for line in _variant(variant)),
        ]
        return "\n".join(lines) + "\n"


def distinct_names(audio: tuple[AudioRendition, ...]) -> tuple[AudioRendition, ...]:
    """Number the names that occur twice in a group: each must be unique (RFC 8216, 4.3.4.1.1)."""
    seen: dict[tuple[str, str], int] = {}
    named = []
    for rendition in audio:
        key = (rendition.group_id, rendition.name)
        seen[key] = seen.get(key, 0) + 1
        count = seen[key]
        named.append(rendition if count == 1 else replace(rendition, name=f"{rendition.name} {count}"))
    return tuple(named)


def _audio(rendition: AudioRendition) -> str:
    return tag(
        "EXT-X-MEDIA",
        [
            ("TYPE", "AUDIO"),
            ("GROUP-ID", quoted(rendition.group_id)),
            ("NAME", quoted(rendition.name)),
            ("LANGUAGE", quoted(rendition.language) if rendition.language else None),
            ("DEFAULT", yes_no(rendition.is_default)),
            # What is chosen by default is chosen automatically as well.
            ("AUTOSELECT", yes_no(rendition.is_autoselect or rendition.is_default)),
            ("CHANNELS", quoted(str(rendition.channels))),
            ("URI", quoted(rendition.uri)),
        ],
    )


def _variant(variant: Variant) -> list[str]:
    size, rate = variant.size_px, variant.frame_rate
    average_bps = variant.average_bandwidth_bps
    attributes = [
        ("BANDWIDTH", str(variant.bandwidth_bps)),
        ("AVERAGE-BANDWIDTH", str(average_bps) if average_bps else None),
        ("CODECS", quoted(",".join(variant.codecs))),
        ("RESOLUTION", f"{size[0]}x{size[1]}" if size else None),
        ("FRAME-RATE", decimal(float(rate), 3) if rate else None),
        ("AUDIO", quoted(variant.audio_group_id) if variant.audio_group_id else None),
    ]
    return [tag("EXT-X-STREAM-INF", attributes), uri_line(variant.uri)]
