"""The account's own pages; signing in and its relatives are allauth's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from knox.models import AuthToken

from accounts import moderation, notifications, services
from accounts.errors import AccountError
from accounts.forms import ProfileForm, ReportForm
from accounts.models import Channel, Notification, User

NOTIFICATIONS_PAGE_SIZE = 30
NOTIFICATIONS_UNDER_BELL = 8

if TYPE_CHECKING:

    class PersonRequest(HttpRequest):
        """A request that ``login_required`` let through."""

        user: User


@login_required
def settings(request: PersonRequest) -> HttpResponse:
    """Profile, and the ways to everything else that is one's own."""
    form = ProfileForm(request.POST or None, request.FILES or None, instance=request.user.channel)
    if request.method == "POST" and form.is_valid() and form.apply():
        messages.success(request, _("Saved."))
        return redirect("account_settings")
    return _settings_page(request, form)


def _settings_page(request: PersonRequest, form: ProfileForm, **more: Any) -> HttpResponse:
    tokens = AuthToken.objects.filter(user=request.user).order_by("-created")
    context = {"form": form, "tokens": tokens, "has_second_factor": is_mfa_enabled(request.user), **more}
    return render(request, "accounts/settings.html", context)


@require_POST
@login_required
@never_cache
def create_token(request: PersonRequest) -> HttpResponse:
    """Show a new token this once: it is kept nowhere, so there is no page to come back to."""
    _token, secret = services.create_token(user=request.user)
    return _settings_page(request, ProfileForm(instance=request.user.channel), new_token=secret)


@require_POST
@login_required
def revoke_token(request: PersonRequest) -> HttpResponse:
    if services.revoke_token(user=request.user, digest=request.POST.get("digest", "")):
        messages.success(request, _("The token no longer works."))
    return redirect("account_settings")


@require_POST
def follow(request: HttpRequest, username: str) -> HttpResponse:
    """Follow or unfollow as ``following`` says: back to the page, or for htmx the button anew."""
    channel = get_object_or_404(Channel.objects.public().select_related("owner").named(username))
    if not isinstance(request.user, User):
        return _sign_in_first(request, channel)
    wants = request.POST.get("following") == "true"
    try:
        (services.follow if wants else services.unfollow)(user=request.user, channel=channel)
    except AccountError as error:
        messages.error(request, str(error))
        wants = False
    if "HX-Request" in request.headers:
        context = {"channel": channel, "is_following": wants, "next": _back(request, channel)}
        return render(request, "includes/follow_button.html", context)
    return redirect(_back(request, channel))


def _sign_in_first(request: HttpRequest, channel: Channel) -> HttpResponse:
    to_sign_in = redirect_to_login(_back(request, channel))
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": to_sign_in.url})
    return to_sign_in


def _back(request: HttpRequest, channel: Channel) -> str:
    """Where the person came from, if that is here; else the channel."""
    return _here(request, request.POST.get("next", "")) or channel.get_absolute_url()


def _here(request: HttpRequest, address: str) -> str:
    """``address``, if it is one of this site's; else nothing."""
    is_here = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_here else ""


# --- Notifications ------------------------------------------------------------------


@login_required
def notification_list(request: PersonRequest) -> HttpResponse:
    """All of them; a POST marks them read."""
    if request.method == "POST":
        notifications.mark_read(request.user)
        return redirect("notifications")
    told = Notification.objects.of(request.user)
    context = {
        "page": Paginator(told, NOTIFICATIONS_PAGE_SIZE).get_page(request.GET.get("page")),
        "unread_count": notifications.unread_count(request.user),
    }
    return render(request, "accounts/notifications.html", context)


@login_required
@never_cache
def recent_notifications(request: PersonRequest) -> HttpResponse:
    """What the bell shows: the newest."""
    newest = list(Notification.objects.of(request.user)[:NOTIFICATIONS_UNDER_BELL])
    return render(request, "accounts/includes/notifications_recent.html", {"notifications": newest})


# --- Reporting ----------------------------------------------------------------------


@login_required
@never_cache
def report(request: PersonRequest, kind: str, target_id: str) -> HttpResponse:
    """Report anything: a page of its own, or, for whoever asks ``?dialog``, the dialog alone."""
    known = moderation.kind_named(kind)
    target = known.find(target_id, request.user) if known else None
    if known is None or target is None:
        raise Http404
    form = ReportForm(request.POST or None, initial={"next": request.GET.get("next", "")})
    if request.method == "POST" and form.is_valid():
        asked = {name: form.cleaned_data[name] for name in ("reason", "detail", "offset_s")}
        try:
            moderation.report(by=request.user, target_type=kind, target_id=target_id, **asked)
        except AccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, _("Thank you. Moderators look at it, and you will hear what came of it.")
            )
            return redirect(_here(request, form.cleaned_data["next"]) or known.url(target))
    context = {"form": form, "kind": known, "target_id": target_id, "title": known.title(target)}
    template = "includes/report_dialog.html" if "dialog" in request.GET else "accounts/report.html"
    return render(request, template, context, status=422 if form.errors else 200)
