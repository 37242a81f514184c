"""People at the moderators' desk: who they are, and whether they may sign in.  No secrets are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from knox.models import AuthToken

from accounts import moderation, services
from accounts.admin.forms import BulkDecisionForm
from accounts.admin.seen import SeenNotEdited
from accounts.errors import AccountError
from accounts.models import Channel, Decision, Follow, Sanction, User
from accounts.services import Role

if TYPE_CHECKING:
    from django.db.models import QuerySet

# One door for everyone: allauth's, with its rate limits and second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

admin.site.unregister(AuthToken)
admin.site.unregister(Authenticator)


class ChannelInline(admin.StackedInline[Channel, User]):
    model = Channel
    fields = ("display_name", "bio")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The channel comes with the user."""
        return False


@admin.register(User)
class UserAdmin(BaseUserAdmin[User]):
    list_display = ("username", "email", "display_name", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "date_joined")
    list_select_related = ("channel",)
    search_fields = ("username", "email", "channel__display_name")
    ordering = ("-date_joined",)
    # Whoever may sign in, and with which powers, changes by the actions of the list, which call the services.
    readonly_fields = (
        "is_active", "is_staff", "is_superuser", "groups", "forbidden", "last_login", "date_joined"
    )  # fmt: skip
    inlines = (ChannelInline,)
    action_form = BulkDecisionForm
    actions = (
        "time_out", "suspend", "ban", "restore", "revoke_tokens",
        "make_moderator", "make_administrator", "take_moderator", "take_administrator",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("username", "email")}),
        (_("Powers"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "forbidden")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "password1", "password2")}),
    )

    @admin.display(description=_("display name"), ordering="channel__display_name")
    def display_name(self, user: User) -> str:
        return user.channel.display_name

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return super().get_inlines(request, obj) if obj else ()

    @admin.display(description=_("forbidden"))
    def forbidden(self, user: User) -> str:
        in_force = Sanction.objects.in_force().filter(person=user)
        said = [f"{sanction.get_kind_display()} ({_until(sanction)})" for sanction in in_force]
        return ", ".join(said) or "–"

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Accounts are banned: what they stored outside of SQL would be left behind."""
        return False

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.suspend_user")

    def has_rule_permission(self, request: HttpRequest) -> bool:
        """Roles are given and taken by administrators alone."""
        return bool(request.user.is_active and request.user.is_superuser)

    # --- Sanctions ------------------------------------------------------------------

    @admin.action(description=_("Time out: no writing, no uploads"), permissions=["suspend"])
    def time_out(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._decide(request, people, Decision.Action.TIME_OUT)

    @admin.action(description=_("Suspend"), permissions=["suspend"])
    def suspend(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._decide(request, people, Decision.Action.SUSPEND)

    @admin.action(description=_("Ban"), permissions=["suspend"])
    def ban(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._decide(request, people, Decision.Action.BAN)

    def _decide(self, request: HttpRequest, people: QuerySet[User], action: Decision.Action) -> None:
        how: dict[str, Any] = {
            "action": action,
            "reason": BulkDecisionForm.reason_in(request.POST),
            "duration": BulkDecisionForm.duration_in(request.POST),
        }
        by = cast(User, request.user)
        done = self._each(request, people, lambda user: moderation.decide_about(user, by=by, **how))
        sentences = {
            Decision.Action.TIME_OUT: ngettext(
                "%(n)d person was timed out.", "%(n)d people were timed out.", done
            ),
            Decision.Action.SUSPEND: ngettext(
                "%(n)d person was suspended.", "%(n)d people were suspended.", done
            ),
            Decision.Action.BAN: ngettext("%(n)d person was banned.", "%(n)d people were banned.", done),
        }
        self.message_user(request, sentences[action] % {"n": done}, messages.SUCCESS)

    @admin.action(description=_("Restore: end whatever is forbidden to them"), permissions=["suspend"])
    def restore(self, request: HttpRequest, people: QuerySet[User]) -> None:
        by = cast(User, request.user)
        done = self._each(request, people, lambda user: moderation.forgive(user, by=by))
        sentence = ngettext("%(n)d person can sign in again.", "%(n)d people can sign in again.", done)
        self.message_user(request, sentence % {"n": done}, messages.SUCCESS)

    @admin.action(description=_("Revoke their API tokens"), permissions=["suspend"])
    def revoke_tokens(self, request: HttpRequest, people: QuerySet[User]) -> None:
        by = cast(User, request.user)
        done = self._each(request, people, lambda user: services.revoke_tokens(user=user, by=by))
        sentence = ngettext(
            "The tokens of %(n)d person no longer work.", "The tokens of %(n)d people no longer work.", done
        )
        self.message_user(request, sentence % {"n": done}, messages.SUCCESS)

    # --- Roles ----------------------------------------------------------------------

    @admin.action(description=_("Make moderator"), permissions=["rule"])
    def make_moderator(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._set_role(request, people, Role.MODERATOR, grants=True)

    @admin.action(description=_("Make administrator"), permissions=["rule"])
    def make_administrator(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._set_role(request, people, Role.ADMINISTRATOR, grants=True)

    @admin.action(description=_("Moderator no more"), permissions=["rule"])
    def take_moderator(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._set_role(request, people, Role.MODERATOR, grants=False)

    @admin.action(description=_("Administrator no more"), permissions=["rule"])
    def take_administrator(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Nobody takes it from themselves: a site keeps at least one."""
        others = people.exclude(pk=cast(User, request.user).pk)
        self._set_role(request, others, Role.ADMINISTRATOR, grants=False)

    def _set_role(self, request: HttpRequest, people: QuerySet[User], role: Role, *, grants: bool) -> None:
        change = services.grant_role if grants else services.revoke_role
        done = self._each(request, people, lambda user: change(user=user, role=role))
        sentence = ngettext("The roles of %(n)d person changed.", "The roles of %(n)d people changed.", done)
        self.message_user(request, sentence % {"n": done}, messages.SUCCESS)

    def _each(self, request: HttpRequest, people: QuerySet[User], act: Callable[[User], object]) -> int:
        """Let ``act`` act on everyone it may; how many that were.  The others are named, with the reason."""
        done = 0
        for user in people:
            try:
                act(user)
                done += 1
            except AccountError as error:
                self.message_user(request, f"{user}: {error}", messages.WARNING)
        return done


