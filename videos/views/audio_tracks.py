"""Page of the studio for the audio tracks of a video: added, renamed and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.errors import Refusal
from videos import progress, services
from videos.forms import AudioTrackForm
from videos.languages import USUAL, canonical_tag, language_name, spoken_tag
from videos.models import Video
from videos.views.studio_captions import own

if TYPE_CHECKING:
    from accounts.requests import PersonRequest


@login_required
@require_safe
def audio_tracks(request: PersonRequest, public_id: str) -> HttpResponse:
    video = own(request, public_id)
    made = Video.objects.select_related("edition_of").filter(edition_of=video).first()
    tracks = [
        (
            track,
            language_name(spoken) if (spoken := spoken_tag(track.language)) else "",
            AudioTrackForm(track=track) if track.is_added else None,
        )
        for track in services.audio_tracks_of(video)
    ]
    tag = canonical_tag(get_language() or "") or ""
    context = {
        "video": video,
        "tracks": tracks,
        "edition": made,
        "is_track": bool(made and made.edition_kind == Video.EditionKind.AUDIO),
        "percent": progress.percent(made) if made else 0,
        "waiting": progress.waiting_sentence(made) if made else "",
        # Most likely in the language in which the owner uses the site.
        "form": AudioTrackForm(initial={"language": tag if tag in USUAL else tag.partition("-")[0]}),
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
    }
    return render(request, "videos/audio_tracks.html", context)


@login_required
@require_POST
def edit_track(request: PersonRequest, public_id: str, track: str) -> HttpResponse:
    video = own(request, public_id)
    found = next((one for one in services.audio_tracks_of(video) if one.name == track and one.is_added), None)
    if found is None:
        raise Http404
    form = AudioTrackForm(request.POST, track=found)
    if form.is_valid():
        try:
            fields = dict(form.cleaned_data)
            services.edit_track(video, track, label=fields.pop("name"), **fields)
        except Refusal as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("Saved."))
    else:
        messages.error(request, _("Enter a name and choose a language."))
    return redirect("studio-audio", public_id)


@login_required
@require_POST
def remove_track(request: PersonRequest, public_id: str, track: str) -> HttpResponse:
    try:
        services.remove_track(own(request, public_id), track)
    except Refusal as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Audio track removed."))
    return redirect("studio-audio", public_id)
