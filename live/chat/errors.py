"""Refusals of the chat: the sentences of its socket, and those of moderators' requests."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.errors import EmailNotConfirmed
from common.errors import Refusal

SENTENCES: dict[str, Any] = {
    "bad_frame": _("Unknown message format."),
    "unknown_type": _("Unknown message type."),
    "bad_nonce": _("A nonce is a string of at most 64 characters."),
    "bad_characters": _("Your message contains characters that cannot be displayed."),
    "too_long": _("Messages can have at most 500 characters."),
    "empty": _("Enter a message."),
    "sign_in_required": _("Sign in to chat."),
    "banned": _("You are banned from this chat."),
    "timed_out": _("You are timed out in this chat."),
    "barred": _("You are timed out in this chat."),
    "silenced": _("A site moderator has timed you out."),
    "email_not_confirmed": EmailNotConfirmed.sentence,
    "rate_limited": _("You are sending messages too fast. Wait a moment."),
    "slow_mode": _("Slow mode is on. Wait before sending another message."),
    "followers_only": _("Only followers of this channel can chat."),
    "emotes_only": _("Only emoji are allowed right now."),
    "full": _("Chat is unavailable. Try again later."),
    "unavailable": _("Chat is unavailable. Try again later."),
}


class NotAllowedHere(Refusal):
    code = "forbidden"
    status = 403
    sentence = _("You do not have permission to do this.")


class NoSuchMessage(Refusal):
    code = "not_found"
    status = 404
    sentence = _("This message was not found.")


class NoSuchPerson(Refusal):
    code = "not_found"
    status = 404
    sentence = _("User not found.")
