import contextlib
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.rtmp import chunks
from live.rtmp.chunks import ChunkReader, ChunkWriter, Message
from live.rtmp.errors import ProtocolError

messages = st.builds(
    Message,
    type_id=st.sampled_from([chunks.AUDIO, chunks.VIDEO, chunks.DATA, chunks.COMMAND]),
    stream_id=st.integers(0, 2),
    timestamp_ms=st.integers(0, 100) | st.integers(0xFFFFF0, 0x1000010) | st.integers(0, 0xFFFFFFFF),
    payload=st.integers(0, 600).map(lambda size: bytes(index % 251 for index in range(size))),
)
chunk_stream_ids = st.sampled_from([3, 4, 63, 64, 319, 320, 65_599])


def reader(*, max_message_bytes: int = 10_000) -> ChunkReader:
    return ChunkReader(max_message_bytes=max_message_bytes, max_chunk_streams=8)


def read(data: bytes, reading: ChunkReader | None = None) -> list[Message]:
    reading = reading or reader()
    reading.feed(data)
    return list(iter(reading.next_message, None))


def failure(*data: bytes, reading: ChunkReader | None = None) -> str:
    with pytest.raises(ProtocolError) as caught:
        read(b"".join(data), reading or reader())
    return caught.value.code


@given(
    st.lists(st.tuples(chunk_stream_ids, messages), max_size=12),
    st.integers(1, 700) | st.sampled_from([131_072, 0x7FFFFFFF]),
    st.lists(st.integers(1, 50), min_size=1),
)
def test_written_messages_are_read_unchanged_from_any_pieces(
    written: list[tuple[int, Message]], chunk_bytes: int, steps: list[int]
) -> None:
    writer = ChunkWriter()
    data = writer.set_chunk_bytes(chunk_bytes)
    data += b"".join(writer.message(chunk_stream, message) for chunk_stream, message in written)

    at_once = read(data)
    reading, in_pieces, at = reader(), [], 0
    while at < len(data):
        step = steps[at % len(steps)]
        in_pieces += read(data[at : at + step], reading)
        at += step

    assert at_once == in_pieces == [message for _chunk_stream, message in written]


