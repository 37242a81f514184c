"""Tests of filling missing audio with silence."""

from __future__ import annotations

import subprocess
from itertools import pairwise

import pytest

from common.media.aac import AacConfig
from live.ingest.frames import Frame
from live.ingest.silence import NO_SOUND, SilenceFiller, silent_frame
from live.rtmp import flv
from videos.transcoding.tools import ffmpeg_path

SOUND_MS = 64 / 3
STEREO = Frame("audio", 0, bytes.fromhex("af001190"), 0.0, is_header=True)
REAL = b"\xaf\x01real"


def signal(seconds: float, *, sound: list[tuple[float, float]], late_s: float = 0) -> list[Frame]:
    """Return frames, and audio in the given spans (s) that arrives ``late_s`` late."""
    pictures = [Frame("video", n * 100 // 3, b"p", n / 30) for n in range(round(seconds * 30))]
    times = [round(number * SOUND_MS) for number in range(round(seconds * 1000 / SOUND_MS))]
    sounds = [
        Frame("audio", at_ms, REAL, at_ms / 1000 + late_s)
        for at_ms in times
        if any(begin <= at_ms / 1000 < end for begin, end in sound)
    ]
    return sorted([*pictures, *sounds], key=lambda frame: frame.arrived_at)


def filled(frames: list[Frame], header: Frame = STEREO) -> list[Frame]:
    silence = SilenceFiller(header, frames[0].timestamp_ms)
    return [piece for frame in frames for piece in silence.around(frame)]


def sounds_of(frames: list[Frame]) -> list[int]:
    return [frame.timestamp_ms for frame in frames if frame.kind == "audio"]


def real(frames: list[Frame]) -> int:
    return sum(frame.payload == REAL for frame in frames)


def longest_hole_ms(times: list[int]) -> int:
    return max(after - before for before, after in pairwise(times))


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param([(0, 10)], id="stops"),
        pytest.param([(0, 10), (16, 20)], id="pauses"),
        pytest.param([], id="never comes"),
        pytest.param([(8, 20)], id="comes late"),
        pytest.param([(0, 2), (2.3, 4), (4.2, 20)], id="has small holes"),
    ],
)
def test_audio_is_continuous_from_first_to_last_frame(spans: list[tuple[float, float]]) -> None:
    frames = signal(20, sound=spans)

    made = filled(frames)

    times = sounds_of(made)
    assert longest_hole_ms(times) <= 45
    assert times[0] <= 22
    assert times[-1] >= 19_900
    assert times == sorted(times)
    # At most two audio frames are lost at the return of the real audio.
    assert real(frames) - real(made) <= 2
    assert [frame for frame in made if frame.is_video] == [frame for frame in frames if frame.is_video]


def test_continuous_audio_passes_unchanged() -> None:
    frames = signal(5, sound=[(0, 5)])

    assert filled(frames) == frames


def test_late_audio_is_awaited_after_its_first_delay() -> None:
    frames = signal(20, sound=[(0, 20)], late_s=1.2)

    made = filled(frames)

    assert longest_hole_ms(sounds_of(made)) <= 45
    assert real(made) > 0.85 * real(frames)


def test_source_without_audio_header_gets_silence_with_each_frame() -> None:
    made = filled(signal(2, sound=[]), NO_SOUND)

    sounds_ms, pictures_ms = sounds_of(made), [frame.timestamp_ms for frame in made if frame.is_video]
    assert pictures_ms[-1] - sounds_ms[-1] <= 43
    assert flv.aac_config(NO_SOUND.payload) == AacConfig(2, 48_000, 2)


def test_audio_with_unknown_channels_is_unchanged() -> None:
    frames = signal(3, sound=[(0, 1)])

    assert filled(frames, Frame("audio", 0, bytes.fromhex("af001180"), 0.0, is_header=True)) == frames


@pytest.mark.ffmpeg
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7])
def test_silent_frames_decode_to_silence(channels: int) -> None:
    header = b"\xaf\x00" + (2 << 11 | 3 << 7 | channels << 3).to_bytes(2)
    config = flv.aac_config(header)
    silent = silent_frame(config)
    assert silent
    tags = [flv.tag("audio", round(n * SOUND_MS), b"\xaf\x01" + silent) for n in range(10)]

    done = subprocess.run(
        [ffmpeg_path(), "-v", "warning", "-f", "flv", "-i", "pipe:0", "-f", "s16le", "-"],
        input=b"".join([flv.file_header(has_video=False), flv.tag("audio", 0, header), *tags]),
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert done.stderr == b""
    assert done.stdout == bytes(10 * 1024 * 2 * config.channels)
