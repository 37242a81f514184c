from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from pytest import approx  # noqa: PT013

from common.media.fragments import NOT_SYNC, FragmentReader, Movie, Sample, write_fragment
from live.llhls.segments import UNKNOWN_S, Init, Packager, Part, SegmentEnd, Shape
from live.tests.live_clips import (
    Published,
    encoded_once,
    frame_digests,
    packaged,
    parts_of,
    samples,
    sounds_of,
)

pytestmark = pytest.mark.ffmpeg

STREAMS = {
    "30 fps": Published(),
    "30 fps with B-frames": Published(b_frames=2),
    "24 fps": Published(rate="24"),
    "25 fps with B-frames": Published(rate="25", b_frames=3),
    "29.97 fps": Published(rate="30000/1001"),
    "60 fps": Published(rate="60"),
    "4 fps": Published(rate="4"),
    "without sound": Published(has_audio=False),
    "GOPs of 2.4 s": Published(gop_s=2.4),
    "GOPs of 0.5 s": Published(gop_s=0.5),
}
STILLS = Published(picture_filter="select='not(between(n,37,58))*not(eq(mod(n,7),3))'")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(params=list(STREAMS.values()), ids=list(STREAMS))
def stream(request: pytest.FixtureRequest) -> Published:
    published: Published = request.param
    return published


def cuts(made: list[Init | Part | SegmentEnd]) -> list[tuple[int, int, bool, int]]:
    """Return each part's MSN, number, independence, and number of frames."""
    init = made[0]
    assert isinstance(init, Init)
    return [
        (part.msn, part.number, part.is_independent, len(samples(init, part)["vide"]))
        for part in parts_of(made)
    ]


def timescale_of(init: Init) -> int:
    """Return the video track's timescale (ticks per second)."""
    movie = next(thing for thing in FragmentReader().feed(init.data) if isinstance(thing, Movie))
    return next(track.timescale for track in movie.tracks if track.kind == "vide")


def test_parts_keep_to_the_part_target(stream: Published, directory: Path) -> None:
    target_s = stream.shape.part_target_s
    for path in encoded_once(stream, directory):
        parts = parts_of(packaged(path, stream.shape))
        followed = [part for part, after in pairwise(parts) if after.msn == part.msn]

        assert max(part.duration_s for part in parts) <= target_s
        assert min(part.duration_s for part in followed) >= 0.85 * target_s


def test_all_renditions_are_cut_at_the_same_frames(stream: Published, directory: Path) -> None:
    copied, *encoded = (cuts(packaged(path, stream.shape)) for path in encoded_once(stream, directory))

    assert encoded == [copied, copied]


def test_segment_ends_at_the_first_keyframe_after_its_minimum(stream: Published, directory: Path) -> None:
    for path in encoded_once(stream, directory):
        made = packaged(path, stream.shape)
        ends = [thing for thing in made if isinstance(thing, SegmentEnd)]

        assert [end.msn for end in ends] == list(range(len(ends)))
        # One GOP of 1 s or 2.4 s reaches the minimum of 1 s, as do two of half a second.
        wanted = max(stream.gop_s, 1.0)
        # FLV counts milliseconds, and 30 frames at 29.97 fps last 1.001 s.
        assert [end.duration_s for end in ends[:-1]] == approx([wanted] * (len(ends) - 1), abs=0.004)


def test_parts_hold_exactly_the_frames_of_the_source(
    stream: Published, directory: Path, tmp_path: Path
) -> None:
    for path in encoded_once(stream, directory):
        made = packaged(path, stream.shape)
        joined = tmp_path / path.name
        joined.write_bytes(b"".join(thing.data for thing in made if not isinstance(thing, SegmentEnd)))

        assert frame_digests(joined) == frame_digests(path)
        assert len(frame_digests(joined)) == round(stream.seconds * stream.frame_rate)
        if stream.has_audio:
            came, kept = sounds_of(path), sounds_of(joined)
            # Audio before the first frame is dropped; the last part does not wait
            # for its late audio, and no later part carries it.
            skipped = came.index(kept[0])
            assert kept == came[skipped : skipped + len(kept)]
            assert skipped <= 4
            assert len(came) - len(kept) < 15


def test_part_opened_by_a_keyframe_is_independent(stream: Published, directory: Path) -> None:
    for path in encoded_once(stream, directory):
        made = packaged(path, stream.shape)
        init = made[0]
        assert isinstance(init, Init)
        for part in parts_of(made):
            first, *others = samples(init, part)["vide"]
            assert first.is_sync == part.is_independent
            # With GOPs of half a second, parts of at least 85 % cannot end at every keyframe.
            assert stream.gop_s < 1 or not any(picture.is_sync for picture in others)
        assert all(part.is_independent for part in parts_of(made) if part.number == 0)


