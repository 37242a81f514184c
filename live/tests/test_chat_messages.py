"""Tests of frames as values, without Django and without Redis."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.chat import messages
from live.chat.messages import BadFrame, Event


def refusal_of(text: str | bytes | None) -> tuple[str, str | None]:
    with pytest.raises(BadFrame) as refused:
        messages.parse(text)
    return refused.value.code, refused.value.nonce


@pytest.mark.parametrize(
    ("frame", "meaning"),
    [
        ({"type": "say", "text": " hi ", "nonce": "n"}, messages.Say("hi", "n")),
        ({"type": "say", "text": "hi"}, messages.Say("hi")),
        ({"type": "say", "text": "😀" * 500}, messages.Say("😀" * 500)),
        ({"type": "resume", "after": 0}, messages.Resume(0)),
        ({"type": "delete", "id": "abc"}, messages.Delete("abc")),
        ({"type": "timeout", "username": "bob", "seconds": 60}, messages.TimeOut("bob", 60)),
        ({"type": "ban", "username": "bob"}, messages.Ban("bob")),
        ({"type": "unban", "username": "bob"}, messages.Unban("bob")),
        ({"type": "mode", "slow_s": 0}, messages.SetMode({"slow_s": 0})),
        (
            {"type": "mode", "followers_only": True, "emotes_only": False},
            messages.SetMode({"followers_only": True, "emotes_only": False}),
        ),
    ],
)
def test_valid_frame_is_parsed(frame: dict[str, object], meaning: messages.ClientFrame) -> None:
    assert messages.parse(json.dumps(frame, ensure_ascii=False)) == meaning


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "say"}, "bad_frame"),
        ({"type": "say", "text": 5}, "bad_frame"),
        ({"type": "say", "text": ""}, "empty"),
        ({"type": "say", "text": "\u200d\u2060 "}, "empty"),
        ({"type": "say", "text": "\u3164"}, "empty"),
        ({"type": "say", "text": "\u2800\u115f\u1160\uffa0\u17b4"}, "empty"),
        ({"type": "say", "text": "\U000e0041\U000e0001\u034f\ufe0f"}, "empty"),
        ({"type": "say", "text": "a\nb"}, "bad_characters"),
        ({"type": "say", "text": "a\x1bb"}, "bad_characters"),
        ({"type": "say", "text": "x" * 501}, "too_long"),
        ({"type": "resume", "after": -1}, "bad_frame"),
        ({"type": "resume", "after": 1.5}, "bad_frame"),
        ({"type": "resume", "after": 2**63}, "bad_frame"),
        ({"type": "delete", "id": ""}, "bad_frame"),
        ({"type": "delete", "id": "a\x00"}, "bad_frame"),
        ({"type": "timeout", "username": "bob", "seconds": 0}, "bad_frame"),
        ({"type": "timeout", "username": "bob", "seconds": True}, "bad_frame"),
        ({"type": "ban", "username": "b" * 151}, "bad_frame"),
        ({"type": "mode"}, "bad_frame"),
        ({"type": "mode", "slow_s": 3601}, "bad_frame"),
        ({"type": "mode", "emotes_only": 1}, "bad_frame"),
        ({"type": "shout"}, "unknown_type"),
        ({}, "unknown_type"),
    ],
)
def test_invalid_frame_is_refused_with_a_code(frame: dict[str, object], code: str) -> None:
    assert refusal_of(json.dumps(frame)) == (code, None)


def test_refusal_carries_the_nonce() -> None:
    assert refusal_of('{"type":"say","text":"","nonce":"abc"}') == ("empty", "abc")
    assert refusal_of('{"type":"say","text":"a","nonce":7}') == ("bad_nonce", None)


def test_frame_has_at_most_four_kilobytes() -> None:
    padding = "x" * (messages.MAX_FRAME_BYTES - len('{"type":"resume","after":1,"x":""}'))
    assert messages.parse(f'{{"type":"resume","after":1,"x":"{padding}"}}') == messages.Resume(1)
    assert refusal_of(f'{{"type":"resume","after":1,"x":"{padding}x"}}') == ("too_long", None)
    assert refusal_of("字" * 1366) == ("too_long", None)


@pytest.mark.parametrize("text", ["\ud800", "[" * 4000, "1" * 4090, "NaN", b"{}", None])
def test_malformed_json_is_a_bad_frame(text: str | bytes | None) -> None:
    assert refusal_of(text) == ("bad_frame", None)


@given(st.text(max_size=200) | st.binary(max_size=20))
def test_any_input_is_parsed_or_refused(frame: str | bytes) -> None:
    assert refusal_of(frame)[0] in {"bad_frame", "unknown_type"}


@given(st.text(max_size=600), st.none() | st.text(max_size=70))
def test_accepted_text_can_be_stored_and_encoded(text: str, nonce: str | None) -> None:
    frame = understood(json.dumps({"type": "say", "text": text, "nonce": nonce}))

    if isinstance(frame, messages.Say):
        assert 1 <= len(frame.text) <= 500
        assert "\x00" not in frame.text
        assert frame.text.encode().decode() == frame.text
    else:
        assert frame in {"empty", "too_long", "bad_characters", "bad_nonce"}


def understood(text: str) -> messages.ClientFrame | str:
    try:
        return messages.parse(text)
    except BadFrame as refused:
        return refused.code


def test_message_with_seq_inserted_is_complete_json() -> None:
    user = {"username": "bob", "display_name": "Bob 鲍", "badges": ["owner"]}
    head, tail = messages.message_around_seq(
        public_id="abc", user=user, text='say "hi"', sent_at="2026-01-01T00:00:00.000Z", nonce="n"
    )

    assert json.loads(f"{head}7{tail}") == {
        "type": "message",
        "id": "abc",
        "seq": 7,
        "user": user,
        "text": 'say "hi"',
        "sent_at": "2026-01-01T00:00:00.000Z",
        "nonce": "n",
    }
    event = Event.read(7, f"{head}7{tail}", 3)
    assert (event.type, event.id, event.username, event.user_id, event.is_kept) == (
        "message",
        "abc",
        "bob",
        3,
        True,
    )


@pytest.mark.parametrize(
    ("fields", "is_kept"),
    [
        ({"type": "message", "id": "a", "user": {"username": "bob", "badges": []}}, False),
        ({"type": "viewers", "count": 3}, False),
        ({"type": "message_deleted", "id": "a"}, True),
        ({"type": "user_cleared", "username": "bob"}, True),
        ({"type": "mode", "slow_s": 3}, True),
        ({"type": "broadcast", "status": "live"}, True),
    ],
)
def test_only_messages_and_viewer_counts_are_skippable(fields: dict[str, object], is_kept: bool) -> None:
    assert Event.read(1, json.dumps(fields)).is_kept is is_kept


def test_server_frames_are_json() -> None:
    assert messages.tick(3, ['{"a":1}', '{"b":2}']) == '{"type":"tick","seq":3,"events":[{"a":1},{"b":2}]}'
    assert json.loads(messages.tick(3, [], 2)) == {"type": "tick", "seq": 3, "events": [], "skipped": 2}
    assert json.loads(messages.hello({"room": "bob", "seq": 1}, None, ['{"a":1}'])) == {
        "type": "hello",
        "room": "bob",
        "seq": 1,
        "you": None,
        "history": [{"a": 1}],
    }
    assert json.loads(messages.error("slow_mode", "Wait.", nonce="n", retry_after_s=1.5)) == {
        "type": "error",
        "code": "slow_mode",
        "detail": "Wait.",
        "nonce": "n",
        "retry_after_s": 1.5,
    }
