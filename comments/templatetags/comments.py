"""Template tags that show comments and danmaku."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import template
from django.template import Context
from django.utils.safestring import SafeString, mark_safe

from comments.danmaku.buckets import BUCKET_S
from comments.danmaku.writing import is_open
from comments.models import MAX_DANMAKU, Comment, Danmaku
from comments.targets import Target
from comments.text import to_html
from comments.thread import Place, Thread

register = template.Library()

# Colours that are distinct on any video; white comes first because it is the most readable.
COLORS = ("#ffffff", "#ff6b6b", "#ffb347", "#ffe066", "#8ce99a", "#66d9e8", "#91a7ff", "#f783ac")


@register.inclusion_tag("comments/conversation.html", takes_context=True)
def conversation(context: Context, target: Target, url: str) -> dict[str, Any]:
    """Show the comments of ``target``; ``url`` serves them, and the page's query selects among them."""
    request = context["request"]
    thread = Thread(Place(target, request.path, url), request.user)
    asked = {name: request.GET.get(name, "") for name in ("order", "after", "comment")}
    section = thread.section(asked["order"] or "best", asked["after"], asked["comment"])
    return {**section, "request": request, "user": request.user}


@register.inclusion_tag("comments/danmaku.html", takes_context=True)
def danmaku(context: Context, target: Target, api_path: str) -> dict[str, Any]:
    """Show the form and the density setting of danmaku; ``api_path`` is below ``/api/v1/``."""
    return {
        "request": context["request"],
        "user": context["request"].user,
        "api_path": api_path,
        "is_open": is_open(target),
        "can_moderate": target.can_moderate(context["request"].user),
        "bucket_s": BUCKET_S,
        "max_length": MAX_DANMAKU,
        "modes": Danmaku.Mode.choices,
        "colors": COLORS,
    }


@register.filter
def as_html(comment: Comment, target: Target) -> SafeString:
    """Return a comment's text as safe HTML; times within ``target`` are links."""
    moved_s = partial(target.moment_now, written_at=comment.edited_at or comment.created_at)
    html = to_html(comment.text, comment.mentions, target.duration_s, moved_s)
    return mark_safe(html)  # noqa: S308 -- to_html escapes
