"""Scans of Matroska files that are written byte by byte: the meaning of each element, and each refusal."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest

from videos.transcoding.copying.eligibility import NotCopied
from videos.transcoding.copying.matroska import MatroskaFile, scan_matroska
from videos.transcoding.copying.scanning import Scan

# Level 3, 4:2:0, one SPS and one PPS, which no decoder of these tests reads.
AVC = bytes.fromhex("0142c01effe1000467424c1e01000468ce3c80")
AAC = bytes.fromhex("1190")
UNKNOWN = b"\x01" + b"\xff" * 7


def element(kind: int, *content: bytes, size: bytes | None = None) -> bytes:
    """Return an element; its size is written in eight bytes unless given."""
    body = b"".join(content)
    kind_bytes = (kind.bit_length() + 7) // 8
    return kind.to_bytes(kind_bytes) + (size or b"\x01" + len(body).to_bytes(7)) + body


def whole(kind: int, value: int) -> bytes:
    return element(kind, value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def track(number: int, kind: int = 1, codec: bytes = b"V_MPEG4/ISO/AVC", *more: bytes) -> bytes:
    """Return an entry of a track with its private data."""
    private = AVC if kind == 1 else AAC
    entry = [whole(0xD7, number), whole(0x83, kind), element(0x86, codec), element(0x63A2, private)]
    if kind == 1 and not any(part.startswith(b"\xe0") for part in more):
        entry.append(element(0xE0, whole(0xB0, 640), whole(0xBA, 360)))
    return element(0xAE, *entry, *more)


def simple(number: int, offset: int, frame: bytes, flags: int = 0x80) -> bytes:
    return element(0xA3, bytes([0x80 | number]), struct.pack(">hB", offset, flags), frame)


def group(number: int, offset: int, frame: bytes, *, refers: bool) -> bytes:
    block = element(0xA1, bytes([0x80 | number]), struct.pack(">hB", offset, 0), frame)
    return element(0xA0, block, *([element(0xFB, b"\xff")] if refers else []))


def cluster(ticks: int, *blocks: bytes, size: bytes | None = None) -> bytes:
    return element(0x1F43B675, whole(0xE7, ticks), *blocks, size=size)


def file(*content: bytes, tracks: tuple[bytes, ...] = (track(1),), scale: int = 1_000_000) -> bytes:
    head = element(0x1A45DFA3, element(0x4282, b"matroska"))
    info = element(0x1549A966, whole(0x2AD7B1, scale))
    return head + element(0x18538067, info, element(0x1654AE6B, *tracks), *content, size=UNKNOWN)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


def scanned(data: bytes, pool: ThreadPoolExecutor) -> MatroskaFile:
    return scan_matroska(Scan(lambda at, length: data[at : at + length], len(data), pool))


def test_blocks_become_frames_with_times_places_and_keyframes(pool: ThreadPoolExecutor) -> None:
    data = file(
        cluster(0, simple(1, 0, b"key"), simple(1, 40, b"frame", 0)),
        cluster(1000, group(1, -10, b"other", refers=True), group(1, 30, b"keyframe", refers=False)),
    )

    (found,) = scanned(data, pool).tracks

    assert (found.kind, found.entry_kind, found.timescale, found.size_px) == (
        "vide",
        b"avc1",
        1000,
        (640, 360),
    )
    assert list(found.shown) == [0, 40, 990, 1030]
    assert list(found.keyframes) == [0, 3]
    frames = [data[at : at + size] for at, size in zip(found.places, found.sizes, strict=True)]
    assert frames == [b"key", b"frame", b"other", b"keyframe"]


def test_clusters_of_unknown_size_are_read_as_a_live_recorder_writes_them(pool: ThreadPoolExecutor) -> None:
    data = file(cluster(0, simple(1, 0, b"a"), size=UNKNOWN), cluster(500, simple(1, 0, b"b"), size=UNKNOWN))

    (found,) = scanned(data, pool).tracks

    assert list(found.shown) == [0, 500]


def test_frames_before_a_missing_end_are_kept(pool: ThreadPoolExecutor) -> None:
    data = file(cluster(0, simple(1, 0, b"a"), simple(1, 40, b"b" * 100), size=UNKNOWN))

    (found,) = scanned(data[:-50], pool).tracks

    assert list(found.sizes) == [1]


def test_tracks_keep_the_order_of_their_entries_and_others_are_left_out(pool: ThreadPoolExecutor) -> None:
    tracks = (track(3, 2, b"A_AAC"), track(2, 17, b"S_TEXT/UTF8"), track(1))
    blocks = [simple(number, 0, b"x") for number in (1, 2, 3)]

    found = scanned(file(cluster(0, *blocks), tracks=tracks), pool)

    assert [(one.number, one.kind, one.entry_kind) for one in found.tracks] == [
        (3, "soun", b"mp4a"),
        (1, "vide", b"avc1"),
    ]
    assert not found.has_cues


def test_index_is_noticed_unless_it_is_empty(pool: ThreadPoolExecutor) -> None:
    for cues, has_cues in ((element(0x1C53BB6B, b"x"), True), (element(0x1C53BB6B), False)):
        assert scanned(file(cues), pool).has_cues == has_cues


def test_rate_and_delay_of_an_entry_are_read(pool: ThreadPoolExecutor) -> None:
    entry = track(1, 1, b"V_MPEG4/ISO/AVC", whole(0x23E383, 40_000_000), whole(0x56AA, 80_000_000))

    (found,) = scanned(file(tracks=(entry,)), pool).tracks

    assert (found.claimed_rate, found.delay_s) == (Fraction(25), 0.08)


@pytest.mark.parametrize(
    "more",
    [
        element(0x6D80, b"x"),
        element(0x23314F, struct.pack(">f", 2.0)),
        element(0x23314F, struct.pack(">d", 0.5)),
    ],
    ids=["encodings", "stretched", "shrunk"],
)
def test_track_whose_frames_are_not_plain_is_no_copy(more: bytes, pool: ThreadPoolExecutor) -> None:
    (found,) = scanned(file(tracks=(track(1, 1, b"V_MPEG4/ISO/AVC", more),)), pool).tracks

    assert found.entry_kind == b""


@pytest.mark.parametrize("flags", [0x82, 0x84, 0x86])
def test_track_with_several_frames_in_a_block_is_no_copy(flags: int, pool: ThreadPoolExecutor) -> None:
    (found,) = scanned(file(cluster(0, simple(1, 0, b"two", flags))), pool).tracks

    assert found.entry_kind == b"lace"


def turned(*fields: bytes) -> bytes:
    video = element(0xE0, whole(0xB0, 640), whole(0xBA, 360), *fields)
    return track(1, 1, b"V_MPEG4/ISO/AVC", video)


def test_display_size_and_pose_are_read(pool: ThreadPoolExecutor) -> None:
    pose = element(0x7670, element(0x7675, struct.pack(">f", 90.0)))
    entry = turned(whole(0x54B0, 1280), whole(0x54BA, 720), pose)

    (found,) = scanned(file(tracks=(entry,)), pool).tracks

    assert (found.size_px, found.is_turned) == ((1280, 720), True)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(file(tracks=(turned(whole(0x54AA, 8)),)), "cropped", id="cropped"),
        pytest.param(file(tracks=(turned(whole(0x53B8, 1)),)), "cropped", id="stereoscopic"),
        pytest.param(file(tracks=(turned(element(0x55B0, whole(0x55B1, 300))),)), "colours", id="colours"),
        pytest.param(file(tracks=(track(1), track(1))), "tables", id="a number twice"),
        pytest.param(file(tracks=(track(0),)), "tables", id="no number"),
        pytest.param(file(scale=0), "tables", id="no ticks"),
        pytest.param(file(scale=333), "tables", id="odd ticks"),
        pytest.param(
            file(tracks=(track(1, 1, b"V_MPEG4/ISO/AVC", whole(0x23E383, 2**50)),)), "times", id="long frames"
        ),
        pytest.param(file(element(0x1654AE6B, track(2))), "tables", id="tracks twice"),
        pytest.param(file() + element(0x18538067, size=UNKNOWN), "tables", id="a second segment"),
        pytest.param(file() + element(0x1A45DFA3), "tables", id="a second file"),
        pytest.param(file(simple(1, 0, b"x")), "damaged", id="a block before any cluster"),
        pytest.param(file(cluster(0, element(0xA3, b"\x81\0"))), "damaged", id="a short block"),
        pytest.param(file(cluster(0, element(0xA3, b"\x00" * 8))), "damaged", id="a block of no track"),
        pytest.param(file(b"\x00" * 20), "damaged", id="no element"),
        pytest.param(file(b"\xec\x00" + b"\x00" * 20), "damaged", id="no size"),
        pytest.param(file(element(0xA0, b"\xa1\xff")), "damaged", id="a group with an endless block"),
        pytest.param(file(tracks=(b"\xae\xbf",)), "damaged", id="an entry longer than its parent"),
        pytest.param(file(tracks=(element(0xEC) * 5000,)), "damaged", id="too many children"),
    ],
)
def test_file_that_is_damaged_or_unusual_is_refused(data: bytes, code: str, pool: ThreadPoolExecutor) -> None:
    with pytest.raises(NotCopied) as refusal:
        scanned(data, pool)

    assert refusal.value.code == code


def test_header_above_its_bound_is_not_read(pool: ThreadPoolExecutor) -> None:
    reads: list[int] = []
    data = file(tracks=(element(0xEC, b"\0" * (5 * 1024**2)),))

    def read(at: int, length: int) -> bytes:
        reads.append(length)
        return data[at : at + length]

    with pytest.raises(NotCopied, match="header"):
        scan_matroska(Scan(read, len(data), pool))

    assert sum(reads) <= 4 * 1024**2
