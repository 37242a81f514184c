"""People at the moderators' desk: who they are, and whether they may sign in.  No secrets are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from knox.models import AuthToken

from accounts import services
from accounts.errors import AccountError
from accounts.models import Channel, Follow, User

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
    readonly_fields = ("last_login", "date_joined")
    inlines = (ChannelInline,)
    actions = ("suspend", "restore")
    fieldsets = (
        (None, {"fields": ("username", "email")}),
        (_("Powers"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
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

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.suspend_user")

    @admin.action(description=_("Suspend"), permissions=["suspend"])
    def suspend(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._set_active(request, people, active=False)

    @admin.action(description=_("Restore"), permissions=["suspend"])
    def restore(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._set_active(request, people, active=True)

    def _set_active(self, request: HttpRequest, people: QuerySet[User], *, active: bool) -> None:
        by = cast(User, request.user)
        done = 0
        for user in people:
            try:
                services.set_active(user=user, active=active, by=by)
                done += 1
            except AccountError as error:
                self.message_user(request, f"{user}: {error}", messages.WARNING)
        if active:
            sentence = ngettext("%(n)d person can sign in again.", "%(n)d people can sign in again.", done)
        else:
            sentence = ngettext("%(n)d person was suspended.", "%(n)d people were suspended.", done)
        self.message_user(request, sentence % {"n": done}, messages.SUCCESS)


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


class SeenNotEdited(admin.ModelAdmin[Any]):
    """Rows that come from what people do; at the desk they can be read and removed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
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
