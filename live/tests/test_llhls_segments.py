from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from pytest import approx  # noqa: PT013

from live.llhls.boxes import NOT_SYNC, Sample, write_fragment
from live.llhls.segments import Init, Packager, Part, SegmentEnd, Shape
from live.tests.live_clips import Published, encoded_once, frame_digests, packaged, parts_of, samples

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
    "sound encoded again": Published(encodes_audio=True),
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
    """Each part's place, whether it is independent, and how many pictures it holds."""
    init = made[0]
    assert isinstance(init, Init)
    return [
        (part.msn, part.number, part.is_independent, len(samples(init, part)["vide"]))
        for part in parts_of(made)
    ]


def test_parts_hold_to_the_target(stream: Published, directory: Path) -> None:
    target_s = stream.shape.part_target_s
    for path in encoded_once(stream, directory):
        parts = parts_of(packaged(path, stream.shape))
        followed = [part for part, after in pairwise(parts) if after.msn == part.msn]

        assert max(part.duration_s for part in parts) <= target_s
        assert min(part.duration_s for part in followed) >= 0.85 * target_s


def test_all_renditions_are_cut_at_the_same_pictures(stream: Published, directory: Path) -> None:
    copied, *encoded = (cuts(packaged(path, stream.shape)) for path in encoded_once(stream, directory))

    assert encoded == [copied, copied]


def test_segments_end_at_the_first_keyframe_from_their_minimum_on(stream: Published, directory: Path) -> None:
    for path in encoded_once(stream, directory):
        made = packaged(path, stream.shape)
        ends = [thing for thing in made if isinstance(thing, SegmentEnd)]

        assert [end.msn for end in ends] == list(range(len(ends)))
        # 1 s is reached by one GOP of 1 s or 2.4 s and by two of half a second.
        wanted = max(stream.gop_s, 1.0)
        # FLV counts milliseconds, and 29.97 pictures a second are 1.001 s for 30.
        assert [end.duration_s for end in ends[:-1]] == approx([wanted] * (len(ends) - 1), abs=0.004)


def test_parts_are_exactly_the_pictures_and_the_sound_that_came(
    stream: Published, directory: Path, tmp_path: Path
) -> None:
    for path in encoded_once(stream, directory):
        made = packaged(path, stream.shape)
        joined = tmp_path / path.name
        joined.write_bytes(b"".join(thing.data for thing in made if not isinstance(thing, SegmentEnd)))

        assert frame_digests(joined) == frame_digests(path)
        assert len(frame_digests(joined)) == round(stream.seconds * stream.frame_rate)
        if stream.has_audio:
            came, kept = frame_digests(path, "a"), frame_digests(joined, "a")
            # The last part did not wait for its sound, and there is no later one.
            assert kept == came[: len(kept)]
            assert len(came) - len(kept) < 15


def test_a_part_is_independent_where_a_keyframe_opens_it(stream: Published, directory: Path) -> None:
    for path in encoded_once(stream, directory):
        made = packaged(path, stream.shape)
        init = made[0]
        assert isinstance(init, Init)
        for part in parts_of(made):
            first, *others = samples(init, part)["vide"]
            assert first.is_sync == part.is_independent
            # With GOPs of half a second a part of 85 % or more cannot end at each.
            assert stream.gop_s < 1 or not any(picture.is_sync for picture in others)
        assert all(part.is_independent for part in parts_of(made) if part.number == 0)


def test_timestamps_go_on_from_part_to_part(stream: Published, directory: Path) -> None:
    for path in encoded_once(stream, directory):
        made = packaged(path, stream.shape)
        init = made[0]
        assert isinstance(init, Init)
        for kind in ("vide", "soun"):
            run = [sample for part in parts_of(made) for sample in samples(init, part)[kind]]
            assert all(after.decode_time > before.decode_time for before, after in pairwise(run))


def test_the_stretched_first_picture_gets_its_own_length_back(directory: Path) -> None:
    published = STREAMS["sound encoded again"]
    for path in encoded_once(published, directory):
        first = parts_of(packaged(path, published.shape))[0]

        assert first.duration_s == approx(0.2, abs=0.002)


def test_pictures_that_stand_or_come_unevenly_break_nothing(directory: Path, tmp_path: Path) -> None:
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


