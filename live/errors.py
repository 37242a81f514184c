"""Refusals of live services, each with a code for programs and a sentence for people."""

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
    sentence = _("This channel is suspended from going live. Contact a moderator.")
