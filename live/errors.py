"""What can be refused, each with the code a program reads and the sentence a person reads."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from videos.services.errors import ServiceError


class NotOnAir(ServiceError):
    code = "not_on_air"
    status = 409
    sentence = _("This channel is not live.")


class StreamSuspended(ServiceError):
    code = "suspended"
    status = 403
    sentence = _("This channel may not go live at the moment. Ask a moderator.")
