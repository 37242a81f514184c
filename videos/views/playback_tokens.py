"""Page of the studio for frames on other sites: playback tokens, created and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.viewers import TOKEN_PARAMETER
from common.errors import Refusal
from videos import services
from videos.forms import PlaybackTokenForm
from videos.views.studio_captions import own
from videos.views.watching import quotable

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@login_required
def playback_tokens(request: PersonRequest, public_id: str) -> HttpResponse:
    """List the tokens of a video; a new one is shown with its code, this once."""
    video = own(request, public_id)
    form = PlaybackTokenForm(request.POST or None)
    code = ""
    if request.method == "POST" and form.is_valid():
        expires_at = timezone.now() + timedelta(days=int(form.cleaned_data["days"]))
        domains = form.cleaned_data["domains"].split()
        try:
            _token, secret = services.create_playback_token(video, domains=domains, expires_at=expires_at)
        except Refusal as error:
            form.add_error("domains", str(error))
        else:
            code = quotable(video).embed_code(request, query=f"?{TOKEN_PARAMETER}={secret}")
            form = PlaybackTokenForm()
    context = {"video": video, "form": form, "code": code, "tokens": video.playback_tokens.all()}
    return render(request, "videos/playback_tokens.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def revoke_playback_token(request: PersonRequest, public_id: str, token_id: str) -> HttpResponse:
    get_object_or_404(own(request, public_id).playback_tokens, public_id=token_id).delete()
    messages.success(request, _("Token revoked."))
    return redirect("studio-tokens", public_id)
