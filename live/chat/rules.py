"""Whether somebody may say something, decided on the room's state in memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from live.chat.tickets import Visitor

# Pictures, with what joins, colours and varies them, flags, and keycaps.
_EMOTES = re.compile(
    "(?:"
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2300-\u23ff\u2b00-\u2bff\u2190-\u21ff\u25a0-\u25ff]"
    "|[0-9#*]\ufe0f?\u20e3"
    "|[\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299]\ufe0f?"
    "|[\u200d\ufe0e\ufe0f\U000e0020-\U000e007f]"
    r"|\s"
    ")+"
)


@dataclass(frozen=True, slots=True)
class Mode:
    """Who may say what how often; owners and moderators are exempt."""

    slow_s: int = 0
    followers_only: bool = False
    emotes_only: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RoomState:
    """What SQL knows of a room."""

    stream_id: int
    room: str
    status: str  # of its broadcast, as the contract names it
    is_open: bool  # to people who are not signed in, too
    mode: Mode = Mode()
    # By user: until when (Unix seconds) they may not speak; None means for good.
    restrictions: Mapping[int, float | None] = field(default_factory=dict)

    def admits(self, visitor: Visitor | None) -> bool:
        """Whether somebody may read here.

        Of a stream that is not open its owner and moderators alone may know, so
        a ticket from before it was closed opens nothing.
        """
        return self.is_open or (visitor is not None and visitor.can_moderate)

    def is_banned(self, user_id: int) -> bool:
        return self.restrictions.get(user_id, 0.0) is None


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    retry_after_s: float | None = None


def check(state: RoomState, visitor: Visitor | None, text: str, now: float) -> Refusal | None:
    """Say why ``visitor`` may not say ``text``; None if they may, as far as memory knows.

    Following is asked for by the caller where the mode wants it, and how much
    was said lately is known to the log alone.
    """
    if visitor is None:
        return Refusal("sign_in_required")
    until = state.restrictions.get(visitor.user_id, 0.0)
    if until is None:
        return Refusal("banned")
    if until > now:
        return Refusal("timed_out", round(until - now, 1))
    if state.mode.emotes_only and not visitor.can_moderate and not is_only_emotes(text):
        return Refusal("emotes_only")
    return None


def is_only_emotes(text: str) -> bool:
    """Whether ``text`` is nothing but emojis and space between them."""
    return _EMOTES.fullmatch(text) is not None
