"""The multivariant playlist: which renditions there are, and what it takes to play them (RFC 8216, 4.3.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .attributes import quoted, tag, uri_line, yes_no
from .media import VERSION


@dataclass(frozen=True, slots=True)
class AudioRendition:
    """One sound track; players offer ``name``, and ``language`` is an RFC 5646 tag or empty."""

    group_id: str
    name: str
    uri: str
    language: str = ""
    is_default: bool = False
    is_autoselect: bool = True
    channels: int = 2


@dataclass(frozen=True, slots=True)
class Variant:
    """One picture quality, or sound alone.

    ``bandwidth_bps`` is the highest bitrate of any segment together with the
    sound that goes with it.  ``codecs`` names everything a player must decode,
    separated by commas; ``resolution`` is width and height in pixels.
    """

    uri: str
    bandwidth_bps: int
    codecs: str
    average_bandwidth_bps: int | None = None
    resolution: tuple[int, int] | None = None
    frame_rate: float | None = None
    audio_group: str | None = None


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """All renditions of one video, best first."""

    variants: tuple[Variant, ...]
    audio: tuple[AudioRendition, ...] = ()

    def render(self) -> str:
        """Return the playlist's text.  Raises ValueError for a variant whose audio group does not exist."""
        groups = {None, *(rendition.group_id for rendition in self.audio)}
        if any(variant.audio_group not in groups for variant in self.variants):
            raise ValueError("a variant names an audio group without renditions")
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{VERSION}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *(_audio(rendition) for rendition in _distinctly_named(self.audio)),
            *(line for variant in self.variants for line in _variant(variant)),
        ]
        return "\n".join(lines) + "\n"


def _distinctly_named(audio: tuple[AudioRendition, ...]) -> list[AudioRendition]:
    """Number names that occur again in a group: each must be unique (RFC 8216, 4.3.4.1.1)."""
    seen: dict[tuple[str, str], int] = {}
    named = []
    for rendition in audio:
        key = (rendition.group_id, rendition.name)
        count = seen[key] = seen.get(key, 0) + 1
        named.append(rendition if count == 1 else replace(rendition, name=f"{rendition.name} {count}"))
    return named


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
    size, average_bps, rate = variant.resolution, variant.average_bandwidth_bps, variant.frame_rate
    attributes = [
        ("BANDWIDTH", str(variant.bandwidth_bps)),
        ("AVERAGE-BANDWIDTH", str(average_bps) if average_bps else None),
        ("CODECS", quoted(variant.codecs)),
        ("RESOLUTION", f"{size[0]}x{size[1]}" if size else None),
        ("FRAME-RATE", f"{rate:.3f}" if rate else None),
        ("AUDIO", quoted(variant.audio_group) if variant.audio_group else None),
    ]
    return [tag("EXT-X-STREAM-INF", attributes), uri_line(variant.uri)]