def test_the_init_segment_says_what_a_playlist_needs(directory: Path) -> None:
    init = packaged(encoded_once(STREAMS["30 fps"], directory)[0], Published().shape)[0]

    assert isinstance(init, Init)
    assert (init.codecs, init.width_px, init.height_px) == ("avc1.64000b,mp4a.40.2", 192, 108)


def test_numbers_go_on_from_where_the_epoch_before_ended(directory: Path) -> None:
    parts = parts_of(packaged(encoded_once(Published(), directory)[0], Published().shape, first_msn=41))

    assert [(part.msn, part.number) for part in parts[:6]] == [*((41, n) for n in range(5)), (42, 0)]


# --- On samples ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def init_data(directory: Path) -> bytes:
    init = packaged(encoded_once(Published(), directory)[0], Published().shape)[0]
    assert isinstance(init, Init)
    return init.data


SHAPE = Shape(part_target_s=0.202, target_duration_s=1)


def picture(number: int, *, is_key: bool = False, duration: int = 533) -> Sample:
    """A picture of 30 a second; the clip's timescale is 16000."""
    return Sample(1, number * 1600 // 3, duration, 0 if is_key else NOT_SYNC, 0, b"p")


def sound(number: int) -> Sample:
    return Sample(2, number * 1024, 1024, 0, 0, b"s")


def fed(packager: Packager, *things: Sample) -> list[tuple[int, int] | float]:
    """What single samples complete: a part's place, a segment's duration."""
    return [
        (made.msn, made.number) if isinstance(made, Part) else round(made.duration_s, 2)
        for thing in things
        for made in packager.feed(write_fragment(1, [[thing]]))
        if not isinstance(made, Init)
    ]


def test_a_part_is_closed_without_waiting_for_the_next_picture(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)

    before = fed(packager, picture(0, is_key=True), *map(picture, range(1, 5)))
    at_the_sixth = fed(packager, picture(5))

    assert (before, at_the_sixth) == ([], [(0, 0)])


def test_what_comes_before_the_first_keyframe_is_left_out(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)

    made = fed(packager, *map(picture, range(30)))

    assert (made, packager.finish()) == ([], [])


def test_a_keyframe_before_the_minimum_ends_no_segment(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)
    keys = {0, 15, 30}

    made = fed(packager, *(picture(number, is_key=number in keys) for number in range(31)))

    assert made == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), 1.0]


def test_a_keyframe_opens_a_part_if_the_one_before_is_long_enough(init_data: bytes) -> None:
    packager = Packager(replace(SHAPE, part_target_s=0.234), first_msn=0)
    packager.feed(init_data)

    made = [
        thing
        for number in range(13)
        for thing in packager.feed(write_fragment(1, [[picture(number, is_key=number in {0, 6})]]))
        if isinstance(thing, Part)
    ]

    assert [(part.is_independent, round(part.duration_s, 2)) for part in made] == [(True, 0.2), (True, 0.23)]


def test_a_segment_may_end_a_tenth_before_its_minimum(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)

    made = fed(packager, *(picture(number, is_key=number in {0, 27}) for number in range(28)))

    assert made[-1] == 0.9


def test_late_sound_does_not_hold_a_part_back_and_comes_with_the_next(init_data: bytes) -> None:
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


def test_sound_ahead_of_the_picture_waits_for_its_part(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    init = next(made for made in packager.feed(init_data) if isinstance(made, Init))
    stream = [*map(sound, range(19)), *(picture(number, is_key=number == 0) for number in range(12))]

    parts = [
        made
        for thing in stream
        for made in packager.feed(write_fragment(1, [[thing]]))
        if isinstance(made, Part)
    ]

    # 0.2 s are 9.4 frames of sound at 48 kHz.
    assert [len(samples(init, part)["soun"]) for part in parts] == [10, 9]


def test_pictures_without_a_duration_last_until_the_next(init_data: bytes) -> None:
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


def test_a_clock_that_stands_still_fills_no_memory(init_data: bytes) -> None:
    packager = Packager(SHAPE, first_msn=0)
    packager.feed(init_data)
    still = replace(picture(0), duration=0)

    made = fed(packager, picture(0, is_key=True), *[still] * 1000)

    assert len(made) >= 2
