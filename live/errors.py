"""Refusals of live services."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from common.errors import Refusal


class NotOnAir(Refusal):
    code = "not_on_air"
    status = 409
    sentence = _("This channel is not live.")


class AwaitsVideo(NotOnAir):
    code = "awaits_video"
    sentence = _("Your encoder is connected. Waiting for its first video frame…")


class AwaitsKeyframe(NotOnAir):
    code = "awaits_keyframe"
    sentence = _("Your encoder is connected. Waiting for its first keyframe…")


class StreamSuspended(Refusal):
    code = "suspended"
    status = 403
    sentence = _("This channel is suspended from going live. Contact a moderator.")