def test_timestamps_rise_over_all_parts(stream: Published, directory: Path) -> None:
    for path in encoded_once(stream, directory):
        made = packaged(path, stream.shape)
        init = made[0]
        assert isinstance(init, Init)
        for kind in ("vide", "soun"):
            run = [sample for part in parts_of(made) for sample in samples(init, part)[kind]]
            assert all(after.decode_time > before.decode_time for before, after in pairwise(run))


def shown_at(path: Path, stream: Published, start_s: float) -> tuple[list[float], list[float]]:
    """Return the presentation times of a rendition's video and audio frames, in order (s)."""
    made = packaged(path, stream.shape, start_s=start_s)
    init = made[0]
    assert isinstance(init, Init)
    rates = {"vide": timescale_of(init), "soun": 48000}
    found = {
        kind: sorted(
            (sample.decode_time + sample.composition_offset) / rates[kind]
            for part in parts_of(made)
            for sample in samples(init, part)[kind]
        )
        for kind in rates
    }
    return found["vide"], found["soun"]


@pytest.mark.parametrize("name", ["30 fps", "30 fps with B-frames", "25 fps with B-frames"])
def test_every_rendition_presents_each_frame_at_the_same_time(name: str, directory: Path) -> None:
    stream = STREAMS[name]
    paths = encoded_once(stream, directory)

    copied, *encoded = (shown_at(path, stream, 100.0) for path in paths)

    for pictures, sounds in encoded:
        assert pictures == approx(copied[0], abs=0.0011)
        # The last part does not wait for its audio.
        common = min(len(sounds), len(copied[1]))
        assert sounds[:common] == approx(copied[1][:common], abs=0.0011)
    assert copied[0][0] == 100.0
    assert 100.0 <= copied[1][0] < 100.03


def test_audio_stays_in_sync_with_b_frames(directory: Path) -> None:
    stream = STREAMS["25 fps with B-frames"]
    path = encoded_once(stream, directory)[0]
    reader = FragmentReader()
    found = [*reader.feed(path.read_bytes())]
    first = next(sample for sample in found if isinstance(sample, Sample) and sample.track == 1)
    sounds = [sample for sample in found if isinstance(sample, Sample) and sample.track == 2]
    init = next(made for made in packaged(path, stream.shape) if isinstance(made, Init))
    shown_s = (first.decode_time + first.composition_offset) / timescale_of(init)

    pictures, kept = shown_at(path, stream, 0.0)

    wanted = [sample.decode_time / 48000 - shown_s for sample in sounds]
    assert kept == approx([at_s for at_s in wanted if at_s >= 0][: len(kept)], abs=0.0011)
    assert pictures[0] == 0.0


def test_still_and_uneven_frames_are_packaged_completely(directory: Path, tmp_path: Path) -> None:
    paths = encoded_once(STILLS, directory)
    made = [packaged(path, STILLS.shape) for path in paths]

    assert [cuts(rendition) for rendition in made[1:]] == [cuts(made[0])] * 2
    for path, rendition in zip(paths, made, strict=True):
        joined = tmp_path / path.name
        joined.write_bytes(b"".join(thing.data for thing in rendition if not isinstance(thing, SegmentEnd)))
        assert frame_digests(joined) == frame_digests(path)
        assert max(part.duration_s for part in parts_of(rendition)) <= STILLS.shape.part_target_s
        ends = [thing.duration_s for thing in rendition if isinstance(thing, SegmentEnd)]
        assert sum(ends) == approx(STILLS.seconds, abs=0.1)


def test_init_segment_gives_codecs_and_size(directory: Path) -> None:
    init = packaged(encoded_once(STREAMS["30 fps"], directory)[0], Published().shape)[0]

    assert isinstance(init, Init)
    assert (init.codecs, init.width_px, init.height_px) == ("avc1.64000b,mp4a.40.2", 192, 108)


def test_segment_numbers_start_at_first_msn(directory: Path) -> None:
    parts = parts_of(packaged(encoded_once(Published(), directory)[0], Published().shape, first_msn=41))

    assert [(part.msn, part.number) for part in parts[:6]] == [*((41, n) for n in range(5)), (42, 0)]


@pytest.fixture(scope="module")
def init_data(directory: Path) -> bytes:
    init = packaged(encoded_once(Published(), directory)[0], Published().shape)[0]
    assert isinstance(init, Init)
    return init.data


SHAPE = Shape(part_target_s=0.202, target_duration_s=1)