@given(st.lists(st.lists(messages, max_size=4), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_chunk_streams_may_alternate_after_any_chunk(
    by_stream: list[list[Message]], chance: random.Random
) -> None:
    writer = ChunkWriter()
    waiting = [
        [piece for message in sent for piece in writer.chunks(3 + number, message)]
        for number, sent in enumerate(by_stream)
    ]
    data = b""
    while any(waiting):
        data += chance.choice([pieces for pieces in waiting if pieces]).pop(0)

    found = read(data)

    assert sorted(map(repr, found)) == sorted(repr(message) for sent in by_stream for message in sent)


@given(st.binary(max_size=600))
def test_any_bytes_are_messages_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        read(data)


def test_four_header_types_are_read() -> None:
    data = bytes.fromhex(
        "04 000064 000001 09 01000000 aa"  # whole: 100 ms, 1 byte, video, stream 1
        "44 00000a 000002 08 bbbb"  # 10 ms later, 2 bytes, audio
        "84 000014 cccc"  # 20 ms later
        "c4 dddd"  # no changes
    )

    assert read(data) == [
        Message(9, 1, 100, b"\xaa"),
        Message(8, 1, 110, b"\xbb\xbb"),
        Message(8, 1, 130, b"\xcc\xcc"),
        Message(8, 1, 150, b"\xdd\xdd"),
    ]


def test_writer_uses_the_shortest_possible_header() -> None:
    writer = ChunkWriter()
    steps = [(9, 100, b"a"), (8, 110, b"bb"), (8, 130, b"cc"), (8, 150, b"dd"), (8, 90, b"ee")]

    written = [writer.message(4, Message(kind, 1, time, data)) for kind, time, data in steps]

    assert [len(data) for data in written] == [1 + 11 + 1, 1 + 7 + 2, 1 + 3 + 2, 1 + 2, 1 + 11 + 2]


def test_headerless_message_after_a_full_header_repeats_its_time() -> None:
    """The time step is the timestamp of the full header (RTMP 1.0, 5.3.1.2.4)."""
    data = bytes.fromhex("04 000017 000001 08 01000000 aa c4 bb")

    assert [message.timestamp_ms for message in read(data)] == [0x17, 0x2E]


def test_chunk_stream_ids_take_one_two_or_three_bytes() -> None:
    header = bytes.fromhex("000000 000001 09 01000000 aa")

    for basic in ("3f", "00 00", "00 ff", "01 0000", "01 ffff"):
        assert read(bytes.fromhex(basic) + header) == [Message(9, 1, 0, b"\xaa")]


def extended(*, is_repeated: bool) -> bytes:
    """Return 200 bytes at 0x01000000 ms, in two chunks."""
    time = bytes.fromhex("01000000")
    first = bytes.fromhex("04 ffffff 0000c8 09 01000000") + time + bytes(128)
    return first + b"\xc4" + (time if is_repeated else b"") + bytes(72)


@pytest.mark.parametrize("is_repeated", [True, False])
def test_extended_timestamp_may_be_repeated_in_later_chunks(is_repeated: bool) -> None:
    after = bytes.fromhex("44 00000a 000001 08 aa")

    found = read(extended(is_repeated=is_repeated) + after)

    assert found == [Message(9, 1, 0x01000000, bytes(200)), Message(8, 1, 0x0100000A, b"\xaa")]


def test_long_time_step_is_read_from_the_extended_timestamp() -> None:
    data = bytes.fromhex("04 000001 000001 09 01000000 aa 84 ffffff 01000000 bb")

    assert [message.timestamp_ms for message in read(data)] == [1, 0x01000001]


def test_timestamp_wraps_after_49_days() -> None:
    data = bytes.fromhex("04 ffffff 000001 09 01000000 fffffff0 aa 84 000020 bb")

    assert [message.timestamp_ms for message in read(data)] == [0xFFFFFFF0, 0x10]


def test_chunk_stream_may_open_without_a_message_stream_id() -> None:
    assert read(bytes.fromhex("44 00000a 000001 08 aa")) == [Message(8, 0, 10, b"\xaa")]


def test_empty_message_is_read() -> None:
    assert read(bytes.fromhex("04 000000 000000 08 01000000")) == [Message(8, 1, 0, b"")]


def test_aborted_message_is_dropped() -> None:
    begun = bytes.fromhex("04 000000 0000c8 09 01000000") + bytes(128)
    abort = ChunkWriter().control(chunks.ABORT, (4).to_bytes(4))
    other = bytes.fromhex("04 000000 000001 08 01000000 aa")

    assert read(begun + abort + other) == [Message(8, 1, 0, b"\xaa")]


def whole_header(length: int, chunk_stream: int = 4) -> bytes:
    return bytes([chunk_stream]) + bytes(3) + length.to_bytes(3) + b"\x09" + bytes(4)


def test_overlong_message_is_refused_by_its_header() -> None:
    assert failure(whole_header(10_001)) == "message_too_large"


def test_unfinished_messages_share_one_bound_over_chunk_streams() -> None:
    """Many chunk streams do not multiply a connection's memory."""
    begun = [
        whole_header(9_000, chunk_stream) + bytes(128) + (bytes([0xC0 | chunk_stream]) + bytes(128)) * 30
        for chunk_stream in (4, 5, 6)
    ]

    assert failure(*begun) == "too_much_unfinished"


def test_finished_and_aborted_messages_do_not_count_as_unfinished() -> None:
    reading = reader(max_message_bytes=200)
    abort = ChunkWriter().control(chunks.ABORT, (5).to_bytes(4))

    for _ in range(5):
        read(whole_header(100) + bytes(100), reading)
        read(whole_header(200, 5) + bytes(128) + abort, reading)


def test_number_of_chunk_streams_is_bounded() -> None:
    assert failure(*(whole_header(0, number) for number in range(3, 12))) == "too_many_chunk_streams"


@pytest.mark.parametrize("size", [0, 0x80000000, 0xFFFFFFFF])
def test_zero_or_negative_chunk_size_is_refused(size: int) -> None:
    assert failure(ChunkWriter().control(chunks.SET_CHUNK_SIZE, size.to_bytes(4))) == "bad_chunk_size"


def test_header_inside_a_message_is_refused() -> None:
    assert failure(whole_header(200) + bytes(128), whole_header(200)) == "message_interrupted"


@pytest.mark.parametrize("first", [b"\x84", b"\xc4"])
def test_header_without_a_previous_one_is_refused(first: bytes) -> None:
    assert failure(first, bytes(20)) == "header_refers_to_nothing"


def test_declared_length_allocates_no_memory() -> None:
    reading = reader(max_message_bytes=8 * 1024**2)

    read(whole_header(8 * 1024**2) + bytes(10), reading)

    assert sum(map(len, held(reading))) == 10


def held(reading: ChunkReader) -> Iterable[bytearray]:
    yield reading._buffer
    for stream in reading._streams.values():
        yield stream.payload
