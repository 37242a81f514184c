"""What can be wrong with what somebody says: ``code`` for programs, the sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import Promise


class CommentError(Exception):
    """Base; ``attr`` is the field that is wrong, ``retry_after_s`` how long to wait."""

    code = "invalid"
    status = 400
    attr: str | None = None
    retry_after_s: int | None = None
    sentence: str | Promise = _("That did not work.")

    def __str__(self) -> str:
        return str(self.sentence)


# --- The text -------------------------------------------------------------------


class TextError(CommentError):
    attr = "text"


class NoText(TextError):
    code = "blank"
    sentence = _("Write something first.")


class TextTooLong(TextError):
    code = "max_length"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.sentence = _("This is too long: %(most)d characters at most.") % {"most": most}


class ForbiddenCharacters(TextError):
    code = "forbidden_characters"
    sentence = _("There are characters in this text that cannot be shown. Remove them and try again.")


# --- Who --------------------------------------------------------------------------


class NotAllowed(CommentError):
    code = "permission_denied"
    status = 403
    sentence = _("This is not yours to decide.")


class MayNotSpeak(CommentError):
    code = "may_not_speak"
    status = 403
    sentence = _("You may not write at the moment. Your notifications say until when.")


# --- Where and when ---------------------------------------------------------------


class CommentsClosed(CommentError):
    code = "comments_closed"
    status = 403
    sentence = _("Comments are closed here.")


class DanmakuClosed(CommentsClosed):
    code = "danmaku_closed"
    sentence = _("Danmaku is off here: comments are looked at before they appear.")


class NoSuchParent(CommentError):
    code = "does_not_exist"
    attr = "parent"
    sentence = _("What you reply to is no longer here.")


class PastTheEnd(CommentError):
    code = "max_value"
    attr = "offset_ms"
    sentence = _("This moment is after the end.")


class BadColor(CommentError):
    code = "invalid"
    attr = "color"
    sentence = _("A colour is written #rrggbb.")


class OnlyRoots(CommentError):
    code = "not_a_root"
    status = 409
    sentence = _("Only a comment can be pinned, not a reply.")


# --- Spam -------------------------------------------------------------------------


class SaidBefore(TextError):
    code = "said_before"
    sentence = _("You have just said this. Give it a moment, or say something else.")


class TooManyLinks(TextError):
    code = "too_many_links"
    sentence = _("There are too many links in this. Leave a few out.")


class NoLinks(TextError):
    code = "no_links"
    sentence = _("Links cannot fly. Put them in a comment.")


class TooFast(CommentError):
    code = "too_fast"
    status = 429
    sentence = _("You are very quick. Wait a moment and send it again.")

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s
