"""Account pages; sign-in and related pages are allauth's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import reauthentication_required
from allauth.account.views import SignupView
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import i18n
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import moderation, notifications, services, sign_up, tokens
from accounts.errors import ProofInvalid, ProofRequired
from accounts.forms import ProfileForm, ReportForm, SignUpForm, TokenForm
from accounts.models import Channel, Notification, Report, User
from common.errors import Refusal

NOTIFICATIONS_PAGE_SIZE = 30
NOTIFICATIONS_UNDER_BELL = 8
REPORTED = gettext_lazy("Thank you. Moderators will review your report and notify you of the result.")
REPORTED_BEFORE = gettext_lazy(
    "You have already reported this. Moderators will review it and notify you of the result."
)

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


class SignUpView(SignupView):
    """Sign-up page of allauth, with the site's policy."""

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        answer: HttpResponse
        try:
            answer = super().form_valid(form)
        except (ProofRequired, ProofInvalid):
            form.add_error(None, _("Your browser must complete a short check first. Submit the form again."))
        except Refusal as error:
            form.add_error(None, str(error))
        except ValidationError as error:
            for field, problems in error.error_dict.items():
                form.add_error("password1" if field == "password" else field, problems)
        else:
            return answer
        form.data = {**form.data.dict(), "proof": ""}  # a used proof is not sent again
        answer = self.form_invalid(form)
        return answer

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**more)
        context["challenge"] = sign_up.needed(self.request)
        return context


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
def follow(request: HttpRequest, username: str) -> HttpResponse:
    """Follow or unfollow, then return to the page, or return the new button for htmx."""
    channel = get_object_or_404(Channel.objects.public().select_related("owner").named(username))
    if not isinstance(request.user, User):
        return _sign_in_first(request, channel)
    wants = request.POST.get("following") == "true"
    try:
        (services.follow if wants else services.unfollow)(user=request.user, channel=channel)
    except Refusal as error:
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
    """Return the address of the person's page if it is on this site, or else the channel's."""
    return _here(request, request.POST.get("next", "")) or channel.get_absolute_url()


def _here(request: HttpRequest, address: str) -> str:
    """Return ``address`` if it is on this site, or else an empty string."""
    is_here = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_here else ""


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Set the language of this browser, and of mail to a signed-in person."""
    if isinstance(request.user, User):
        services.remember_language(user=request.user, language=request.POST.get("language"))
    return i18n.set_language(request)


@login_required
def notification_list(request: PersonRequest) -> HttpResponse:
    """Show all notifications; a POST marks them read."""
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
    """Return the newest notifications for the bell."""
    newest = list(Notification.objects.of(request.user)[:NOTIFICATIONS_UNDER_BELL])
    return render(request, "accounts/includes/notifications_recent.html", {"notifications": newest})


@login_required
@never_cache
def report(request: PersonRequest, kind: str, target_id: str) -> HttpResponse:
    """Show and save a report: on a page of its own, or for ``?dialog`` as the dialog alone."""
    known = moderation.kind_named(kind)
    target = known.find(target_id, request.user) if known else None
    if known is None or target is None:
        raise Http404
    form = ReportForm(request.POST or None, initial={"next": request.GET.get("next", "")})
    if request.method == "POST" and form.is_valid():
        asked = {name: form.cleaned_data[name] for name in ("reason", "detail", "offset_s")}
        try:
            _report, is_new = moderation.report(
                by=request.user, target_type=kind, target_id=target_id, **asked
            )
        except Refusal as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, REPORTED if is_new else REPORTED_BEFORE)
            return redirect(_here(request, form.cleaned_data["next"]) or known.url(target))
    reported = Report.objects.open_by(request.user, target_type=kind, target_id=known.public_id(target))
    context = {
        "form": form,
        "kind": known,
        "target_id": target_id,
        "title": known.title(target),
        "thanks": REPORTED_BEFORE if reported.exists() else REPORTED,
    }
    template = "includes/report_dialog.html" if "dialog" in request.GET else "accounts/report.html"
    return render(request, template, context, status=422 if form.errors else 200)
