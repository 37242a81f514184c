"""Button that follows a channel."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts import services
from accounts.models import Channel, User
from accounts.views.local_addresses import local_address
from common.errors import Refusal


@require_POST
def follow(request: HttpRequest, username: str) -> HttpResponse:
    """Follow or unfollow, then return to the page, or return the new button for htmx."""
    channel = get_object_or_404(Channel.objects.public().select_related("owner").named(username))
    if not isinstance(request.user, User):
        to_sign_in = redirect_to_login(_back(request, channel))
        if "HX-Request" in request.headers:
            return HttpResponse(status=204, headers={"HX-Redirect": to_sign_in.url})
        return to_sign_in
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


def _back(request: HttpRequest, channel: Channel) -> str:
    """Return the address of the person's page if it is on this site, or else the channel's."""
    return local_address(request, request.POST.get("next", "")) or channel.get_absolute_url()
