"""Template context of the chat, for the live page and the studio."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from live import stream_state
from live.chat import tickets
from live.chat.errors import SENTENCES
from live.chat.messages import MAX_TEXT
from live.models import Stream

SLOW_CHOICES_S = (3, 5, 10, 30, 60, 120)
EMOJIS = (
    *("😀", "😂", "🥹", "😍", "🤩", "😎", "🤔", "😅", "😭", "😱", "🥳", "🤯", "👍", "👎", "👏", "🙏"),
    *("💪", "👀", "🔥", "✨", "🎉", "❤️", "💯", "🚀", "🎮", "🎵", "📷", "🍵", "🌙", "☀️", "🐱", "🐼"),
)


def room_context(request: HttpRequest, stream: Stream) -> dict[str, Any]:
    """Return the template context of the player and chat of ``stream``."""
    user = request.user
    return {
        "stream": stream,
        "state": stream_state.state(stream),
        "ticket": tickets.issue(stream, user)[0] if user.is_authenticated else "",
        "max_text": MAX_TEXT,
        "chat_sentences": SENTENCES,
        "slow_choices": SLOW_CHOICES_S,
        "emojis": EMOJIS,
        "is_own": stream.is_owned_by(user),
        "can_moderate": stream.can_moderate(user),
    }
