"""People in the admin: their roles, sanctions and addresses.  No secrets are shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import access, moderation, services, sign_up, tokens
from accounts.admin.forms import BulkDecisionForm
from accounts.admin.ranked import Ranked
from accounts.models import ApiToken, Channel, Decision, Follow, Sanction, User
from accounts.services import Role
from common.admin_base import SeenNotEdited
from common.errors import Refusal
from common.templatetags.human import in_utc

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Everyone signs in through allauth, with its rate limits and second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

admin.site.unregister(Authenticator)
# An address changes only together with its user: see services.change_email.
admin.site.unregister(EmailAddress)


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """Form for a password; half of Django's own help text is English in every language."""

    usable_password_help_text = format_lazy(  # type: ignore[assignment]
        '{}<ul id="id_unusable_warning" class="messagelist"><li class="warning">{}</li></ul>',
        _("Allow this user to sign in with a password."),
        _("If turned off, the current password is lost."),
    )


class PersonForm(UserChangeForm[User]):
    def clean_email(self) -> str:
        """Refuse an address that is in use or waits for somebody's confirmation."""
        email = User.objects.normalize_email(self.cleaned_data["email"])
        if email != self.instance.email:
            services.check_email(email)
        return email


class ChannelInline(admin.StackedInline[Channel, User]):
    model = Channel
    fields = ("display_name", "bio")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Forbid adding: the channel is created with the user."""
        return False


@admin.register(User)
class UserAdmin(BaseUserAdmin[User]):
    list_display = ("username", "email", "display_name", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "date_joined")
    list_select_related = ("channel",)
    search_fields = ("username", "email", "channel__display_name")
    ordering = ("-date_joined",)
    sortable_by = ("username", "email", "date_joined")
    # These fields are read-only: the actions of the list change them, through the services.
    form = PersonForm
    change_password_form = PasswordForm
    readonly_fields = (
        "email_is_confirmed", "is_active", "is_staff", "is_superuser", "groups", "forbidden",
        "last_login", "date_joined",
    )  # fmt: skip
    inlines = (ChannelInline,)
    action_form = BulkDecisionForm
    actions = (
        "time_out", "suspend", "ban", "lift_all", "revoke_tokens", "confirm_email",
        "make_moderator", "make_administrator", "take_moderator", "take_administrator",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("username", "email", "email_is_confirmed")}),
        (_("Permissions"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "forbidden")}),
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

    @admin.display(description=_("restrictions"))
    def forbidden(self, user: User) -> str:
        in_force = Sanction.objects.in_force().filter(person=user)
        sentences = []
        for sanction in in_force:
            until = in_utc(sanction.until) if sanction.until else _("permanently")
            sentences.append(f"{sanction.get_kind_display()} ({until})")
        return ", ".join(sentences) or "–"

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Forbid deletion, which would leave files outside of SQL behind; accounts are banned instead."""
        return False

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.suspend_user")

    def has_rule_permission(self, request: HttpRequest) -> bool:
        """Return whether the requester may grant and revoke roles: administrators only."""
        return bool(request.user.is_active and request.user.is_superuser)

    @admin.action(description=_("Time out (no posts, no uploads)"), permissions=["suspend"])
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
                "%(n)d user was timed out.", "%(n)d users were timed out.", done
            ),
            Decision.Action.SUSPEND: ngettext(
                "%(n)d user was suspended.", "%(n)d users were suspended.", done
            ),
            Decision.Action.BAN: ngettext("%(n)d user was banned.", "%(n)d users were banned.", done),
        }
        self.message_user(request, sentences[action] % {"n": done}, messages.SUCCESS)

    @admin.action(description=_("Lift all restrictions"), permissions=["suspend"])
    def lift_all(self, request: HttpRequest, people: QuerySet[User]) -> None:
        by = cast(User, request.user)
        done = self._each(request, people, lambda user: moderation.lift_all(user, by=by))
        sentence = ngettext("%(n)d user was restored.", "%(n)d users were restored.", done)
        self.message_user(request, sentence % {"n": done}, messages.SUCCESS)

    @admin.action(description=_("Revoke API tokens"), permissions=["suspend"])
    def revoke_tokens(self, request: HttpRequest, people: QuerySet[User]) -> None:
        by = cast(User, request.user)
        done = self._each(request, people, lambda user: tokens.revoke_tokens(user=user, by=by))
        sentence = ngettext(
            "API tokens of %(n)d user were revoked.", "API tokens of %(n)d users were revoked.", done
        )
        self.message_user(request, sentence % {"n": done}, messages.SUCCESS)

    @admin.display(description=_("email confirmed"), boolean=True)
    def email_is_confirmed(self, user: User) -> bool:
        return sign_up.has_confirmed_email(user)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show a message if somebody took the name or the address after the form's check."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            sentence = _("This username or email address was just taken. Choose another one.")
            self.message_user(request, sentence, messages.ERROR)
            return redirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            services.change_email(user=obj, email=obj.email)

    @admin.action(description=_("Mark email address as confirmed"), permissions=["change"])
    def confirm_email(self, request: HttpRequest, people: QuerySet[User]) -> None:
        done = self._each(request, people, lambda user: services.confirm_email(user=user))
        sentence = ngettext(
            "Email address of %(n)d user marked as confirmed.",
            "Email addresses of %(n)d users marked as confirmed.",
            done,
        )
        self.message_user(request, sentence % {"n": done}, messages.SUCCESS)

    @admin.action(description=_("Make moderator"), permissions=["rule"])
    def make_moderator(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._set_role(request, people, Role.MODERATOR, grants=True)

    @admin.action(description=_("Make administrator"), permissions=["rule"])
    def make_administrator(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._set_role(request, people, Role.ADMINISTRATOR, grants=True)

    @admin.action(description=_("Remove moderator role"), permissions=["rule"])
    def take_moderator(self, request: HttpRequest, people: QuerySet[User]) -> None:
        self._set_role(request, people, Role.MODERATOR, grants=False)

    @admin.action(description=_("Remove administrator role"), permissions=["rule"])
    def take_administrator(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Revoke the role from everybody but the requester: a site keeps at least one administrator."""
        others = people.exclude(pk=cast(User, request.user).pk)
        self._set_role(request, others, Role.ADMINISTRATOR, grants=False)

    def _set_role(self, request: HttpRequest, people: QuerySet[User], role: Role, *, grants: bool) -> None:
        change = services.grant_role if grants else services.revoke_role
        done = self._each(request, people, lambda user: change(user=user, role=role))
        sentence = ngettext("Roles of %(n)d user changed.", "Roles of %(n)d users changed.", done)
        self.message_user(request, sentence % {"n": done}, messages.SUCCESS)

    def _each(self, request: HttpRequest, people: QuerySet[User], act: Callable[[User], object]) -> int:
        """Call ``act`` for each person and return the number of successes; show the others with reasons."""
        done = 0
        for user in people:
            try:
                act(user)
                done += 1
            except Refusal as error:
                self.message_user(request, f"{user}: {error}", messages.WARNING)
        return done


@admin.register(Channel)
class ChannelAdmin(Ranked):
    list_display = ("name", "display_name", "follower_count", "is_active", "created_at")
    list_filter = ("owner__is_active", "created_at")
    list_select_related = ("owner",)
    search_fields = ("owner__username", "display_name", "bio")
    sortable_by = ()
    fields = ("owner", "display_name", "bio", "avatar_key", "created_at")
    readonly_fields = ("owner", "avatar_key", "created_at")

    def owner_of(self, row: Channel) -> User:
        return row.owner

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return super().get_queryset(request).with_follower_count()  # type: ignore[attr-defined, no-any-return]

    @admin.display(description=_("person"), ordering="owner__username")
    def name(self, channel: Channel) -> str:
        return channel.username

    @admin.display(description=_("followers"))
    def follower_count(self, channel: Channel) -> int:
        return channel.follower_count  # type: ignore[attr-defined, no-any-return]

    @admin.display(description=_("active"), boolean=True, ordering="owner__is_active")
    def is_active(self, channel: Channel) -> bool:
        return channel.owner.is_active

    @admin.display(description=_("profile picture"))
    def avatar_key(self, channel: Channel) -> str:
        return channel.avatar.name or ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Channel | None = None) -> bool:
        """Forbid deletion: a channel is deleted with its user."""
        return False


@admin.register(Follow)
class FollowAdmin(SeenNotEdited):
    list_display = ("follower", "channel", "created_at")
    list_select_related = ("follower", "channel__owner")
    search_fields = ("follower__username", "channel__owner__username")
    sortable_by = ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiToken)
class TokenAdmin(SeenNotEdited):
    """Admin of API tokens; deleting a leaked token revokes it."""

    list_display = ("person", "name", "created_at", "last_used_at", "expires_at")
    list_display_links = None
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("person", "name", "created_at", "last_used_at", "expires_at")
    readonly_fields = ("person", "created_at", "expires_at")
    ordering = ("-created",)

    # The library's fields have no names in other languages.
    @admin.display(description=_("person"), ordering="user__username")
    def person(self, token: ApiToken) -> str:
        return str(token.user)

    @admin.display(description=_("created"), ordering="created")
    def created_at(self, token: ApiToken) -> datetime:
        return cast("datetime", token.created)

    @admin.display(description=_("until"), ordering="expiry")
    def expires_at(self, token: ApiToken) -> datetime | None:
        return cast("datetime | None", token.expiry)


@admin.register(Authenticator)
class AuthenticatorAdmin(SeenNotEdited):
    """Admin of second factors; delete one for a person who has lost it."""

    list_display = ("person", "kind", "made_at", "used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = ("person", "kind", "made_at", "used_at")
    readonly_fields = fields

    # The library's fields have no names in other languages.
    @admin.display(description=_("person"), ordering="user__username")
    def person(self, factor: Authenticator) -> str:
        return str(factor.user)

    @admin.display(description=_("kind"), ordering="type")
    def kind(self, factor: Authenticator) -> str:
        return str(factor.get_type_display())

    @admin.display(description=_("created"), ordering="created_at")
    def made_at(self, factor: Authenticator) -> datetime:
        return cast("datetime", factor.created_at)

    @admin.display(description=_("last used"), ordering="last_used_at")
    def used_at(self, factor: Authenticator) -> datetime | None:
        return cast("datetime | None", factor.last_used_at)

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        super().delete_model(request, obj)
        access.revoke(obj.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Authenticator]) -> None:
        """Delete the factors and revoke their owners' access: a stolen factor may have been used."""
        people = list(User.objects.filter(authenticator__in=queryset).distinct())
        super().delete_queryset(request, queryset)
        for user in people:
            access.revoke(user)
