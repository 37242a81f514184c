from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media.boxes import BrokenBoxes
from common.media.boxes import write_box as box
from common.media.fragments import NOT_SYNC, FragmentReader, Movie, Sample, Track, write_fragment
from common.tests.movies import track
from live.tests.live_clips import FRAGMENTED, Published, ffmpeg, publish

MOOV = box(b"moov", track(1), box(b"mvex", box(b"trex", struct.pack(">6I", 0, 1, 1, 512, 3, NOT_SYNC))))

samples = st.builds(
    Sample,
    track=st.just(1),
    decode_time=st.just(0),
    duration=st.integers(0, 2**20),
    flags=st.integers(0, 2**32 - 1),
    composition_offset=st.integers(-(2**31), 2**31 - 1),
    data=st.binary(max_size=40),
)


def reader() -> FragmentReader:
    made = FragmentReader()
    list(made.feed(MOOV))
    return made


def test_movie_box_is_read_as_tracks_and_bytes() -> None:
    head = box(b"ftyp", b"iso6")

    assert list(FragmentReader().feed(head + MOOV)) == [
        Movie((Track(1, "vide", 16000, "avc1.64001f", 1280, 720, (512, 3, NOT_SYNC)),), head + MOOV)
    ]


@given(st.lists(samples, min_size=1, max_size=5), st.integers(0, 2**40), st.integers(1, 50))
def test_written_fragment_is_read_back_from_pieces_of_any_size(
    run: list[Sample], start: int, piece: int
) -> None:
    placed = []
    for sample in run:
        placed.append(Sample(1, start, sample.duration, sample.flags, sample.composition_offset, sample.data))
        start = placed[-1].end
    data = write_fragment(7, [placed, []])
    parser = reader()

    read = [made for at in range(0, len(data), piece) for made in parser.feed(data[at : at + piece])]

    assert read == placed


def test_box_size_of_64_bits_is_read() -> None:
    data = write_fragment(1, [[Sample(1, 5, 2, 0, 0, b"picture")]])
    at = data.index(b"mdat") - 4
    wide = data[:at] + struct.pack(">I4sQ", 1, b"mdat", len(data) - at + 8) + data[at + 8 :]
    # The longer size field moves the data by 8 bytes.
    offset = data.index(b"trun") + 4 + 8
    shifted = struct.unpack_from(">i", data, offset)[0] + 8
    wide = wide[:offset] + struct.pack(">i", shifted) + wide[offset + 4 :]

    assert [made.data for made in reader().feed(wide) if isinstance(made, Sample)] == [b"picture"]


def test_trex_and_tfhd_defaults_apply_to_samples() -> None:
    traf = box(
        b"traf",
        box(b"tfhd", struct.pack(">III", 0x020008, 1, 700)),
        box(b"tfdt", struct.pack(">II", 0, 90)),
        box(b"trun", struct.pack(">IIiI", 0x000005, 2, 0, 0x02000000)),
    )
    moof = box(b"moof", box(b"mfhd", bytes(8)), traf)
    at = moof.index(b"trun") + 12
    moof = moof[:at] + struct.pack(">i", len(moof) + 8) + moof[at + 4 :]

    read = list(reader().feed(moof + box(b"mdat", b"abcdef")))

    assert read == [Sample(1, 90, 700, 0x02000000, 0, b"abc"), Sample(1, 790, 700, NOT_SYNC, 0, b"def")]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I4s", 2**30, b"mdat"),
        struct.pack(">I4sQ", 1, b"mdat", 2**62),
        struct.pack(">I4s", 4, b"mdat"),
        struct.pack(">I4s", 0, b"mdat"),
        box(b"mdat", b"alone"),
        box(b"moov", b""),
        box(b"moof", box(b"traf", b"")) + box(b"mdat"),
        write_fragment(1, [[Sample(9, 0, 1, 0, 0, b"of another track")]]),
        write_fragment(1, [[Sample(1, 0, 1, 0, 0, b"longer")]])[:-14] + box(b"mdat", b"short"),
        box(
            b"moof",
            box(
                b"traf",
                box(b"tfhd", struct.pack(">IIII", 0x020018, 1, 1, 0)),
                box(b"tfdt", bytes(8)),
                box(b"trun", struct.pack(">IIi", 1, 2**31, 0)),
            ),
        )
        + box(b"mdat"),
    ],
)
def test_broken_or_oversized_boxes_are_refused(data: bytes) -> None:
    with pytest.raises(BrokenBoxes):
        list(reader().feed(data))


@given(st.binary(max_size=300))
def test_any_bytes_are_samples_or_broken_boxes(data: bytes) -> None:
    parser = reader()
    contents = (data, box(b"moov", data), box(b"prft", data), box(b"moof", data) + box(b"mdat", data))
    for content in contents:
        try:
            list(parser.feed(content))
        except BrokenBoxes:
            parser = reader()


def test_unknown_boxes_are_skipped() -> None:
    data = write_fragment(1, [[Sample(1, 5, 2, 0, 0, b"picture")]])

    assert len(list(reader().feed(box(b"styp", b"msdh") + box(b"sidx", bytes(32)) + data))) == 1


@pytest.mark.parametrize("version", [0, 1])
def test_producer_reference_time_outranks_the_decode_time(version: int) -> None:
    time = struct.pack(">QQ" if version else ">QI", 0, 108)
    reference = box(b"prft", struct.pack(">II", version << 24, 1) + time)
    run = [Sample(1, 5, 2, 0, 3, b"a"), Sample(1, 7, 2, 0, -1, b"b")]

    read = reader().feed(reference + write_fragment(1, [run]) + write_fragment(2, [run]))

    times = [sample.decode_time for sample in read if isinstance(sample, Sample)]
    assert times == [105, 107, 5, 7]


@pytest.mark.ffmpeg
def test_codecs_of_ffmpegs_tracks_are_named_for_players(tmp_path: Path) -> None:
    source = publish(tmp_path, Published(seconds=0.5))
    path = tmp_path / "copied.mp4"
    ffmpeg("-i", str(source), "-c", "copy", *FRAGMENTED, str(path))

    (movie,) = (made for made in FragmentReader().feed(path.read_bytes()) if isinstance(made, Movie))

    assert [(track.kind, track.codecs) for track in movie.tracks] == [
        ("vide", "avc1.64000b"),
        ("soun", "mp4a.40.2"),
    ]
