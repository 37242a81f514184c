"""Passwords of videos: set by the owner, entered by viewers."""

from __future__ import annotations

from django.contrib.auth.hashers import check_password, make_password

from common.buckets import Charge, refund, seconds_to_wait, take
from common.ids import new_public_id
from common.rates import RATES
from videos.models import Video
from videos.services.errors import PasswordMissing, TooManyPasswords, WrongPassword


def password_fields(password: str) -> dict[str, str]:
    """Return the fields of a new password, whose version makes keys of an older one useless."""
    return {"password_hash": make_password(password), "password_version": new_public_id()}


def check_has_password(video: Video) -> None:
    """Raise PasswordMissing if a password protects the video and there is none."""
    if video.visibility == Video.Visibility.PASSWORD and not video.has_password:
        raise PasswordMissing


def unlock(video: Video, *, password: str, network: str) -> str:
    """Return the key of the video's password; wrong attempts count by network and by video.

    Raises WrongPassword, and TooManyPasswords without a look at the password.
    """
    charges = (
        Charge("unlock", f"{network}-{video.public_id}", RATES["unlock"]),
        Charge("unlock_video", video.public_id, RATES["unlock_video"]),
    )
    if wait_s := take(*charges):
        raise TooManyPasswords(retry_after_s=seconds_to_wait(wait_s))
    if not check_password(password, video.password_hash):
        raise WrongPassword
    refund(*charges)
    return video.password_key
