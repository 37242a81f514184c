"""The codes of an authenticator app."""

from allauth.mfa.totp.internal import auth
from django.conf import settings


def code_of(secret: str) -> str:
    """Return the code that an authenticator app shows now."""
    # The counters begin with the oldest that is accepted.
    counter = [*auth.yield_hotp_counters_from_time()][settings.MFA_TOTP_TOLERANCE]
    code: str = auth.format_hotp_value(auth.hotp_value(secret, counter))
    return code
