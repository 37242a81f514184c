"""Refusals of comments and danmaku."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from common.errors import Refusal


class TextError(Refusal):
    attr = "text"


class NoText(TextError):
    code = "blank"
    sentence = _("Enter some text.")


class TextTooLong(TextError):
    code = "max_length"

    def __init__(self, most: int) -> None:
        super().__init__(_("Too long: use at most %(most)d characters.") % {"most": most})


class ForbiddenCharacters(TextError):
    code = "forbidden_characters"
    sentence = _("Your text contains characters that cannot be displayed. Remove them and try again.")


class NotAllowed(Refusal):
    code = "permission_denied"
    status = 403
    sentence = _("You do not have permission to do this.")


class MayNotSpeak(Refusal):
    code = "may_not_speak"
    status = 403
    sentence = _("You are currently not allowed to post. See your notifications for details.")


class CommentsClosed(Refusal):
    code = "comments_closed"
    status = 403
    sentence = _("Comments are turned off.")


class DanmakuClosed(CommentsClosed):
    code = "danmaku_closed"
    sentence = _("Danmaku is off because comments on this video are reviewed before they appear.")


class NoSuchParent(Refusal):
    code = "does_not_exist"
    attr = "parent"
    sentence = _("The comment you replied to was deleted.")


class PastTheEnd(Refusal):
    code = "max_value"
    attr = "offset_ms"
    sentence = _("This time is after the end of the video.")


class BadColor(Refusal):
    code = "invalid"
    attr = "color"
    sentence = _("Write the color as #rrggbb.")


class OnlyRoots(Refusal):
    code = "not_a_root"
    status = 409
    sentence = _("Only comments can be pinned, not replies.")


class RepeatedText(TextError):
    code = "said_before"
    sentence = _("You just posted this. Wait a moment or write something else.")


class TooManyLinks(TextError):
    code = "too_many_links"
    sentence = _("Too many links. Remove some and try again.")


class NoLinks(TextError):
    code = "no_links"
    sentence = _("Danmaku cannot contain links. Post them in a comment.")


class TooFast(Refusal):
    code = "too_fast"
    status = 429
    sentence = _("You are posting too fast. Wait a moment and try again.")
