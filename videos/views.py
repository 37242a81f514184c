"""Pages: watching, embedding, uploading, and the studio."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Channel, Follow
from videos import progress, services
from videos.forms import CaptionForm, VideoForm
from videos.languages import canonical_tag
from videos.models import CaptionTrack, Category, Like, Upload, Video
from videos.services.errors import ServiceError

if TYPE_CHECKING:
    from django.forms import BaseForm

    from accounts.models import User

    class PersonRequest(HttpRequest):
        """A request that ``login_required`` let through."""

        user: User


RELATED = 16
STUDIO_PAGE_SIZE = 20
EMBED_WIDTH_PX, EMBED_HEIGHT_PX = 640, 360


# --- Watching -----------------------------------------------------------------------


@require_safe
def watch(request: HttpRequest, public_id: str) -> HttpResponse:
    """A video at every stage of its life; 404 for whoever may not know that it exists."""
    video = _watchable(request, public_id)
    user = request.user
    channel = Channel.objects.with_follower_count().select_related("owner").get(pk=video.channel_id)
    context = {
        "video": video,
        "playback": services.playback(video),
        "channel": channel,
        "tags": list(video.tags.all()),
        "is_own": video.can_edit(user),
        "is_liked": user.is_authenticated and Like.objects.filter(video=video, user=user).exists(),
        "is_following": user.is_authenticated
        and Follow.objects.filter(channel=channel, follower=user).exists(),
        "percent": progress.percent(video),
        "related": related(video),
        "page_url": request.build_absolute_uri(video.get_absolute_url()),
        "embed_code": embed_code(request, video),
    }
    return render(request, "videos/watch.html", context)


def _watchable(request: HttpRequest, public_id: str) -> Video:
    video = get_object_or_404(Video.objects.for_cards(), public_id=public_id)
    if not video.can_watch(request.user):
        raise Http404
    # An upload under way is nobody's business but its owner's.
    if video.status == Video.Status.UPLOADING and not video.can_moderate(request.user):
        raise Http404
    return video


def related(video: Video) -> list[Video]:
    """What to watch next: the same category first, then the newest of everything."""
    listed = Video.objects.listed().for_cards().exclude(pk=video.pk).order_by("-published_at", "-pk")
    alike = list(listed.filter(category=video.category)[:RELATED])
    others = listed.exclude(category=video.category)[: RELATED - len(alike)] if len(alike) < RELATED else []
    return [*alike, *others]


# --- Embedding ------------------------------------------------------------------------


@require_safe
@xframe_options_exempt
def embed(request: HttpRequest, public_id: str) -> HttpResponse:
    """The player alone, for other people's pages; knows nobody, so shows what everybody may see."""
    video = _embeddable(public_id)
    context = {"video": video, "playback": services.playback(video), "autoplay": "autoplay" in request.GET}
    response = render(request, "videos/embed.html", context)
    response._csp_replace = {"frame-ancestors": ["*"]}  # type: ignore[attr-defined]
    return response


def _embeddable(public_id: str) -> Video:
    videos = Video.objects.for_cards().exclude(visibility=Video.Visibility.PRIVATE)
    return get_object_or_404(
        videos.filter(channel__owner__is_active=True, is_playable=True, withheld=""), public_id=public_id
    )


def embed_code(
    request: HttpRequest, video: Video, width_px: int = EMBED_WIDTH_PX, height_px: int = EMBED_HEIGHT_PX
) -> str:
    """The HTML to paste into another page."""
    context = {"video": video, "width_px": width_px, "height_px": height_px}
    return render_to_string("includes/embed_code.html", context, request).strip()


@require_safe
def oembed(request: HttpRequest) -> JsonResponse:
    """https://oembed.com: what a page that quotes a watch address shows in its place."""
    video = _embeddable(_public_id_in(request.GET.get("url", ""), request.get_host()))
    if request.GET.get("format", "json") != "json":
        return JsonResponse({"detail": "Only JSON is offered."}, status=501)
    width_px, height_px = _fitted(video, request.GET.get("maxwidth"), request.GET.get("maxheight"))
    playback = services.playback(video)
    answer = {
        "version": "1.0",
        "type": "video",
        "title": video.title,
        "author_name": video.channel.name,
        "author_url": request.build_absolute_uri(video.channel.get_absolute_url()),
        "provider_name": settings.SITE_NAME,
        "provider_url": request.build_absolute_uri("/"),
        "width": width_px,
        "height": height_px,
        "html": embed_code(request, video, width_px, height_px),
    }
    if playback and playback["poster_url"]:
        answer |= {
            "thumbnail_url": playback["poster_url"],
            "thumbnail_width": width_px,
            "thumbnail_height": height_px,
        }
    response = JsonResponse(answer)
    response["Access-Control-Allow-Origin"] = "*"
    return response


