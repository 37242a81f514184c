"""Frames of the chat as values, from clients and to clients.  No Django, no Redis.

A client's frame is one JSON object.  An invalid frame raises :class:`BadFrame`;
its code is sent back to the client.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from comments.text import has_visible

MAX_FRAME_BYTES = 4096
MAX_TEXT = 500
MAX_NONCE = 64
MAX_NAME = 150
MAX_ID = 64
MAX_SLOW_S = 3600
MAX_TIMEOUT_S = 14 * 24 * 3600
MAX_SEQ = 2**63 - 1
# The only event types that may be skipped in a room that is too fast to read.
SKIPPABLE = frozenset({"message", "viewers"})


class BadFrame(Exception):
    """Error for an invalid frame; ``nonce`` is the client's, if it was readable."""

    def __init__(self, code: str, nonce: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.nonce = nonce


@dataclass(frozen=True, slots=True)
class Say:
    text: str
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Request for all events after ``after``."""

    after: int


@dataclass(frozen=True, slots=True)
class Delete:
    id: str


@dataclass(frozen=True, slots=True)
class TimeOut:
    username: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Ban:
    username: str


@dataclass(frozen=True, slots=True)
class Unban:
    """Request to lift a ban or a time-out."""

    username: str


@dataclass(frozen=True, slots=True)
class SetMode:
    """Request to change the mode; ``changes`` holds only the changed settings."""

    changes: dict[str, int | bool] = field(default_factory=dict)


ClientFrame = Say | Resume | Delete | TimeOut | Ban | Unban | SetMode


def parse(text: str | bytes | None) -> ClientFrame:
    """Parse a client's frame.  Raises BadFrame."""
    if not isinstance(text, str):
        raise BadFrame("bad_frame")
    # A character takes at least one byte, so counting characters first may save the encoding.
    if len(text) > MAX_FRAME_BYTES or len(text.encode(errors="surrogatepass")) > MAX_FRAME_BYTES:
        raise BadFrame("too_long")
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame("bad_frame") from error
    if not isinstance(frame, dict):
        raise BadFrame("bad_frame")
    kind = frame.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadFrame("unknown_type", _nonce_in(frame))
    return reader(frame)


def _nonce_in(frame: dict[str, Any]) -> str | None:
    nonce = frame.get("nonce")
    return nonce if isinstance(nonce, str) and len(nonce) <= MAX_NONCE and is_sound(nonce) else None


def _read_say(frame: dict[str, Any]) -> Say:
    nonce, text = _nonce_in(frame), frame.get("text")
    if nonce is None and frame.get("nonce") is not None:
        raise BadFrame("bad_nonce")
    if not isinstance(text, str):
        raise BadFrame("bad_frame", nonce)
    text = text.strip()
    if not has_visible(text):
        raise BadFrame("empty", nonce)
    if len(text) > MAX_TEXT:
        raise BadFrame("too_long", nonce)
    if not is_sound(text):
        raise BadFrame("bad_characters", nonce)
    return Say(text, nonce)


def _read_mode(frame: dict[str, Any]) -> SetMode:
    changes: dict[str, int | bool] = {}
    if "slow_s" in frame:
        changes["slow_s"] = _whole(frame["slow_s"], 0, MAX_SLOW_S)
    for name in ("followers_only", "emotes_only"):
        if name in frame:
            if not isinstance(frame[name], bool):
                raise BadFrame("bad_frame")
            changes[name] = frame[name]
    if not changes:
        raise BadFrame("bad_frame")
    return SetMode(changes)


_READERS: dict[str, Callable[[dict[str, Any]], ClientFrame]] = {
    "say": _read_say,
    "resume": lambda frame: Resume(_whole(frame.get("after"), 0, MAX_SEQ)),
    "delete": lambda frame: Delete(_name(frame.get("id"), MAX_ID)),
    "timeout": lambda frame: TimeOut(
        _name(frame.get("username"), MAX_NAME), _whole(frame.get("seconds"), 1, MAX_TIMEOUT_S)
    ),
    "ban": lambda frame: Ban(_name(frame.get("username"), MAX_NAME)),
    "unban": lambda frame: Unban(_name(frame.get("username"), MAX_NAME)),
    "mode": _read_mode,
}


def _whole(value: object, least: int, most: int) -> int:
    # Python's True is an int, JSON's true is not a number.
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadFrame("bad_frame")
    return value


def _name(value: object, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not is_sound(value):
        raise BadFrame("bad_frame")
    return value


def is_sound(text: str) -> bool:
    """Return True if ``text`` has no control characters (NUL included) and no lone surrogates."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def dumps(value: object) -> str:
    """Serialize to compact JSON without ASCII escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Event:
    """Event of a room, with the JSON that every client receives.

    ``user_id`` is the author of a message, or the person cleared by a ``user_cleared``.
    """

    seq: int
    json: str
    type: str
    id: str = ""
    username: str = ""
    user_id: int | None = None
    is_kept: bool = False  # never skipped, however fast the room is
    size_bytes: int = 0  # of the JSON in UTF-8
    fields: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def read(cls, seq: int, text: str, user_id: int | None = None) -> Event:
        """Parse the JSON of an event from the room's log."""
        fields = json.loads(text)
        kind, user = fields["type"], fields.get("user") or {}
        return cls(
            seq=seq,
            json=text,
            type=kind,
            id=fields.get("id", ""),
            username=fields.get("username") or user.get("username", ""),
            user_id=user_id,
            is_kept=kind not in SKIPPABLE or bool(user.get("badges")),
            size_bytes=len(text.encode()),
            fields={} if kind == "message" else fields,
        )


def message_around_seq(
    *, public_id: str, user: dict[str, Any], text: str, sent_at: str, nonce: str | None = None
) -> tuple[str, str]:
    """Return a message's JSON before and after its ``seq``, which the log's script assigns."""
    rest: dict[str, Any] = {"user": user, "text": text, "sent_at": sent_at}
    if nonce is not None:
        rest["nonce"] = nonce
    head = dumps({"type": "message", "id": public_id})
    return f'{head[:-1]},"seq":', f",{dumps(rest)[1:]}"


def tick(seq: int, events: Iterable[str], skipped: int = 0) -> str:
    """Return a frame of several events; ``seq`` is that of the last one covered, shown or skipped."""
    left_out = f',"skipped":{skipped}' if skipped else ""
    return f'{{"type":"tick","seq":{seq},"events":[{",".join(events)}]{left_out}}}'


def hello(opening: dict[str, Any], you: dict[str, Any] | None, history: Iterable[str]) -> str:
    """Return the first frame: the room's ``opening`` fields, the client's identity, the last messages."""
    fields = dumps({"type": "hello", **opening, "you": you})
    return f'{fields[:-1]},"history":[{",".join(history)}]}}'


def error(code: str, detail: str, *, nonce: str | None = None, retry_after_s: float | None = None) -> str:
    fields: dict[str, Any] = {"type": "error", "code": code, "detail": detail}
    if nonce is not None:
        fields["nonce"] = nonce
    if retry_after_s is not None:
        fields["retry_after_s"] = retry_after_s
    return dumps(fields)
