"""Invitations: codes for sign-ups while ``SIGN_UP`` is ``invitation``."""

from __future__ import annotations

import secrets

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User


def new_code() -> str:
    """Return a random code of 16 characters that cannot be guessed."""
    return secrets.token_urlsafe(12)


class Invitation(models.Model):
    code = models.CharField(_("code"), max_length=16, unique=True, default=new_code, editable=False)
    note = models.CharField(
        _("note"),
        max_length=200,
        blank=True,
        help_text=_("The person or group that receives this invitation."),
    )
    most_uses = models.PositiveIntegerField(
        _("maximum accounts"), default=1, validators=[MinValueValidator(1)]
    )
    used_count = models.PositiveIntegerField(_("used"), default=0, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.note or self.code
