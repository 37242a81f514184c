"""Writes of accounts; pages, API, admin and commands all call these."""

from __future__ import annotations

import logging
import secrets
from functools import partial
from typing import IO, TYPE_CHECKING

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import IntegrityError, models, transaction
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts import access, avatars, notifications
from accounts import sign_up as policy
from accounts.errors import (
    FollowsItself,
    SecondFactorRequired,
    TooManyAttempts,
    WrongCode,
    WrongCredentials,
)
from accounts.models import (
    ADMINISTRATORS,
    MODERATORS,
    Channel,
    Follow,
    Notification,
    User,
    validate_username,
)
from accounts.models.people import MAX_BIO, MAX_DISPLAY_NAME
from accounts.names import is_reserved
from accounts.ranks import check_reach
from common import deletion
from common.words import composed

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)


def sign_up(
    *,
    request: HttpRequest,
    username: str,
    email: str,
    password: str,
    invitation: str = "",
    proof: str = "",
) -> User:
    """Create the account of a visitor, if the site's policy admits them.

    Raise ``ValidationError``, and the errors of :func:`accounts.sign_up.admitted`.
    """
    with policy.admitted(request, proof_given=proof), transaction.atomic():
        policy.redeem_invitation(invitation)
        return register(username=username, email=email, password=password)


def register(*, username: str, email: str, password: str) -> User:
    """Create a user with a channel; the ``ValidationError`` names every wrong field.

    If two people register the same name or address at once, the second gets the error too.
    """
    _check_registration(username, email, password)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                username=username, email=email, password=password, language=get_language() or ""
            )
            EmailAddress.objects.create(user=user, email=user.email, primary=True)
    except IntegrityError:
        _check_registration(username, email, password)  # somebody was faster: raises the field's error
        raise
    logger.info("Account registered", extra={"user": user.pk})
    return user


def _check_registration(username: str, email: str, password: str) -> None:
    checks = {
        "username": partial(check_username, username),
        "email": partial(check_email, email),
        "password": partial(validate_password, password, User(username=username, email=email)),
    }
    problems: dict[str, ValidationError] = {}
    for field, check in checks.items():
        try:
            check()
        except ValidationError as error:
            problems[field] = error
    if problems:
        raise ValidationError(problems)


def check_username(username: str) -> None:
    """Raise ``ValidationError`` unless ``username`` is well formed, not reserved, and free in any case."""
    validate_username(username)
    if is_reserved(username):
        raise ValidationError(_("This username is reserved. Choose another one."), code="reserved")
    if User.objects.filter(username__iexact=username).exists():
        raise ValidationError(_("This username is taken."), code="unique")


def check_email(email: str) -> None:
    """Raise ``ValidationError`` unless ``email`` is an address and free in any case."""
    check_address(email)
    in_use = User.objects.filter(email__iexact=email).exists()
    if in_use or EmailAddress.objects.filter(email=email.lower()).exists():
        raise ValidationError(_("This email address is already in use."), code="unique")


def check_address(email: str) -> None:
    """Raise ``ValidationError`` unless ``email`` is an address of a length that we store."""
    User._meta.get_field("email").run_validators(email)


def remember_language(*, user: User, language: str | None) -> None:
    """Store the language in which the person uses the site, for mail."""
    if language and language != user.language and language in dict(settings.LANGUAGES):
        user.language = language
        User.objects.filter(pk=user.pk).update(language=language)


@transaction.atomic
def change_email(*, user: User, email: str) -> None:
    """Give ``user`` another address on an operator's word: it is valid at once, and not confirmed.

    allauth keeps addresses in rows of its own, by which a password is reset: the old one
    and any that waits for its confirmation are deleted.  Raise ``ValidationError``.
    """
    email = User.objects.normalize_email(email)
    if email != user.email:
        check_email(email)
    EmailAddress.objects.filter(user=user).exclude(email=email).delete()
    user.email = email
    user.save(update_fields=["email"])
    EmailAddress.objects.update_or_create(user=user, email=email, defaults={"primary": True})
    logger.info("Email address changed", extra={"user": user.pk})


def confirm_email(*, user: User) -> None:
    """Mark the address of ``user`` as confirmed, without a mail."""
    EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"primary": True, "verified": True}
    )


def sign_in(*, login: str, password: str, code: str = "", request: HttpRequest) -> User:
    """Return the user with this ``login`` (user name or e-mail), ``password`` and second factor ``code``.

    Failed attempts count together with those of the sign-in page: five in five minutes for
    each account, for the password and for the code.
    Raise ``WrongCredentials``, ``SecondFactorRequired``, ``WrongCode`` or ``TooManyAttempts``.
    """
    try:
        user = get_adapter(request).authenticate(request, username=login, password=password)
    except ValidationError as error:
        raise TooManyAttempts from error
    # allauth returns suspended people as well, for the message of its page.
    if not isinstance(user, User) or not user.is_active:
        raise WrongCredentials
    if is_mfa_enabled(user):
        _check_second_factor(user, code)
    return user


