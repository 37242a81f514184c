"""Refusals of comments and danmaku: ``code`` for programs, the sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from accounts.errors import EmailNotConfirmed

if TYPE_CHECKING:
    from django.utils.functional import Promise


class CommentError(Exception):
    """Base error; ``attr`` is the wrong field, ``retry_after_s`` the time to wait."""

    code = "invalid"
    status = 400
    attr: str | None = None
    retry_after_s: int | None = None
    sentence: str | Promise = _("Something went wrong.")

    def __str__(self) -> str:
        return str(self.sentence)


class TextError(CommentError):
    attr = "text"


class NoText(TextError):
    code = "blank"
    sentence = _("Enter some text.")


class TextTooLong(TextError):
    code = "max_length"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.sentence = _("Too long: use at most %(most)d characters.") % {"most": most}


class ForbiddenCharacters(TextError):
    code = "forbidden_characters"
    sentence = _("Your text contains characters that cannot be displayed. Remove them and try again.")


class NotAllowed(CommentError):
    code = "permission_denied"
    status = 403
    sentence = _("You do not have permission to do this.")


class CommenterNotConfirmed(CommentError):
    code = EmailNotConfirmed.code
    status = 403
    sentence = EmailNotConfirmed.sentence


class MayNotSpeak(CommentError):
    code = "may_not_speak"
    status = 403
    sentence = _("You are currently not allowed to post. See your notifications for details.")


class CommentsClosed(CommentError):
    code = "comments_closed"
    status = 403
    sentence = _("Comments are turned off.")


class DanmakuClosed(CommentsClosed):
    code = "danmaku_closed"
    sentence = _("Danmaku is off because comments on this video are reviewed before they appear.")


class NoSuchParent(CommentError):
    code = "does_not_exist"
    attr = "parent"
    sentence = _("The comment you replied to was deleted.")


class PastTheEnd(CommentError):
    code = "max_value"
    attr = "offset_ms"
    sentence = _("This time is after the end of the video.")


class BadColor(CommentError):
    code = "invalid"
    attr = "color"
    sentence = _("Write the color as #rrggbb.")


class OnlyRoots(CommentError):
    code = "not_a_root"
    status = 409
    sentence = _("Only comments can be pinned, not replies.")


class SaidBefore(TextError):
    code = "said_before"
    sentence = _("You just posted this. Wait a moment or write something else.")


class TooManyLinks(TextError):
    code = "too_many_links"
    sentence = _("Too many links. Remove some and try again.")


class NoLinks(TextError):
    code = "no_links"
    sentence = _("Danmaku cannot contain links. Post them in a comment.")


class TooFast(CommentError):
    code = "too_fast"
    status = 429
    sentence = _("You are posting too fast. Wait a moment and try again.")

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s
