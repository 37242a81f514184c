"""The multivariant playlist: all renditions and the requirements for playing them (RFC 8216, 4.3.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .attributes import quoted, tag, uri_line, yes_no
from .media import VERSION


@dataclass(frozen=True, slots=True)
class AudioRendition:
    """One audio track.  Players show ``name``; ``language`` is an RFC 5646 tag or empty."""

    group_id: str
    name: str
    uri: str
    language: str = ""
    is_default: bool = False
    is_autoselect: bool = True
    channels: int = 2
    characteristics: str = ""


@dataclass(frozen=True, slots=True)
class SubtitleRendition:
    """Captions in one language; ``language`` is an RFC 5646 tag.

    None is the default: players choose by the preferences of their viewer.
    """

    group_id: str
    name: str
    language: str
    uri: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One video quality, or audio alone.

    ``bandwidth_bps`` is the peak bitrate, including the audio rendition.  ``codecs``
    lists all codecs that a player must decode, separated by commas.  ``resolution`` is
    the width and height in pixels.  ``has_captions`` is False only if the video is known
    to contain no closed captions.
    """

    uri: str
    bandwidth_bps: int
    codecs: str
    average_bandwidth_bps: int | None = None
    resolution: tuple[int, int] | None = None
    frame_rate: float | None = None
    audio_group: str | None = None
    subtitle_group: str | None = None
    has_captions: bool = True


@dataclass(frozen=True, slots=True)
class KeyframeVariant:
    """The I-frame playlist of one rung, from which players draw stills while a viewer scrubs."""

    uri: str
    bandwidth_bps: int
    codecs: str
    resolution: tuple[int, int]


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """The list of all renditions of one video, best first."""

    variants: tuple[Variant, ...]
    audio: tuple[AudioRendition, ...] = ()
    subtitles: tuple[SubtitleRendition, ...] = ()
    keyframes: tuple[KeyframeVariant, ...] = ()

    def render(self) -> str:
        """Return the playlist's text.  Raises ValueError for a variant whose groups do not exist."""
        groups = {None, *(rendition.group_id for rendition in self.audio)}
        if any(variant.audio_group not in groups for variant in self.variants):
            raise ValueError("a variant names an audio group without renditions")
        groups = {None, *(rendition.group_id for rendition in self.subtitles)}
        if any(variant.subtitle_group not in groups for variant in self.variants):
            raise ValueError("a variant names a group of subtitles without renditions")
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{VERSION}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *(_audio(rendition) for rendition in _with_unique_names(self.audio)),
            *(_subtitles(rendition) for rendition in self.subtitles),
            *(line for variant in self.variants for line in _variant(variant)),
            *(_keyframes(variant) for variant in self.keyframes),
        ]
        return "\n".join(lines) + "\n"


def _with_unique_names(audio: tuple[AudioRendition, ...]) -> list[AudioRendition]:
    """Return ``audio`` with unique names and one automatic choice per language (RFC 8216, 4.3.4.1.1).

    Repeated names in a group are numbered.  Of several renditions in one language,
    only the default one, or else the first, keeps ``is_autoselect``.
    """
    names: set[tuple[str, str]] = set()
    unique = []
    for rendition in audio:
        name, count = rendition.name, 1
        while (rendition.group_id, name) in names:
            count += 1
            name = f"{rendition.name} {count}"
        names.add((rendition.group_id, name))
        is_chosen = rendition is _choice(rendition, audio)
        unique.append(replace(rendition, name=name, is_autoselect=rendition.is_autoselect and is_chosen))
    return unique


def _choice(rendition: AudioRendition, audio: tuple[AudioRendition, ...]) -> AudioRendition:
    """Return the rendition that a player selects by itself in the group and language of ``rendition``."""
    alike = [
        other for other in audio
        if (other.group_id, other.language) == (rendition.group_id, rendition.language)
        and (other.is_autoselect or other.is_default)
    ]  # fmt: skip
    return next((other for other in alike if other.is_default), alike[0] if alike else rendition)


def _audio(rendition: AudioRendition) -> str:
    return tag(
        "EXT-X-MEDIA",
        [
            ("TYPE", "AUDIO"),
            ("GROUP-ID", quoted(rendition.group_id)),
            ("NAME", quoted(rendition.name)),
            ("LANGUAGE", quoted(rendition.language) if rendition.language else None),
            ("DEFAULT", yes_no(rendition.is_default)),
            # A default rendition must be selected automatically as well (4.3.4.1).
            ("AUTOSELECT", yes_no(rendition.is_autoselect or rendition.is_default)),
            ("CHARACTERISTICS", quoted(rendition.characteristics) if rendition.characteristics else None),
            ("CHANNELS", quoted(str(rendition.channels))),
            ("URI", quoted(rendition.uri)),
        ],
    )


def _subtitles(rendition: SubtitleRendition) -> str:
    return tag(
        "EXT-X-MEDIA",
        [
            ("TYPE", "SUBTITLES"),
            ("GROUP-ID", quoted(rendition.group_id)),
            ("NAME", quoted(rendition.name)),
            ("LANGUAGE", quoted(rendition.language)),
            ("DEFAULT", "NO"),
            ("AUTOSELECT", "YES"),
            ("FORCED", "NO"),
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
        ("SUBTITLES", quoted(variant.subtitle_group) if variant.subtitle_group else None),
        ("CLOSED-CAPTIONS", None if variant.has_captions else "NONE"),
    ]
    return [tag("EXT-X-STREAM-INF", attributes), uri_line(variant.uri)]


def _keyframes(variant: KeyframeVariant) -> str:
    width_px, height_px = variant.resolution
    return tag(
        "EXT-X-I-FRAME-STREAM-INF",
        [
            ("BANDWIDTH", str(variant.bandwidth_bps)),
            ("CODECS", quoted(variant.codecs)),
            ("RESOLUTION", f"{width_px}x{height_px}"),
            ("URI", quoted(variant.uri)),
        ],
    )