def _check_second_factor(user: User, code: str) -> None:
    if not code:
        raise SecondFactorRequired
    try:
        forget_attempts = check_rate_limit(user)
    except ValidationError as error:
        raise TooManyAttempts from error
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES]
    factors = Authenticator.objects.filter(user=user, type__in=kinds)
    used = next((factor for factor in factors if factor.wrap().validate_code(code)), None)
    if used is None:
        raise WrongCode
    used.record_usage()
    forget_attempts()


def follow(*, user: User, channel: Channel) -> None:
    """Follow ``channel``; a second call does nothing."""
    if channel.is_owned_by(user):
        raise FollowsItself
    _follow, is_new = Follow.objects.get_or_create(follower=user, channel=channel)
    if is_new:
        notifications.notify(
            person=channel.owner,
            kind=Notification.Kind.FOLLOW,
            data={"username": user.username, "name": user.channel.name},
            url=user.channel.get_absolute_url(),
            key=f"follow:{user.pk}",
        )


def unfollow(*, user: User, channel: Channel) -> None:
    Follow.objects.filter(follower=user, channel=channel).delete()


MOST_CHARACTERS = {"display_name": MAX_DISPLAY_NAME, "bio": MAX_BIO}


def edit_channel(*, channel: Channel, **fields: str) -> None:
    """Change ``display_name`` or ``bio``."""
    for name, value in fields.items():
        setattr(channel, name, composed(value, MOST_CHARACTERS[name]))
    channel.save(update_fields=[*fields])


def set_avatar(*, channel: Channel, file: IO[bytes] | None) -> None:
    """Set or remove the picture of ``channel``; raise ``ValidationError`` if the file is refused."""
    old = channel.avatar.name
    if file is None:
        channel.avatar = ""
    else:
        picture = ContentFile(avatars.to_square_webp(file))
        channel.avatar.save(f"{secrets.token_hex(16)}.webp", picture, save=False)
    with transaction.atomic():
        channel.save(update_fields=["avatar"])
        if old:
            deletion.delete_later(old)


class Role(models.TextChoices):
    MODERATOR = "moderator", _("Moderator")
    ADMINISTRATOR = "administrator", _("Administrator")

    @property
    def group_name(self) -> str:
        return {Role.MODERATOR: MODERATORS, Role.ADMINISTRATOR: ADMINISTRATORS}[self]


@transaction.atomic
def grant_role(*, user: User, role: Role) -> None:
    """Give ``user`` access to the admin as ``role``.

    Administrators are superusers, so they may also do everything that an app adds later.
    Moderators have the permissions of their group.
    """
    user.groups.add(Group.objects.get_or_create(name=role.group_name)[0])
    user.is_staff = True
    user.is_superuser = user.is_superuser or role is Role.ADMINISTRATOR
    _save_powers(user)
    logger.info("Role granted", extra={"user": user.pk, "role": role.value})


@transaction.atomic
def revoke_role(*, user: User, role: Role) -> None:
    """Revoke ``role``; the admin stays open only for people with another role."""
    user.groups.remove(*Group.objects.filter(name=role.group_name))
    user.is_superuser = user.is_superuser and role is not Role.ADMINISTRATOR
    has_other = user.groups.filter(name__in=[MODERATORS, ADMINISTRATORS]).exists()
    user.is_staff = user.is_superuser or has_other
    _save_powers(user)
    logger.info("Role revoked", extra={"user": user.pk, "role": role.value})


def _save_powers(user: User) -> None:
    user.save(update_fields=["is_staff", "is_superuser"])
    vars(user).pop("role_names", None)  # cached per object, and now outdated


@transaction.atomic
def set_active(*, user: User, active: bool, by: User | None) -> None:
    """Lock or restore ``user``; locking revokes their access, so they sign in anew afterwards.

    ``by`` is ``None`` for a sanction that ended by itself.
    Raise ``NotTheirs`` as :func:`accounts.ranks.check_reach` does.
    """
    if by is not None:
        check_reach(user, by=by)
    user.is_active = active
    user.save(update_fields=["is_active"])
    if not active:
        access.revoke(user)
    who = by.pk if by else None
    logger.info("Account restored" if active else "Account suspended", extra={"user": user.pk, "by": who})


def as_of_now(user: User | AnonymousUser) -> User | AnonymousUser:
    """Return ``user`` as stored now, or an anonymous user if their access was revoked.

    A socket may be older than a suspension or a new password.
    """
    if not isinstance(user, User):
        return AnonymousUser()
    still = User.objects.filter(pk=user.pk, is_active=True, access_version=user.access_version)
    return still.first() or AnonymousUser()
