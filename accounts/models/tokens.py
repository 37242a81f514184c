"""API tokens, as programs send them in ``Authorization: Token …``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken, get_digest_token
from knox.settings import CONSTANTS, knox_settings

if TYPE_CHECKING:
    from accounts.models.people import User

MAX_NAME = 60


class ApiTokenManager(models.Manager["ApiToken"]):
    def issue(self, *, user: User, name: str) -> tuple[ApiToken, str]:
        """Create a token; return it with its secret."""
        digest, secret = get_digest_token()
        token = self.create(
            digest=digest,
            token_key=secret[: CONSTANTS.TOKEN_KEY_LENGTH],
            user=user,
            name=name,
            expiry=timezone.now() + knox_settings.TOKEN_TTL,
        )
        return token, secret


class ApiToken(AbstractAuthToken):
    """Token of one person; SQL keeps its digest and its first 15 characters.

    ``expiry`` moves with use by ``API_TOKEN_IDLE_DAYS``, and never beyond
    ``API_TOKEN_MAX_DAYS`` after ``created``.
    """

    name = models.CharField(_("name"), max_length=MAX_NAME, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    objects: ClassVar[ApiTokenManager] = ApiTokenManager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created"]
        indexes = [models.Index(fields=["expiry"], name="token_expiry")]

    def __str__(self) -> str:
        return f"{self.token_key[:6]}…"
