"""What can be refused, each with the code a program reads and the sentence a person reads."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class LiveError(Exception):
    """Base of all refusals."""

    code = "refused"
    status = 400
    sentence: str | Promise = _("This is not possible.")

    def __str__(self) -> str:
        return str(self.sentence)


class NotOnAir(LiveError):
    code = "not_on_air"
    status = 409
    sentence = _("This channel is not live.")


class StreamSuspended(LiveError):
    code = "suspended"
    status = 403
    sentence = _("This channel may not go live at the moment. Ask a moderator.")
