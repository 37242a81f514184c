"""Who may say what, on values."""

from __future__ import annotations

import pytest

from live.chat.rules import Mode, Refusal, RoomState, check, is_only_emotes
from live.chat.tickets import Visitor

OPEN = RoomState(stream_id=1, room="bob", status="live", is_open=True)
CLOSED = RoomState(stream_id=1, room="bob", status="live", is_open=False)
ALICE = Visitor(7, "alice", "Alice")
OWNER = Visitor(1, "bob", "Bob", ("owner",))


def test_signed_out_people_only_read() -> None:
    assert check(OPEN, None, "hi", 0) == Refusal("sign_in_required")
    assert OPEN.admits(None)


def test_a_closed_room_is_for_who_moderates_it() -> None:
    assert not CLOSED.admits(None)
    assert not CLOSED.admits(ALICE)
    assert CLOSED.admits(OWNER)


@pytest.mark.parametrize(
    ("until", "refusal"),
    [(None, Refusal("banned")), (130.0, Refusal("timed_out", 30.0)), (100.0, None), (0, None)],
)
def test_restrictions_end_by_themselves(until: float | None, refusal: Refusal | None) -> None:
    state = RoomState(stream_id=1, room="bob", status="live", is_open=True, restrictions={7: until})

    assert check(state, ALICE, "hi", 100.0) == refusal
    assert state.is_banned(7) is (until is None)
    assert check(state, OWNER, "hi", 100.0) is None


def test_moderators_may_use_words_where_only_emotes_are_wanted() -> None:
    state = RoomState(stream_id=1, room="bob", status="live", is_open=True, mode=Mode(emotes_only=True))

    assert check(state, ALICE, "words", 0) == Refusal("emotes_only")
    assert check(state, ALICE, "🎉 🎉", 0) is None
    assert check(state, OWNER, "words", 0) is None


@pytest.mark.parametrize(
    "text",
    ["😀", "👍🏽", "👨‍👩‍👧", "🇨🇳 🇩🇪", "❤️", "☀️🌙", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🥹 🫡", "✨ ⭐ ⌚ ➡️ ©️"],
)
def test_an_emote(text: str) -> None:
    assert is_only_emotes(text)


@pytest.mark.parametrize("text", ["hi", "😀 hi", "1", "好", "(:", "#", "é"])
def test_no_emote(text: str) -> None:
    assert not is_only_emotes(text)
