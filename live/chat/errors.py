"""Why something is not said or done in a chat: the code a program reads, the sentence a person reads."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from videos.services.errors import ServiceError

SENTENCES: dict[str, Any] = {
    "bad_frame": _("This frame means nothing here."),
    "unknown_type": _("Nothing is known under this type."),
    "bad_nonce": _("A nonce is a string of at most 64 characters."),
    "bad_characters": _("This message holds characters that cannot be shown."),
    "too_long": _("A message has at most 500 characters."),
    "empty": _("A message has at least one visible character."),
    "sign_in_required": _("Sign in to take part in the chat."),
    "banned": _("You are banned from this chat."),
    "timed_out": _("You cannot write in this chat for a while."),
    "barred": _("You cannot write in this chat for a while."),
    "silenced": _("A moderator of this site has silenced you for a while."),
    "rate_limited": _("You are writing too fast. Wait a moment."),
    "slow_mode": _("Slow mode is on. Wait a moment before your next message."),
    "followers_only": _("Only followers of this channel may write at the moment."),
    "emotes_only": _("Only emojis may be sent at the moment."),
    "full": _("The chat is not available at the moment. Try again later."),
    "unavailable": _("The chat is not available at the moment. Try again later."),
}


class NotAllowed(ServiceError):
    code = "forbidden"
    status = 403
    sentence = _("You may not do this here.")


class NoSuchMessage(ServiceError):
    code = "not_found"
    status = 404
    sentence = _("This message does not exist.")


class NoSuchPerson(ServiceError):
    code = "not_found"
    status = 404
    sentence = _("Nobody has this name.")
