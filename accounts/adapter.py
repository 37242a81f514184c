"""Adapter that gives allauth this site's rules, sentences and mail."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts import mail, services
from accounts.errors import TooManyAttempts, WrongCredentials
from accounts.models import User
from accounts.sign_up import SignUpPolicy, policy
from common.addresses import client_address
from common.site import on_site, site_url


class AccountAdapter(DefaultAccountAdapter):
    error_messages: ClassVar[dict[str, str | Promise]] = {
        **DefaultAccountAdapter.error_messages,
        "email_taken": _("This email address is already in use."),
        "email_password_mismatch": WrongCredentials.sentence,
        "username_password_mismatch": WrongCredentials.sentence,
        "incorrect_password": _("Incorrect password."),
        "incorrect_code": _("This code is incorrect or was already used. Wait for the next one."),
        "too_many_login_attempts": TooManyAttempts.sentence,
    }

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that all limits use; allauth's own parser can raise."""
        return client_address(request)

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return policy() is not SignUpPolicy.CLOSED

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Check the name; ``shallow`` is for allauth's made-up names, which this site never uses."""
        services.check_username(username)
        return username

    def clean_email(self, email: str) -> str:
        """Check the address; allauth itself would cut it to the stored length."""
        services.check_address(email)
        return email

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Write a mail in the reader's language, with links to the site, and have a worker send it.

        A reader without an account gets it in the language of the request.
        """
        url = urlsplit(site_url(self.request))
        links = {
            name: on_site(value, self.request) for name, value in context.items() if name.endswith("_url")
        }
        ours = {
            "current_site": SimpleNamespace(name=settings.SITE_NAME, domain=url.netloc),
            "site_url": url.geturl(),
            "reset_url": on_site(reverse("account_reset_password"), self.request),
            "days": settings.MAIL_LINK_DAYS,
        }
        reader = context.get("user")
        language = reader.preferred_language if isinstance(reader, User) else get_language()
        with translation.override(language):
            whole = {"request": self.request, "email": email, **ours, **context, **links}
            mail.post(self.render_mail(template_prefix, email, whole))

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Mail ``user`` about a change of the account; adds the user, and so the language, to the context."""
        super().send_notification_mail(template_prefix, user, {**(context or {}), "user": user}, email)

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        services.remember_language(user=user, language=get_language())

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Confirm an address; if two accounts confirm the same one at once, refuse the second."""
        try:
            with transaction.atomic():
                return bool(super().confirm_email(request, email_address))
        except IntegrityError:
            self.add_message(request, messages.ERROR, message=str(self.error_messages["email_taken"]))
            return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count failed attempts by account: by its name or address, in any case, on any host."""
        login = credentials.get("email") or credentials.get("username", "")
        is_theirs = Q(username__iexact=login) | Q(email__iexact=login)
        known = User.objects.filter(is_theirs).values_list("pk", flat=True).first()
        return f"account:{known}" if known else f"nobody:{login.lower()}"

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Return whether the address may go: a pending change may be cancelled, the account's own may not."""
        return bool(email_address.email != email_address.user.email)
