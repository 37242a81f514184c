"""The outcome of one upload: all steps of the workers, and a check that the result plays."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from videos.tests.encoding import EncodedRendition, encode_audio, encode_video, probe_file
from videos.transcoding.chunks import SEGMENT_S
from videos.transcoding.codecs import codec_string
from videos.transcoding.errors import FAILURE_SENTENCES, StorageFailed, TranscodeError
from videos.transcoding.ffmpeg import poster_args
from videos.transcoding.limits import SourceLimits
from videos.transcoding.run import run_poster
from videos.transcoding.source import SourceInfo
from videos.transcoding.tools import ffmpeg_path

SHORT = SourceLimits(duration_s=30)
"""As in production, but for the length: a header that claims hours would keep a test busy for hours."""


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """The end of an upload: a failure's code and reason, or the seconds that play; and its faults."""

    code: str = ""
    reason: str = ""
    played_s: float = 0.0
    faults: tuple[str, ...] = ()


def outcome_of(path: Path, work: Path) -> UploadOutcome:
    """Probe, plan and encode the file at ``path`` as workers do, in its lowest rung, and play the result."""
    try:
        source = probe_file(path, limits=SHORT)
        pictures = encode_video(path, work, source=source) if source.video else []
        sounds = _sounds(path, work, source)
        _poster(path, work, source)
    except TranscodeError as failure:
        return UploadOutcome(failure.code, str(failure), faults=tuple(_faults_of_failure(failure)))
    longest_s = SEGMENT_S + (1 / float(source.video.frame_rate) if source.video else 0)
    faults = [
        fault
        for number, rendition in enumerate([*pictures, *sounds])
        for fault in _faults(rendition, longest_s, work / f"joined-{number}.mp4")
    ]
    played_s = max(rendition.duration_s for rendition in [*pictures, *sounds])
    return UploadOutcome(played_s=played_s, faults=tuple(faults))


def _sounds(path: Path, work: Path, source: SourceInfo) -> list[EncodedRendition]:
    """Return the encodes of all audio tracks; beside a video track, undecodable ones are left out."""
    sounds = []
    for number in range(len(source.audio)):
        try:
            sounds.append(encode_audio(path, work, source=source, track=number))
        except TranscodeError:
            if not source.video:
                raise
    return sounds


def _poster(path: Path, work: Path, source: SourceInfo) -> None:
    """Make the poster; a TranscodeError is a valid end."""
    argv = poster_args(source, str(path), work / "poster.jpg")
    try:
        run_poster(argv, work / "poster.jpg") if argv else None
    except TranscodeError:
        return


def _faults_of_failure(failure: TranscodeError) -> list[str]:
    found = [] if failure.code in FAILURE_SENTENCES else [f"unknown code {failure.code}"]
    # The storage of a test is the disk, which does not fail: another try would be in vain.
    return [*found, f"blamed on storage: {failure}"] if isinstance(failure, StorageFailed) else found


def _faults(rendition: EncodedRendition, longest_s: float, joined: Path) -> list[str]:
    """Return the faults that keep a player from a rendition, or a playlist from naming it."""
    if len(rendition.inits) != 1:
        return [f"{len(rendition.inits)} init segments"]
    numbers = [segment.number for segment in rendition.segments]
    found = [] if numbers == list(range(len(numbers))) else [f"segments {numbers}"]
    # Rounded as EXT-X-TARGETDURATION compares them (RFC 8216, 4.3.3.1).
    too_long = [s.duration_s for s in rendition.segments if int(s.duration_s + 0.5) > int(longest_s + 0.5)]
    found += [f"segments of {too_long} s"] if too_long else []
    codec_string(*rendition.inits)
    complaints = _complaints(rendition.joined(joined))
    return [*found, f"FFmpeg: {complaints}"] if complaints else found


def _complaints(path: Path) -> str:
    """Return FFmpeg's complaints about an encode while it decodes all of it."""
    argv = [ffmpeg_path(), "-v", "error", "-nostdin", "-i", f"file:{path}", "-f", "null", "-"]
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    output = done.stderr.decode("utf-8", "replace").strip()
    return output[-300:] or ("" if done.returncode == 0 else f"exit code {done.returncode}")
