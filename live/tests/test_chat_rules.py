"""Tests of the chat's rules on values."""

from __future__ import annotations

import pytest

from live.chat.rules import MessageRefusal, RoomMode, RoomState, check, is_only_emotes
from live.chat.tickets import Visitor

OPEN = RoomState(stream_id=1, room="bob", status="live", is_open=True)
CLOSED = RoomState(stream_id=1, room="bob", status="live", is_open=False)
ALICE = Visitor(7, "alice", "Alice")
OWNER = Visitor(1, "bob", "Bob", ("owner",))


def test_signed_out_people_can_read_but_not_post() -> None:
    assert check(OPEN, None, "hi", 0) == MessageRefusal("sign_in_required")
    assert OPEN.admits(None)


def test_closed_room_admits_only_moderators() -> None:
    assert not CLOSED.admits(None)
    assert not CLOSED.admits(ALICE)
    assert CLOSED.admits(OWNER)


@pytest.mark.parametrize(
    ("until", "refusal"),
    [(None, MessageRefusal("banned")), (130.0, MessageRefusal("timed_out", 30.0)), (100.0, None), (0, None)],
)
def test_restriction_ends_at_its_time(until: float | None, refusal: MessageRefusal | None) -> None:
    state = RoomState(stream_id=1, room="bob", status="live", is_open=True, restrictions={7: until})

    assert check(state, ALICE, "hi", 100.0) == refusal
    assert state.is_banned(7) is (until is None)
    assert check(state, OWNER, "hi", 100.0) is None


def test_emotes_only_mode_does_not_bind_moderators() -> None:
    state = RoomState(stream_id=1, room="bob", status="live", is_open=True, mode=RoomMode(emotes_only=True))

    assert check(state, ALICE, "words", 0) == MessageRefusal("emotes_only")
    assert check(state, ALICE, "🎉 🎉", 0) is None
    assert check(state, OWNER, "words", 0) is None


@pytest.mark.parametrize(
    "text",
    ["😀", "👍🏽", "👨‍👩‍👧", "🇨🇳 🇩🇪", "❤️", "☀️🌙", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🥹 🫡", "✨ ⭐ ⌚ ➡️ ©️"],
)
def test_emojis_and_spaces_are_only_emotes(text: str) -> None:
    assert is_only_emotes(text)


@pytest.mark.parametrize("text", ["hi", "😀 hi", "1", "好", "(:", "#", "é"])
def test_other_text_is_not_only_emotes(text: str) -> None:
    assert not is_only_emotes(text)
