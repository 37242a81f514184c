"""Users and their channels.

A *user* signs in; a *channel* is the face others see.  Today every user has
exactly one channel, made together with the user, so ``user.channel`` always
exists; other apps point at the channel and never at the user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as BaseUserManager
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from videoplatform.storage import media_url

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

# The groups that migration 0002 makes; ``manage.py grant`` puts people into them.
MODERATORS = "moderators"
ADMINISTRATORS = "administrators"

validate_username = RegexValidator(
    r"\A[A-Za-z0-9](?:[A-Za-z0-9_.-]{1,28})[A-Za-z0-9_]\Z",
    _("3 to 30 letters, digits, dots, dashes or underscores, beginning with a letter or a digit."),
)


class UserManager(BaseUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Addresses are kept in lower case whole, so that one person has one."""
        return super().normalize_email(email).lower()

    def get_by_natural_key(self, username: str | None) -> User:
        """Signing in does not depend on the case of the name, as signing up does not."""
        return self.get(username__iexact=username)


class User(AbstractUser):
    username = models.CharField(
        _("user name"),
        max_length=30,
        unique=True,
        validators=[validate_username],
        error_messages={"unique": _("This name is taken.")},
    )
    email = models.EmailField(
        _("e-mail address"), unique=True, error_messages={"unique": _("This address is in use.")}
    )
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        permissions = [("suspend_user", "Can suspend and restore users")]
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="user_username_ci", violation_error_message=_("This name is taken.")
            ),
            models.UniqueConstraint(
                Lower("email"), name="user_email_ci", violation_error_message=_("This address is in use.")
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Every way to make a user ends here, and makes the channel with it."""
        is_new = self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new:
                Channel.objects.get_or_create(owner=self)

    def get_full_name(self) -> str:
        return self.channel.name

    def get_short_name(self) -> str:
        return self.username

    @property
    def is_moderator(self) -> bool:
        """True for whoever may act on other people's content."""
        if not self.is_active:
            return False
        return self.is_superuser or bool(self.role_names & {MODERATORS, ADMINISTRATORS})

    @cached_property
    def role_names(self) -> frozenset[str]:
        """The names of the user's groups, asked for once per object."""
        return frozenset(self.groups.values_list("name", flat=True))


class ChannelQuerySet(models.QuerySet["Channel"]):
    def public(self) -> ChannelQuerySet:
        """Channels whose owner has not been switched off."""
        return self.filter(owner__is_active=True)

    def with_follower_count(self) -> ChannelQuerySet:
        return self.annotate(follower_count=models.Count("followers", distinct=True))

    def with_is_following(self, user: User | AnonymousUser) -> ChannelQuerySet:
        """Annotate whether ``user`` follows each channel; signed out, nobody does."""
        follows = Follow.objects.filter(channel=models.OuterRef("pk"), follower_id=user.pk)
        return self.annotate(is_following=models.Exists(follows))

    def named(self, username: str) -> ChannelQuerySet:
        """The channel behind ``/@username/``, in whatever case it was typed."""
        return self.filter(owner__username__iexact=username)


class Channel(models.Model):
    owner = models.OneToOneField(User, models.CASCADE, related_name="channel")
    display_name = models.CharField(_("display name"), max_length=60, blank=True)
    bio = models.TextField(_("about"), max_length=1000, blank=True)
    avatar = models.ImageField(_("picture"), upload_to="avatars/", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

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
        """What pages call the channel."""
        return self.display_name or self.owner.username

    @property
    def avatar_url(self) -> str | None:
        """Where browsers read the picture, for some hours."""
        return media_url(self.avatar.name) if self.avatar.name else None

    def get_absolute_url(self) -> str:
        return reverse("channel", args=[self.username])

    def is_owned_by(self, user: User | AnonymousUser) -> bool:
        return user.is_authenticated and self.owner_id == user.pk


class Follow(models.Model):
    """``follower`` wants to hear of ``channel``."""

    follower = models.ForeignKey(User, models.CASCADE, related_name="follows")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="followers")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("follow")
        verbose_name_plural = _("follows")
        constraints = [models.UniqueConstraint(fields=["follower", "channel"], name="follow_once")]

    def __str__(self) -> str:
        return f"{self.follower} → {self.channel}"
