"""What people do with their accounts; pages, API, admin and commands all call these."""

from __future__ import annotations

import logging
import secrets
from functools import partial
from typing import IO, TYPE_CHECKING

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth import authenticate
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken

from accounts import avatars, notifications
from accounts.errors import FollowsItself, NotTheirs, SecondFactorRequired, WrongCode, WrongCredentials
from accounts.models import (
    ADMINISTRATORS,
    MODERATORS,
    Channel,
    Follow,
    Notification,
    User,
    validate_username,
)
from accounts.names import is_reserved

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)


# --- Joining --------------------------------------------------------------------


def register(*, username: str, email: str, password: str, request: HttpRequest | None = None) -> User:
    """Make a user and the channel; ``ValidationError`` names every field that will not do.

    With ``request``, whose host the link will carry, the address is asked to
    confirm itself by mail.
    """
    _check_registration(username, email, password)
    try:
        with transaction.atomic():
            user = User.objects.create_user(username=username, email=email, password=password)
            address = EmailAddress.objects.create(user=user, email=user.email, primary=True)
    except IntegrityError:
        _check_registration(username, email, password)  # somebody was faster: says who has what
        raise
    if request is not None:
        address.send_confirmation(request, signup=True)
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
    """Raise ``ValidationError`` unless ``username`` is well formed, not ours, and free in any case."""
    validate_username(username)
    if is_reserved(username):
        raise ValidationError(_("This name is reserved. Choose another."), code="reserved")
    if User.objects.filter(username__iexact=username).exists():
        raise ValidationError(_("This name is taken."), code="unique")


def check_email(email: str) -> None:
    """Raise ``ValidationError`` unless ``email`` is an address and nobody's, in any case."""
    check_address(email)
    in_use = User.objects.filter(email__iexact=email).exists()
    if in_use or EmailAddress.objects.filter(email=email.lower()).exists():
        raise ValidationError(_("This address is in use."), code="unique")


def check_address(email: str) -> None:
    """Raise ``ValidationError`` unless ``email`` is an address, and not longer than we keep."""
    User._meta.get_field("email").run_validators(email)


# --- Tokens ---------------------------------------------------------------------


def sign_in(*, login: str, password: str, code: str = "", request: HttpRequest | None = None) -> User:
    """Return whom ``login`` (user name or e-mail) and ``password`` prove, and ``code`` where one is set.

    Raises ``WrongCredentials``, ``SecondFactorRequired`` or ``WrongCode``.
    """
    user = authenticate(request, username=login, password=password)
    if not isinstance(user, User):
        raise WrongCredentials
    if is_mfa_enabled(user):
        _check_second_factor(user, code)
    return user


def _check_second_factor(user: User, code: str) -> None:
    if not code:
        raise SecondFactorRequired
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES]
    factors = Authenticator.objects.filter(user=user, type__in=kinds)
    if not any(factor.wrap().validate_code(code) for factor in factors):
        raise WrongCode


def create_token(*, user: User) -> tuple[AuthToken, str]:
    """Return the stored token, of which only a digest is kept, and the secret, seen this once."""
    token, secret = AuthToken.objects.create(user=user)
    return token, secret


def revoke_token(*, user: User, digest: str) -> bool:
    """Take back one of the user's tokens; false if there was none."""
    if not digest.isalnum():
        return False  # PostgreSQL would refuse to look for a NUL
    deleted: int = AuthToken.objects.filter(user=user, digest=digest).delete()[0]
    return deleted > 0


# --- Channels -------------------------------------------------------------------


def follow(*, user: User, channel: Channel) -> None:
    """Follow ``channel``; following twice is following once."""
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


def edit_channel(*, channel: Channel, **fields: str) -> None:
    """Change ``display_name`` or ``bio``."""
    for name, value in fields.items():
        setattr(channel, name, value)
    channel.save(update_fields=[*fields])


def set_avatar(*, channel: Channel, file: IO[bytes] | None) -> None:
    """Give ``channel`` a new picture, or none; ``ValidationError`` says why a file will not do."""
    old = channel.avatar.name
    if file is None:
        channel.avatar = ""
    else:
        picture = ContentFile(avatars.to_square_webp(file))
        channel.avatar.save(f"{secrets.token_hex(16)}.webp", picture, save=False)
    channel.save(update_fields=["avatar"])
    if old:
        transaction.on_commit(lambda: channel.avatar.storage.delete(old), robust=True)


# --- Powers ---------------------------------------------------------------------


class Role(models.TextChoices):
    MODERATOR = "moderator", _("Moderator")
    ADMINISTRATOR = "administrator", _("Administrator")

    @property
    def group_name(self) -> str:
        return {Role.MODERATOR: MODERATORS, Role.ADMINISTRATOR: ADMINISTRATORS}[self]


@transaction.atomic
def grant_role(*, user: User, role: Role) -> None:
    """Let ``user`` into the admin as ``role``.

    Administrators are superusers: whatever an app adds later is theirs as well.
    Moderators may do what their group may.
    """
    user.groups.add(Group.objects.get_or_create(name=role.group_name)[0])
    user.is_staff = True
    user.is_superuser = user.is_superuser or role is Role.ADMINISTRATOR
    _save_powers(user)
    logger.info("Role granted", extra={"user": user.pk, "role": role.value})


@transaction.atomic
def revoke_role(*, user: User, role: Role) -> None:
    """Take ``role`` back; the admin stays open only to who has another one."""
    user.groups.remove(*Group.objects.filter(name=role.group_name))
    user.is_superuser = user.is_superuser and role is not Role.ADMINISTRATOR
    has_other = user.groups.filter(name__in=[MODERATORS, ADMINISTRATORS]).exists()
    user.is_staff = user.is_superuser or has_other
    _save_powers(user)
    logger.info("Role revoked", extra={"user": user.pk, "role": role.value})


def _save_powers(user: User) -> None:
    user.save(update_fields=["is_staff", "is_superuser"])
    vars(user).pop("role_names", None)  # asked for once per object, and no longer true


def set_active(*, user: User, active: bool, by: User | None) -> None:
    """Lock or restore ``user``: sessions and tokens stop and start working with the next request.

    ``by`` None is the clock.  Raises ``NotTheirs`` as :func:`check_reach` does.
    """
    if by is not None:
        check_reach(user, by=by)
    user.is_active = active
    user.save(update_fields=["is_active"])
    who = by.pk if by else None
    logger.info("Account restored" if active else "Account suspended", extra={"user": user.pk, "by": who})


def as_of_now(user: User | AnonymousUser) -> User | AnonymousUser:
    """Who ``user`` is by now, with the roles of now: a socket may be older than a suspension."""
    return User.objects.filter(pk=user.pk or 0, is_active=True).first() or AnonymousUser()


def check_reach(user: User, *, by: User) -> None:
    """Raise ``NotTheirs`` when ``by`` reaches for themselves, or, being no administrator, for a role."""
    has_role = user.is_staff or user.is_superuser
    if user == by or (has_role and not by.is_superuser):
        raise NotTheirs


def revoke_tokens(*, user: User, by: User) -> int:
    """Take back all of the user's API tokens; how many they were.  Raises ``NotTheirs``."""
    if user != by:
        check_reach(user, by=by)
    deleted: int = AuthToken.objects.filter(user=user).delete()[0]
    logger.info("Tokens revoked", extra={"user": user.pk, "by": by.pk, "count": deleted})
    return deleted
