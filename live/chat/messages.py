"""The chat's frames as values: what clients may say, and what they are told.  No Django, no Redis.

A client's frame is one JSON object.  Whatever is wrong with it is a
:class:`BadFrame`, whose code goes back to the client.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

MAX_FRAME_BYTES = 4096
MAX_TEXT = 500
MAX_NONCE = 64
MAX_NAME = 150
MAX_ID = 64
MAX_SLOW_S = 3600
MAX_TIMEOUT_S = 14 * 24 * 3600
MAX_SEQ = 2**63 - 1
# These may be left out where a room is faster than anyone reads; nothing else ever is.
SKIPPABLE = frozenset({"message", "viewers"})


class BadFrame(Exception):
    """A frame that means nothing; ``nonce`` is the client's, where it could be read."""

    def __init__(self, code: str, nonce: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.nonce = nonce


# --- What clients say --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    text: str
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Everything after event ``after`` is asked for again."""

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
    """Takes back a ban or a timeout."""

    username: str


@dataclass(frozen=True, slots=True)
class SetMode:
    """``changes`` holds only what is to change."""

    changes: dict[str, int | bool] = field(default_factory=dict)


Frame = Say | Resume | Delete | TimeOut | Ban | Unban | SetMode


def parse(text: str | bytes | None) -> Frame:
    """Return what a client's frame means.  Raises BadFrame."""
    if not isinstance(text, str):
        raise BadFrame("bad_frame")
    # A character has at least one byte: what is too long by count need not be encoded.
    if len(text) > MAX_FRAME_BYTES or len(text.encode(errors="surrogatepass")) > MAX_FRAME_BYTES:
        raise BadFrame("too_long")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame("bad_frame") from error
    if not isinstance(said, dict):
        raise BadFrame("bad_frame")
    kind = said.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadFrame("unknown_type", _nonce_in(said))
    return reader(said)


def _nonce_in(said: dict[str, Any]) -> str | None:
    nonce = said.get("nonce")
    return nonce if isinstance(nonce, str) and len(nonce) <= MAX_NONCE and is_sound(nonce) else None


def _read_say(said: dict[str, Any]) -> Say:
    nonce, text = _nonce_in(said), said.get("text")
    if nonce is None and said.get("nonce") is not None:
        raise BadFrame("bad_nonce")
    if not isinstance(text, str):
        raise BadFrame("bad_frame", nonce)
    text = text.strip()
    if not any(map(is_visible, text)):
        raise BadFrame("empty", nonce)
    if len(text) > MAX_TEXT:
        raise BadFrame("too_long", nonce)
    if not is_sound(text):
        raise BadFrame("bad_characters", nonce)
    return Say(text, nonce)


def _read_resume(said: dict[str, Any]) -> Resume:
    return Resume(_whole(said.get("after"), 0, MAX_SEQ))


def _read_delete(said: dict[str, Any]) -> Delete:
    return Delete(_name(said.get("id"), MAX_ID))


def _read_timeout(said: dict[str, Any]) -> TimeOut:
    seconds = _whole(said.get("seconds"), 1, MAX_TIMEOUT_S)
    return TimeOut(_name(said.get("username"), MAX_NAME), seconds)


def _read_ban(said: dict[str, Any]) -> Ban:
    return Ban(_name(said.get("username"), MAX_NAME))


def _read_unban(said: dict[str, Any]) -> Unban:
    return Unban(_name(said.get("username"), MAX_NAME))


def _read_mode(said: dict[str, Any]) -> SetMode:
    changes: dict[str, int | bool] = {}
    if "slow_s" in said:
        changes["slow_s"] = _whole(said["slow_s"], 0, MAX_SLOW_S)
    for name in ("followers_only", "emotes_only"):
        if name in said:
            if not isinstance(said[name], bool):
                raise BadFrame("bad_frame")
            changes[name] = said[name]
    if not changes:
        raise BadFrame("bad_frame")
    return SetMode(changes)


_READERS: dict[str, Callable[[dict[str, Any]], Frame]] = {
    "say": _read_say,
    "resume": _read_resume,
    "delete": _read_delete,
    "timeout": _read_timeout,
    "ban": _read_ban,
    "unban": _read_unban,
    "mode": _read_mode,
}


def _whole(value: object, least: int, most: int) -> int:
    # In Python True is a number, in JSON it is not.
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadFrame("bad_frame")
    return value


def _name(value: object, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not is_sound(value):
        raise BadFrame("bad_frame")
    return value


def is_sound(text: str) -> bool:
    """Whether it can be stored and sent: no control characters (NUL among them), no half characters."""
    return not any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def is_visible(character: str) -> bool:
    return unicodedata.category(character) not in {"Cf", "Mn", "Zs", "Zl", "Zp"}


# --- What clients are told ---------------------------------------------------------


def dumps(value: object) -> str:
    """JSON as it travels: compact, in its own characters."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a room, in the JSON that every client gets.

    ``user_id`` is the author of a message or whom a ``user_cleared`` is about.
    """

    seq: int
    json: str
    type: str
    id: str = ""
    username: str = ""
    user_id: int | None = None
    is_kept: bool = False  # never left out, however fast the room is
    fields: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def read(cls, seq: int, text: str, user_id: int | None = None) -> Event:
        """The event in the JSON that the room's log holds."""
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
            fields={} if kind == "message" else fields,
        )


def message_around_seq(
    *, public_id: str, user: dict[str, Any], text: str, sent_at: str, nonce: str | None = None
) -> tuple[str, str]:
    """A message's JSON before and after its seq, which is known only where the log assigns it."""
    rest: dict[str, Any] = {"user": user, "text": text, "sent_at": sent_at}
    if nonce is not None:
        rest["nonce"] = nonce
    head = dumps({"type": "message", "id": public_id})
    return f'{head[:-1]},"seq":', f",{dumps(rest)[1:]}"


def tick(seq: int, events: Iterable[str], skipped: int = 0) -> str:
    """Several events in one frame; ``seq`` is that of the last that it speaks for, shown or skipped."""
    left_out = f',"skipped":{skipped}' if skipped else ""
    return f'{{"type":"tick","seq":{seq},"events":[{",".join(events)}]{left_out}}}'


def hello(opening: dict[str, Any], you: dict[str, Any] | None, history: Iterable[str]) -> str:
    """The first frame: the room's ``opening`` fields, who the client is here, and the last messages."""
    fields = dumps({"type": "hello", **opening, "you": you})
    return f'{fields[:-1]},"history":[{",".join(history)}]}}'


def error(code: str, detail: str, *, nonce: str | None = None, retry_after_s: float | None = None) -> str:
    fields: dict[str, Any] = {"type": "error", "code": code, "detail": detail}
    if nonce is not None:
        fields["nonce"] = nonce
    if retry_after_s is not None:
        fields["retry_after_s"] = retry_after_s
    return dumps(fields)