def _public_id_in(url: str, host: str) -> str:
    """The id in an address of ours; 404 for any other address."""
    try:
        parts = urlsplit(url)
        match = resolve(parts.path)
    except (Resolver404, ValueError):
        raise Http404 from None
    if parts.netloc != host or match.url_name not in {"watch", "embed"}:
        raise Http404
    return str(match.kwargs["public_id"])


def _fitted(video: Video, max_width: str | None, max_height: str | None) -> tuple[int, int]:
    """The video's shape within the bounds that were asked for."""
    width_px, height_px = video.width_px or 16, video.height_px or 9
    bounds = [int(asked) if asked and asked.isdecimal() and len(asked) < 6 and int(asked) else default
              for asked, default in ((max_width, EMBED_WIDTH_PX), (max_height, EMBED_WIDTH_PX))]  # fmt: skip
    scale = min(bounds[0] / width_px, bounds[1] / height_px)
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


# --- Uploading --------------------------------------------------------------------------


@login_required
@require_safe
def upload(request: PersonRequest) -> HttpResponse:
    context = {
        "categories": Category.choices,
        "visibilities": Video.Visibility.choices,
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
    }
    return render(request, "videos/upload.html", context)


# --- The studio --------------------------------------------------------------------------


@login_required
@require_safe
def studio(request: PersonRequest) -> HttpResponse:
    """Everything of one's own, whatever its state."""
    own = Video.objects.kept().filter(channel__owner=request.user)
    newest_first = own.for_cards().order_by("-created_at", "-pk")
    page = Paginator(newest_first, STUDIO_PAGE_SIZE).get_page(request.GET.get("page"))
    percents = progress.percents(list(page.object_list))
    rows = [(video, percents[video.pk]) for video in page.object_list]
    return render(request, "videos/studio.html", {"page": page, "rows": rows})


@login_required
def edit(request: PersonRequest, public_id: str) -> HttpResponse:
    video = _own(request, public_id)
    form = VideoForm(request.POST or None, instance=video)
    if request.method == "POST" and form.is_valid():
        form.apply()
        messages.success(request, _("Saved."))
        return redirect("studio")
    return _edit_page(request, video, form=form)


def _edit_page(request: PersonRequest, video: Video, **forms: BaseForm) -> HttpResponse:
    """The page of a video's words and captions; a form that was refused comes back with its errors."""
    context = {
        "form": VideoForm(instance=video),
        "caption_form": CaptionForm(initial={"language": canonical_tag(get_language() or "")}),
        "captions": video.captions.all(),
        "video": video,
        "playback": services.playback(video),
    }
    has_errors = any(form.errors for form in forms.values())
    return render(request, "videos/edit.html", context | forms, status=422 if has_errors else 200)


@login_required
@require_POST
def add_captions(request: PersonRequest, public_id: str) -> HttpResponse:
    video = _own(request, public_id)
    form = CaptionForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            track, skipped = form.apply(video)
        except ServiceError as error:
            form.add_error(error.attr, error.detail)
        else:
            messages.success(request, added_sentence(track, skipped))
            return redirect("studio-edit", public_id)
    return _edit_page(request, video, caption_form=form)


def added_sentence(track: CaptionTrack, skipped: int) -> str:
    added = ngettext(
        "%(language)s: %(counter)s caption.", "%(language)s: %(counter)s captions.", track.cue_count
    ) % {"language": track.label, "counter": track.cue_count}
    if not skipped:
        return added
    left_out = ngettext("%(counter)s could not be read.", "%(counter)s could not be read.", skipped)
    return f"{added} {left_out % {'counter': skipped}}"


@login_required
@require_POST
def remove_captions(request: PersonRequest, public_id: str, language: str) -> HttpResponse:
    try:
        services.remove_captions(_own(request, public_id), language=language)
    except ServiceError as error:
        messages.error(request, error.detail)
    return redirect("studio-edit", public_id)


@login_required
def delete(request: PersonRequest, public_id: str) -> HttpResponse:
    """Ask once more, then delete."""
    video = _own(request, public_id)
    if request.method != "POST":
        return render(request, "videos/delete.html", {"video": video})
    under_way = Upload.objects.filter(video=video).first()
    try:
        if under_way:
            services.abort_upload(under_way)
        else:
            services.delete_video(video)
    except ServiceError as error:
        messages.error(request, error.detail)
        return redirect("studio")
    messages.success(request, _("“%(title)s” is deleted.") % {"title": video.title})
    return redirect("studio")


@login_required
@require_POST
def retry(request: PersonRequest, public_id: str) -> HttpResponse:
    video = _own(request, public_id)
    try:
        services.retry_video(video)
    except ServiceError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("We are trying “%(title)s” again.") % {"title": video.title})
    return redirect("studio")


def _own(request: PersonRequest, public_id: str) -> Video:
    own = Video.objects.kept().filter(channel__owner=request.user)
    return get_object_or_404(own.for_cards(), public_id=public_id)