def _until(sanction: Sanction) -> str:
    if sanction.until is None:
        return str(_("for good"))
    return date_format(timezone.localtime(sanction.until), "DATETIME_FORMAT")


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin[Channel]):
    list_display = ("username", "display_name", "follower_count", "is_active", "created_at")
    list_filter = ("owner__is_active", "created_at")
    list_select_related = ("owner",)
    search_fields = ("owner__username", "display_name", "bio")
    fields = ("owner", "display_name", "bio", "avatar_key", "created_at")
    readonly_fields = ("owner", "avatar_key", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return super().get_queryset(request).with_follower_count()  # type: ignore[attr-defined, no-any-return]

    @admin.display(description=_("followers"), ordering="follower_count")
    def follower_count(self, channel: Channel) -> int:
        return channel.follower_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description=_("active"), boolean=True, ordering="owner__is_active")
    def is_active(self, channel: Channel) -> bool:
        return channel.owner.is_active

    @admin.display(description=_("picture"))
    def avatar_key(self, channel: Channel) -> str:
        return channel.avatar.name or ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Channel | None = None) -> bool:
        """A channel goes with its user."""
        return False


@admin.register(Follow)
class FollowAdmin(SeenNotEdited):
    list_display = ("follower", "channel", "created_at")
    list_select_related = ("follower", "channel__owner")
    search_fields = ("follower__username", "channel__owner__username")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuthToken)
class TokenAdmin(SeenNotEdited):
    """A leaked token is revoked by deleting it."""

    list_display = ("user", "created", "expiry")
    list_display_links = None
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("user", "created", "expiry")
    ordering = ("-created",)


@admin.register(Authenticator)
class AuthenticatorAdmin(SeenNotEdited):
    """Who lost a second factor is let in again by deleting it."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("user", "type", "created_at", "last_used_at")
