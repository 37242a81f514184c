"""Where allauth asks us: the same names and sentences as everywhere else."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.conf import settings
from django.contrib.sites.requests import RequestSite
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.errors import WrongCredentials

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultAccountAdapter.error_messages,
        "email_taken": _("This address is in use."),
        "email_password_mismatch": WrongCredentials.sentence,
        "username_password_mismatch": WrongCredentials.sentence,
        "incorrect_password": _("The password is not right."),
        "incorrect_code": _("This code is not right, or was used before. Wait for the next one."),
        "too_many_login_attempts": _("Too many attempts. Wait a few minutes and try again."),
    }

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """``shallow`` is allauth's word for making names up, which we never do."""
        services.check_username(username)
        return username

    def clean_email(self, email: str) -> str:
        """Without this, allauth would cut an address to the length we keep."""
        services.check_address(email)
        return email

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Mail speaks in the site's name; allauth would use its host."""
        site = RequestSite(self.request)
        site.name = settings.SITE_NAME
        super().send_mail(template_prefix, email, {"current_site": site, **context})

    def send_confirmation_mail(
        self, request: HttpRequest, emailconfirmation: EmailConfirmationHMAC, signup: bool
    ) -> None:
        """An account stands even when the mail server does not: the mail can be asked for again."""
        try:
            super().send_confirmation_mail(request, emailconfirmation, signup)
        except OSError:  # smtplib's errors are some, too
            address = emailconfirmation.email_address
            logger.exception("Confirmation mail not sent", extra={"user": address.user_id})

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """A change of address can be called off; the address the account stands on cannot go."""
        return bool(email_address.email != email_address.user.email)
