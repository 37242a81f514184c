"""Rules for a chat message, decided on the room's state in memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from live.chat.tickets import Visitor

# Pictographs with their joiners, skin tones and variation selectors; flags; keycaps.
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
class RoomMode:
    """Restrictions on all messages of a room; owners and moderators are exempt."""

    slow_s: int = 0
    followers_only: bool = False
    emotes_only: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RoomState:
    """State of a room in SQL."""

    stream_id: int
    room: str
    status: str  # of its broadcast: live, reconnecting or offline
    is_open: bool  # to people who are not signed in, too
    title: str = ""  # empty if the stream has none
    category: str = ""
    mode: RoomMode = RoomMode()
    # End of the restriction in Unix seconds by user id; None means a ban.
    restrictions: Mapping[int, float | None] = field(default_factory=dict)

    def admits(self, visitor: Visitor | None) -> bool:
        """Return True if ``visitor`` may read here.

        Only the owner and moderators may know of a stream that is not open, so a
        viewer's ticket from before it was closed does not admit them.
        """
        return self.is_open or (visitor is not None and visitor.can_moderate)

    def is_banned(self, user_id: int) -> bool:
        return self.restrictions.get(user_id, 0.0) is None


@dataclass(frozen=True, slots=True)
class MessageRefusal:
    code: str
    retry_after_s: float | None = None


def check(state: RoomState, visitor: Visitor | None, text: str, now: float) -> MessageRefusal | None:
    """Return the reason against ``visitor`` posting ``text``, or None if memory holds none.

    The caller checks following if the mode requires it; the log's script checks rates.
    """
    if visitor is None:
        return MessageRefusal("sign_in_required")
    until = state.restrictions.get(visitor.user_id, 0.0)
    if until is None:
        return MessageRefusal("banned")
    if until > now:
        return MessageRefusal("timed_out", round(until - now, 1))
    if state.mode.emotes_only and not visitor.can_moderate and not is_only_emotes(text):
        return MessageRefusal("emotes_only")
    return None


def is_only_emotes(text: str) -> bool:
    """Return True if ``text`` consists of emojis and white space only."""
    return _EMOTES.fullmatch(text) is not None
