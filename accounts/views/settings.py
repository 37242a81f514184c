"""Pages of the settings: profile, tokens, language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import reauthentication_required
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import i18n
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import services, tokens
from accounts.forms import ProfileForm, TokenForm
from accounts.models import User

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@login_required
def settings(request: PersonRequest) -> HttpResponse:
    """Show and save the profile, with links to the other settings."""
    form = ProfileForm(request.POST or None, request.FILES or None, instance=request.user.channel)
    if request.method == "POST" and form.is_valid() and form.apply():
        messages.success(request, _("Changes saved."))
        return redirect("account_settings")
    return _settings_page(request, form)


def _settings_page(request: PersonRequest, form: ProfileForm, **more: Any) -> HttpResponse:
    context = {
        "form": form,
        "token_form": TokenForm(),
        "tokens": tokens.tokens_of(request.user),
        "has_second_factor": is_mfa_enabled(request.user),
        **more,
    }
    return render(request, "accounts/settings.html", context)


@require_POST
@login_required
@never_cache
@reauthentication_required
def create_token(request: PersonRequest) -> HttpResponse:
    """Show a new token once: only its digest is stored, so no page can show it again."""
    profile = ProfileForm(instance=request.user.channel)
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _settings_page(request, profile, token_form=form)
    _token, secret = tokens.create_token(user=request.user, name=form.cleaned_data["name"])
    return _settings_page(request, profile, new_token=secret)


@require_POST
@login_required
def revoke_token(request: PersonRequest) -> HttpResponse:
    if tokens.revoke_token(user=request.user, digest=request.POST.get("digest", "")):
        messages.success(request, _("Token revoked."))
    return redirect("account_settings")


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Set the language of this browser, and of mail to a signed-in person."""
    if isinstance(request.user, User):
        services.remember_language(user=request.user, language=request.POST.get("language"))
    return i18n.set_language(request)
