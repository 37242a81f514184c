"""The server's side of the handshake."""

from __future__ import annotations

import pytest

from live.rtmp.errors import ProtocolError
from live.rtmp.handshake import PACKET_BYTES, VERSION, Handshake

C1 = bytes(range(256)) * 6
C0_C1 = bytes([VERSION]) + C1


def test_answer_repeats_the_clients_packet_behind_our_own() -> None:
    handshake = Handshake()

    answer, rest = handshake.receive(C0_C1)

    assert len(answer) == 1 + 2 * PACKET_BYTES
    assert answer[0] == VERSION
    assert answer[1:9] == bytes(8)
    assert answer[1 + PACKET_BYTES :] == C1
    assert (rest, handshake.is_done) == (b"", False)


def test_two_handshakes_send_different_bytes() -> None:
    assert Handshake().receive(C0_C1)[0] != Handshake().receive(C0_C1)[0]


@pytest.mark.parametrize("piece", [1, 100, PACKET_BYTES, 4000])
def test_handshake_is_done_after_pieces_of_any_size(piece: int) -> None:
    handshake, answers, rests = Handshake(), b"", b""
    data = C0_C1 + bytes(PACKET_BYTES) + b"connect"

    for at in range(0, len(data), piece):
        if handshake.is_done:
            rests += data[at : at + piece]
            continue
        answer, rest = handshake.receive(data[at : at + piece])
        answers, rests = answers + answer, rests + rest

    assert len(answers) == 1 + 2 * PACKET_BYTES
    assert (rests, handshake.is_done) == (b"connect", True)


def test_nothing_is_answered_before_the_clients_packet_is_whole() -> None:
    handshake = Handshake()

    assert handshake.receive(C0_C1[:-1]) == (b"", b"")
    assert len(handshake.receive(C0_C1[-1:])[0]) == 1 + 2 * PACKET_BYTES
    assert handshake.receive(b"\0") == (b"", b"")


@pytest.mark.parametrize("first", [0x02, 0x06, 0x47, 0x16])
def test_other_protocol_is_refused_at_its_first_byte(first: int) -> None:
    with pytest.raises(ProtocolError, match="not_rtmp"):
        Handshake().receive(bytes([first]))


def test_second_packet_of_the_client_may_differ_from_ours() -> None:
    handshake = Handshake()
    handshake.receive(C0_C1)

    assert handshake.receive(b"\xff" * PACKET_BYTES) == (b"", b"")
    assert handshake.is_done