def picture(number: int, *, is_key: bool = False, duration: int = 533) -> Sample:
    """Return the ``number``-th of 30 frames a second, in the clip's timescale of 16000."""
    return Sample(1, number * 1600 // 3, duration, 0 if is_key else NOT_SYNC, 0, b"p")


def sound(number: int) -> Sample:
    return Sample(2, number * 1024, 1024, 0, 0, b"s")


def fed(packager: Packager, *things: Sample) -> list[tuple[int, int] | float]:
    """Feed samples one by one; return the (MSN, number) of parts and the durations of segments."""
    return [
        (made.msn, made.number) if isinstance(made, Part) else round(made.duration_s, 2)
        for thing in things
        for made in packager.feed(write_fragment(1, [[thing]]))
        if not isinstance(made, Init)
    ]


def test_part_is_closed_without_waiting_for_another_frame(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)

    before = fed(packager, picture(0, is_key=True), *map(picture, range(1, 5)))
    at_the_sixth = fed(packager, picture(5))

    assert (before, at_the_sixth) == ([], [(0, 0)])


def test_frames_before_the_first_keyframe_are_dropped(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)

    made = fed(packager, *map(picture, range(30)))

    assert (made, packager.finish()) == ([], [])


def test_keyframe_before_the_minimum_ends_no_segment(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)
    keys = {0, 15, 30}

    made = fed(packager, *(picture(number, is_key=number in keys) for number in range(31)))

    assert made == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), 1.0]


def test_keyframe_opens_a_part_if_the_last_one_is_long_enough(init_data: bytes) -> None:
    packager = Packager(replace(SHAPE, part_target_s=0.234), first_msn=0)
    packager.feed(init_data)

    made = [
        thing
        for number in range(13)
        for thing in packager.feed(write_fragment(1, [[picture(number, is_key=number in {0, 6})]]))
        if isinstance(thing, Part)
    ]

    assert [(part.is_independent, round(part.duration_s, 2)) for part in made] == [(True, 0.2), (True, 0.23)]


def test_segment_may_end_a_tenth_before_its_minimum(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)

    made = fed(packager, *(picture(number, is_key=number in {0, 27}) for number in range(28)))

    assert made[-1] == 0.9


def test_late_audio_does_not_delay_a_part_and_is_in_the_next(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    init = next(made for made in packager.feed(init_data) if isinstance(made, Init))
    pictures = [picture(number, is_key=number == 0) for number in range(12)]
    stream = [*pictures[:6], *map(sound, range(12)), *pictures[6:]]

    parts = [
        made
        for thing in stream
        for made in packager.feed(write_fragment(1, [[thing]]))
        if isinstance(made, Part)
    ]

    assert [len(samples(init, part)["soun"]) for part in parts] == [0, 12]


def test_audio_that_rounding_puts_before_the_start_begins_at_zero(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    init = next(made for made in packager.feed(init_data) if isinstance(made, Init))
    # Reordering shows the first frame 80 ms later, one after the audio's 79 ms.
    pictures = [replace(picture(n, is_key=n == 0), composition_offset=1280) for n in range(6)]
    stream = [replace(sound(0), decode_time=79 * 48), *pictures]

    part = next(
        made
        for thing in stream
        for made in packager.feed(write_fragment(1, [[thing]]))
        if isinstance(made, Part)
    )

    assert [sample.decode_time for sample in samples(init, part)["soun"]] == [0]


def test_early_audio_waits_for_its_part(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    init = next(made for made in packager.feed(init_data) if isinstance(made, Init))
    stream = [*map(sound, range(19)), *(picture(number, is_key=number == 0) for number in range(12))]

    parts = [
        made
        for thing in stream
        for made in packager.feed(write_fragment(1, [[thing]]))
        if isinstance(made, Part)
    ]

    # 0.2 s are 9.4 audio frames at 48 kHz.
    assert [len(samples(init, part)["soun"]) for part in parts] == [10, 9]


def test_frame_without_duration_lasts_until_the_next_one(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)

    made = [
        thing
        for number in range(13)
        for thing in packager.feed(
            write_fragment(1, [[replace(picture(number, is_key=number == 0), duration=0)]])
        )
        if isinstance(thing, Part)
    ]

    assert [part.duration_s for part in made] == approx([0.2, 0.2], abs=0.001)


def test_frame_without_duration_lasts_as_long_as_the_newest_step(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)
    unknown = round(UNKNOWN_S * 16000)
    numbers = [*range(0, 12, 6), *range(12, 61, 15)]  # 5 frames a second, then 2

    for number in numbers:
        frame = replace(picture(number, is_key=number == 0), duration=unknown)
        packager.feed(write_fragment(1, [[frame]]))
    end = packager.finish()[-1]

    assert isinstance(end, SegmentEnd)
    assert end.duration_s == approx((numbers[-1] + 15) / 30, abs=0.002)


def test_last_frame_behind_a_gap_is_as_long_as_those_before_the_gap(init_data: bytes) -> None:
    # The B-frames before it never arrived: their publisher was killed.
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)
    unknown = round(UNKNOWN_S * 16000)

    for number in (0, 1, 2, 3, 4, 7):
        frame = replace(picture(number, is_key=number == 0), duration=unknown)
        packager.feed(write_fragment(1, [[frame]]))
    end = packager.finish()[-1]

    assert isinstance(end, SegmentEnd)
    assert end.duration_s == approx(8 / 30, abs=0.002)


def test_stuck_clock_does_not_fill_memory(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)
    still = replace(picture(0), duration=0)

    made = fed(packager, picture(0, is_key=True), *[still] * 1000)

    assert len(made) >= 2
