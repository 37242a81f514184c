"""Playback tokens: created and revoked by the owner of a video, presented by frames of other sites.

The frame's page may only be shown by the token's domains (``frame-ancestors``), and
scripts of other sites cannot read the playlists of a video that is not open.  A program
without these rules of browsers plays with the token alone, until it expires or is
revoked.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from videos.models import PLAYBACK_TOKEN_PREFIX, PlaybackToken, Video, digest_of
from videos.services.errors import BadDomain, BadExpiry, TooManyPlaybackTokens

MAX_TOKENS = 50  # of one video
MAX_DOMAINS = 20
MAX_DOMAIN = 253  # characters
MAX_VALIDITY = timedelta(days=730)
# Also what a Content-Security-Policy takes as a host: nothing else may enter the header.
_DOMAIN = re.compile(
    r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?::[0-9]{1,5})?"
)


def create_playback_token(
    video: Video, *, domains: Iterable[str], expires_at: datetime
) -> tuple[PlaybackToken, str]:
    """Return a new token and its secret, which is shown this once.

    Raises BadDomain, BadExpiry and TooManyPlaybackTokens.
    """
    now = timezone.now()
    if not now < expires_at <= now + MAX_VALIDITY:
        raise BadExpiry
    allowed = list(dict.fromkeys(clean_domain(domain) for domain in domains if domain.strip()))
    if not 0 < len(allowed) <= MAX_DOMAINS:
        raise BadDomain
    secret = PLAYBACK_TOKEN_PREFIX + secrets.token_urlsafe(24)
    with transaction.atomic():
        Video.objects.select_for_update().get(pk=video.pk)
        video.playback_tokens.filter(expires_at__lte=now).delete()
        if video.playback_tokens.count() >= MAX_TOKENS:
            raise TooManyPlaybackTokens
        token = PlaybackToken.objects.create(
            video=video, digest=digest_of(secret), domains=allowed, expires_at=expires_at
        )
    return token, secret


def clean_domain(text: str) -> str:
    """Return a host name such as ``example.org``, ``*.example.org`` or ``localhost:8000``.

    Addresses of pages are reduced to their host.  Raises BadDomain.
    """
    host = re.sub(r"\A[a-z]+://", "", text.strip().lower()).split("/")[0].rstrip(".")
    wildcard, host = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    name, colon, port = host.partition(":")
    try:
        ascii_name = name.encode("idna").decode("ascii") if name else ""
    except UnicodeError:
        raise BadDomain from None
    domain = f"{wildcard}{ascii_name}{colon}{port}"
    # A wildcard for a whole top-level domain is a mistake.
    is_too_wide = bool(wildcard) and "." not in ascii_name
    if len(domain) > MAX_DOMAIN or is_too_wide or not _DOMAIN.fullmatch(domain):
        raise BadDomain
    return domain
