"""Sign-up policy and its price, for the page and the API.

``SIGN_UP`` is one of

============== ===========================================================================
``open``       everybody may
``confirmed``  everybody may, and confirms their address before they upload, write or stream
``invitation`` people with an invitation code from the admin
``closed``     nobody; administrators make accounts in the admin
============== ===========================================================================

One network (an IPv4 address, an IPv6 /64) makes ``SIGN_UP_FREE_PER_HOUR`` accounts
for nothing.  Each further one costs a proof of work (:mod:`accounts.proof`), one bit
more each time their number doubles, and after ``SIGN_UP_PER_HOUR`` there is no more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import F, Q, TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import proof
from accounts.errors import ProofInvalid, ProofRequired, SignUpClosed, TooManySignUps
from accounts.models import Invitation, User
from accounts.proof import Challenge, InvalidProof
from common.addresses import client_network
from common.buckets import Charge, Rate, refund, seconds_to_wait, take

if TYPE_CHECKING:
    from django.http import HttpRequest

HOUR_S = 3600


class SignUpPolicy(TextChoices):
    OPEN = "open"
    CONFIRMED = "confirmed"
    INVITATION = "invitation"
    CLOSED = "closed"


def policy() -> SignUpPolicy:
    """Return the policy that ``SIGN_UP`` names; raise ``ImproperlyConfigured`` if it names none."""
    try:
        return SignUpPolicy(settings.SIGN_UP)
    except ValueError as error:
        raise ImproperlyConfigured(f"SIGN_UP is one of {', '.join(SignUpPolicy.values)}") from error


def may_take_part(user: User) -> bool:
    """Return whether ``user`` may upload, write or stream under the policy."""
    return policy() is not SignUpPolicy.CONFIRMED or user.is_staff or has_confirmed_email(user)


def has_confirmed_email(user: User) -> bool:
    return bool(EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists())


@contextmanager
def admitted(request: HttpRequest, *, proof_given: str = "") -> Iterator[None]:
    """Admit one sign-up inside the block; if the block raises, refund its price.

    Raise ``SignUpClosed``, ``TooManySignUps``, ``ProofRequired`` or ``ProofInvalid``.
    """
    if policy() is SignUpPolicy.CLOSED:
        raise SignUpClosed
    network = client_network(request)
    hour = _charge("sign_up_hour", network, settings.SIGN_UP_PER_HOUR)
    wait_s = take(hour)
    if wait_s:
        raise TooManySignUps(retry_after_s=seconds_to_wait(wait_s))
    free = _charge("sign_up_free", network, settings.SIGN_UP_FREE_PER_HOUR)
    nonce, is_free = "", False
    try:
        if bits := bits_now(network):
            is_free = not take(free)
            nonce = "" if is_free else _redeem(proof_given, network, bits)
        yield
    except BaseException:
        refund(*(free,) * is_free, hour)
        if nonce:
            proof.release(nonce)
        raise
    _count(network)


def needed(request: HttpRequest) -> Challenge | None:
    """Return the challenge that the next sign-up of this client has to solve; ``None`` while it is free."""
    network = client_network(request)
    free = _charge("sign_up_free", network, settings.SIGN_UP_FREE_PER_HOUR)
    if not bits_now(network):
        return None
    if not take(free):
        refund(free)
        return None
    return challenge(request)


def challenge(request: HttpRequest) -> Challenge:
    """Return a challenge for this client, as hard as its next sign-up needs."""
    network = client_network(request)
    return proof.issue(network, bits_now(network))


def bits_now(network: str) -> int:
    """Return the bits of the next proof: one more each time the hour's sign-ups double; 0 for no proof."""
    if not settings.SIGN_UP_PROOF_BITS or not settings.RATE_LIMITS:
        return 0
    times = cache.get(_counter(network), 0) / max(settings.SIGN_UP_FREE_PER_HOUR, 1)
    return int(min(settings.SIGN_UP_PROOF_BITS + math.log2(max(times, 1)), proof.MAX_BITS))


def _charge(name: str, network: str, units: int) -> Charge:
    # A bucket holds at least one unit; a price that is never free asks twice its size.
    return Charge(name, f"address-{network}", Rate(max(units, 1), HOUR_S))


def _redeem(given: str, network: str, bits: int) -> str:
    if not given:
        raise ProofRequired
    try:
        return proof.redeem(given, network=network, bits=bits)
    except InvalidProof as error:
        raise ProofInvalid from error


def _count(network: str) -> None:
    key = _counter(network)
    cache.add(key, 0, HOUR_S)
    try:
        cache.incr(key)
    except ValueError:  # the hour ended in between
        cache.add(key, 1, HOUR_S)


def _counter(network: str) -> str:
    return f"sign-ups:{network}"


def redeem_invitation(code: str) -> None:
    """Use an invitation once, inside the transaction that creates the account.

    Raise ``ValidationError`` at the field ``invitation`` if the policy asks for a code
    and this one is unknown, expired or used up.
    """
    if policy() is not SignUpPolicy.INVITATION:
        return
    holds = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    found = Invitation.objects.filter(holds, code=code.strip(), used_count__lt=F("most_uses"))
    if not code.strip() or not found.update(used_count=F("used_count") + 1):
        sentence = _("This invitation is invalid, expired or used up. Request a new one.")
        raise ValidationError({"invitation": ValidationError(sentence, code="invitation_invalid")})
