"""Captions in the studio: requests for automatic ones, and the editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.errors import Refusal
from videos import services, transcriptions
from videos.languages import USUAL, canonical_tag, language_name
from videos.models import Transcription, Video
from videos.transcription.languages import code_of

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


def own(request: PersonRequest, public_id: str) -> Video:
    """Return the requester's own video, or raise Http404."""
    videos = Video.objects.kept().filter(channel__owner=request.user)
    return get_object_or_404(videos.for_cards(), public_id=public_id)


def transcription_context(video: Video) -> dict[str, Any]:
    """Return the values of ``automatic_captions.html``."""
    row = Transcription.objects.filter(video=video).first()
    if row:
        row.video = video
    return {
        "transcription": row,
        "transcription_state": transcriptions.state(row) if row and row.is_active else None,
        "transcription_on": transcriptions.is_on(),
        "spoken_languages": [(tag, language_name(tag)) for tag in USUAL if code_of(tag)],
    }


@login_required
@require_POST
def transcribe(request: PersonRequest, public_id: str) -> HttpResponse:
    video = own(request, public_id)
    try:
        services.request_transcription(video, language=request.POST.get("language", "")[:35])
    except Refusal as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Automatic captions are on their way."))
    return redirect("studio-edit", public_id)


@login_required
@require_POST
def cancel_transcription(request: PersonRequest, public_id: str) -> HttpResponse:
    try:
        services.cancel_transcription(own(request, public_id))
    except Refusal as error:
        messages.error(request, str(error))
    return redirect("studio-edit", public_id)


@login_required
@require_safe
def edit_captions(request: PersonRequest, public_id: str, language: str) -> HttpResponse:
    """Show the editor of captions in one language, new or existing."""
    video = own(request, public_id)
    tag = canonical_tag(language)
    playback = services.playback(video)
    if tag is None or playback is None:
        raise Http404
    track = video.captions.filter(language=tag).first()
    context = {
        "video": video,
        "playback": playback | {"captions": []},
        "language": tag,
        "label": track.label if track else language_name(tag),
        "track": services.caption_json(track) if track else None,
    }
    return render(request, "videos/captions.html", context)


@login_required
@require_safe
def new_captions(request: PersonRequest, public_id: str) -> HttpResponse:
    """Open the editor in the language that a form names."""
    tag = canonical_tag(request.GET.get("language", "")[:35])
    if tag is None:
        return redirect("studio-edit", public_id)
    return redirect("studio-captions-edit", public_id, tag)
