"""Comments on pages: fragments for htmx, and redirects without JavaScript.

The app that owns the target binds these to its addresses, and first checks that
the person may know of the target.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from comments import decisions, services
from comments.errors import NoSuchParent
from comments.thread import Place, Thread
from common.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from comments.models import Comment

__all__ = ["Place", "comment", "comments"]

UNPROCESSABLE = 422


@require_http_methods(["GET", "HEAD", "POST"])
def comments(request: HttpRequest, place: Place) -> HttpResponse:
    """Return the list in another order or more of it, or post a comment."""
    thread = Thread(place, request.user)
    if request.method == "POST":
        return _post(request, thread)
    order, after = request.GET.get("order", "best"), request.GET.get("after", "")
    if not is_htmx(request):
        return redirect(_page(place, "comments", order=order, after=after))
    section = thread.section(order, after)
    template = "comments/includes/list.html" if after else "comments/conversation.html"
    return _fragment(request, template, section)


def _post(request: HttpRequest, thread: Thread) -> HttpResponse:
    if not request.user.is_authenticated:
        return _sign_in_first(request, thread.place)
    text, parent_id = request.POST.get("text", ""), request.POST.get("parent", "")
    parent = thread.find(parent_id) if parent_id else None
    try:
        if parent_id and parent is None:
            raise NoSuchParent
        posted = services.post(target=thread.target, author=request.user, text=text, parent=parent)
    except Refusal as error:
        return _composer(request, thread, parent=parent, text=text, error=str(error), status=UNPROCESSABLE)
    new = thread.find(posted.public_id)
    if new is None:
        raise Http404  # deleted in the same moment
    if not is_htmx(request):
        return redirect(_permalink(thread.place, new))
    sentence = _("Your comment will appear after review.") if new.is_held else _("Comment posted.")
    root = thread.find(new.root.public_id) if new.parent_id else None
    context = thread.base_context(new=new, root=root)
    template = "comments/replied.html" if root else "comments/posted.html"
    response = _fragment(request, template, context)
    response["HX-Trigger"] = json.dumps({"toast": sentence})
    response["HX-Trigger-After-Settle"] = json.dumps({"comment-posted": new.public_id})
    return response


def _composer(
    request: HttpRequest,
    thread: Thread,
    *,
    parent: Comment | None = None,
    edited: Comment | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """Return the form for a comment: as a fragment, or on a page of its own."""
    context = thread.base_context(parent=parent, edited=edited, is_open=True, **more)
    template = "comments/includes/composer.html" if is_htmx(request) else "comments/form.html"
    response = render(request, template, context, status=status)
    return _varying(response)


@require_http_methods(["GET", "HEAD", "POST"])
def comment(request: HttpRequest, place: Place, comment_id: str) -> HttpResponse:
    """Return one comment, its replies or a form for it, or act on it."""
    thread = Thread(place, request.user)
    found = thread.find(comment_id)
    if found is None:
        raise Http404
    if request.method == "POST":
        return _do(request, thread, found)
    show = request.GET.get("show", "")
    if show == "replies" and is_htmx(request):
        replies = thread.replies(found, request.GET.get("after", ""))
        return _fragment(
            request, "comments/includes/replies.html", thread.base_context(root=found, page=replies)
        )
    if show in {"edit", "reply"}:
        return _form(request, thread, found, show)
    if not is_htmx(request):
        return redirect(_permalink(place, found))
    return _fragment(request, "comments/includes/comment.html", thread.base_context(comment=found))


def _form(request: HttpRequest, thread: Thread, found: Comment, show: str) -> HttpResponse:
    if not request.user.is_authenticated:
        return _sign_in_first(request, thread.place)
    if not found.is_readable:
        raise Http404
    if show == "edit":
        if not found.is_by(request.user):
            raise Http404
        return _composer(request, thread, edited=found, text=found.text)
    # A reply to a reply is shown under the root, so its first word names the person it answers.
    text = f"@{found.author.username} " if found.parent_id and found.author else ""
    return _composer(request, thread, parent=found, text=text)


def _do(request: HttpRequest, thread: Thread, found: Comment) -> HttpResponse:
    """Run the action ``do``; the service checks the permission."""
    if not request.user.is_authenticated:
        return _sign_in_first(request, thread.place)
    do = request.POST.get("do", "")
    if not found.is_readable or (do != "edit" and do not in ACTIONS):
        return HttpResponseBadRequest()
    text = request.POST.get("text", "")
    try:
        if do == "edit":
            services.edit(comment=found, by=request.user, text=text)
        else:
            ACTIONS[do](found, request.user)
    except Refusal as error:
        if do == "edit":
            return _composer(request, thread, edited=found, text=text, error=str(error), status=UNPROCESSABLE)
        if not is_htmx(request):
            messages.error(request, str(error))
            return redirect(_page(thread.place, "comments"))
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps({"toast": str(error)})})
    return _done(request, thread, found, do)


ACTIONS: dict[str, Callable[[Comment, User], None]] = {
    "delete": decisions.remove,
    "like": lambda comment, user: services.like(comment=comment, user=user),
    "unlike": lambda comment, user: services.unlike(comment=comment, user=user),
    "pin": lambda comment, user: services.pin(comment=comment, by=user),
    "unpin": lambda comment, user: services.unpin(comment=comment, by=user),
    "heart": lambda comment, user: services.give_heart(comment=comment, by=user),
    "unheart": lambda comment, user: services.remove_heart(comment=comment, by=user),
    "approve": lambda comment, user: services.approve(comment=comment, by=user),
    "hide": decisions.hide,
    "restore": decisions.undo_latest,
}


def _done(request: HttpRequest, thread: Thread, found: Comment, do: str) -> HttpResponse:
    now = thread.find(found.public_id)
    if not is_htmx(request):
        return redirect(_permalink(thread.place, now) if now else _page(thread.place, "comments"))
    if do in {"pin", "unpin"}:
        response = _fragment(request, "comments/conversation.html", thread.section())
        response["HX-Retarget"], response["HX-Reswap"] = "#comments", "outerHTML"
        return response
    if now is None:
        response = _fragment(request, "comments/gone.html", thread.base_context())
        response["HX-Retarget"], response["HX-Reswap"] = f"#comment-{found.public_id}", "outerHTML"
        return response
    if do in {"like", "unlike"}:
        return _fragment(request, "comments/includes/like.html", thread.base_context(comment=now))
    return _fragment(request, "comments/changed.html", thread.base_context(comment=now))


def is_htmx(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


def _fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return _varying(render(request, template, context))


def _varying(response: HttpResponse) -> HttpResponse:
    response["Vary"] = ", ".join(filter(None, [response.get("Vary", ""), "HX-Request"]))
    return response


def _sign_in_first(request: HttpRequest, place: Place) -> HttpResponse:
    to_sign_in = redirect_to_login(f"{place.page_url}#comments")
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": to_sign_in.url})
    return to_sign_in


def _page(place: Place, anchor: str, **query: str) -> str:
    given = {name: value for name, value in query.items() if value and value != "best"}
    return f"{place.page_url}{'?' if given else ''}{urlencode(given)}#{anchor}"


def _permalink(place: Place, comment: Comment) -> str:
    return _page(place, f"comment-{comment.public_id}", comment=comment.public_id)
