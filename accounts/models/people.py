"""Users and their channels.

A *user* signs in; a *channel* is a user's public side.  Every user has exactly one
channel, created together with the user, so ``user.channel`` always exists; other
apps point at the channel and never at the user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as BaseUserManager
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Lower
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts import access
from common import deletion, trigrams
from common.storage import media_url
from common.words import composed

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

# Groups created by migration 0002; ``manage.py grant`` adds people to them.
MODERATORS = "moderators"
ADMINISTRATORS = "administrators"

MAX_DISPLAY_NAME = 60  # characters
MAX_BIO = 1_000
# Bounds of a search for channels.
MOST_MATCHING = 100
NEWEST_MATCHED = 5_000

validate_username = RegexValidator(
    r"\A[A-Za-z0-9](?:[A-Za-z0-9_.-]{1,28})[A-Za-z0-9_]\Z",
    _("3 to 30 letters, digits, dots, dashes or underscores. Must begin with a letter or digit."),
)


class UserManager(BaseUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the whole address in lower case, so that each address belongs to one account."""
        return super().normalize_email(email).lower()

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the user by name, in any case."""
        return self.get(username__iexact=username)


class User(AbstractUser):  # type: ignore[django-manager-missing]  # knox, of ApiToken, is untyped
    username = models.CharField(
        _("username"),
        max_length=30,
        unique=True,
        validators=[validate_username],
        error_messages={"unique": _("This username is taken.")},
    )
    email = models.EmailField(
        _("email address"), unique=True, error_messages={"unique": _("This email address is already in use.")}
    )
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    # For mail and other texts written in the reader's absence; empty until it is known.
    language = models.CharField(_("language"), max_length=10, blank=True, editable=False)
    # Raised by accounts.access.revoke: sessions and chat tickets of a lower version are void.
    access_version = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        permissions = [("suspend_user", "Can suspend and restore users")]
        indexes = [
            models.Index(fields=["-date_joined", "-id"], name="user_joined"),
            models.Index(fields=["id"], condition=Q(is_active=False), name="user_inactive"),
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="user_username_ci",
                violation_error_message=_("This username is taken."),
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_ci",
                violation_error_message=_("This email address is already in use."),
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the user; create the channel of a new one, and revoke access after a change of password.

        Pages, the admin and ``manage.py changepassword`` all end here.  ``check_password``
        also saves after it renews an old hash, but leaves ``_password`` empty.
        """
        is_new = self._state.adding
        has_new_password = getattr(self, "_password", None) is not None or self._has_lost_password
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new:
                Channel.objects.get_or_create(owner=self)
            elif has_new_password:
                access.revoke(self)
        self._has_lost_password = False

    _has_lost_password = False

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self._has_lost_password = True

    def _get_session_auth_hash(self, secret: str | bytes | None = None) -> str:
        """Return the hash that binds sessions to the password and the access version."""
        of_password = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return salted_hmac(
            "accounts.access", f"{of_password}:{self.access_version}", secret, algorithm="sha256"
        ).hexdigest()

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the account, and soon after the picture of its channel."""
        with transaction.atomic():
            if picture := self.channel.avatar.name:
                deletion.delete_later(picture)
            return super().delete(*args, **kwargs)

    def get_full_name(self) -> str:
        return self.channel.name

    def get_short_name(self) -> str:
        return self.username

    @property
    def preferred_language(self) -> str:
        """Return the language for mail to this person."""
        known = dict(settings.LANGUAGES)
        return self.language if self.language in known else str(settings.LANGUAGE_CODE)

    @property
    def is_moderator(self) -> bool:
        """Return whether the user may moderate other people's content."""
        if not self.is_active:
            return False
        return self.is_superuser or bool(self.role_names & {MODERATORS, ADMINISTRATORS})

    @cached_property
    def role_names(self) -> frozenset[str]:
        """Return the names of the user's groups, queried once per object."""
        return frozenset(self.groups.values_list("name", flat=True))


class ChannelQuerySet(models.QuerySet["Channel"]):
    def public(self) -> ChannelQuerySet:
        """Return the channels whose owner is active."""
        return self.filter(owner__is_active=True)

    def with_follower_count(self) -> ChannelQuerySet:
        counted = Follow.objects.filter(channel=models.OuterRef("pk")).order_by().values("channel")
        count = models.Subquery(counted.annotate(count=models.Count("pk")).values("count"))
        return self.annotate(follower_count=Coalesce(count, 0))

    def with_is_following(self, user: User | AnonymousUser) -> ChannelQuerySet:
        """Annotate whether ``user`` follows each channel; false for anonymous users."""
        follows = Follow.objects.filter(channel=models.OuterRef("pk"), follower_id=user.pk)
        return self.annotate(is_following=models.Exists(follows))

    def matching(self, word: str) -> ChannelQuerySet:
        """Return the channels with ``word`` in the user name or the display name.

        Each name is searched by itself, for up to ``MOST_MATCHING`` channels: no index serves
        an OR over two tables.  A word shorter than a trigram has no index, so it is searched
        only among the ``NEWEST_MATCHED`` newest channels.
        """
        word = composed(word)
        channels, people = Channel.objects.order_by(), User.objects.order_by()
        if len(word) < trigrams.LEAST_LENGTH:
            channels = channels.filter(pk__gt=_newest_pk(Channel) - NEWEST_MATCHED)
            people = people.filter(pk__gt=_newest_pk(User) - NEWEST_MATCHED)
        owners = people.filter(username__icontains=word).values_list("pk", flat=True)[:MOST_MATCHING]
        named_so = channels.filter(display_name__icontains=word).values_list("pk", flat=True)
        found = {
            *named_so[:MOST_MATCHING],
            *Channel.objects.filter(owner__in=list(owners)).values_list("pk", flat=True),
            *Channel.objects.named(word).values_list("pk", flat=True),
        }
        return self.filter(pk__in=found)

    def named(self, username: str) -> ChannelQuerySet:
        """Return the channel of ``/@username/``, in any case."""
        return self.filter(owner__username__iexact=username)


def _newest_pk(model: type[models.Model]) -> int:
    return model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0


class Channel(models.Model):
    owner = models.OneToOneField(User, models.CASCADE, related_name="channel", verbose_name=_("owner"))
    display_name = models.CharField(_("display name"), max_length=MAX_DISPLAY_NAME, blank=True)
    bio = models.TextField(pgettext_lazy("of a person", "about"), max_length=MAX_BIO, blank=True)
    avatar = models.ImageField(_("profile picture"), upload_to="avatars/", blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")

    def __str__(self) -> str:
        return f"@{self.username}"

    @property
    def username(self) -> str:
        return self.owner.username

    @property
    def name(self) -> str:
        """Return the display name, or else the user name."""
        return self.display_name or self.owner.username

    @property
    def avatar_url(self) -> str | None:
        """Return the address of the picture, valid for some hours."""
        return media_url(self.avatar.name) if self.avatar.name else None

    def get_absolute_url(self) -> str:
        return reverse("channel", args=[self.username])

    def is_owned_by(self, user: User | AnonymousUser) -> bool:
        return user.is_authenticated and self.owner_id == user.pk


class Follow(models.Model):
    """Subscription of ``follower`` to the notifications of ``channel``."""

    follower = models.ForeignKey(User, models.CASCADE, related_name="follows", verbose_name=_("person"))
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="followers", verbose_name=_("channel"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("follow")
        verbose_name_plural = _("follows")
        constraints = [models.UniqueConstraint(fields=["follower", "channel"], name="follow_once")]

    def __str__(self) -> str:
        return f"{self.follower} → {self.channel}"
