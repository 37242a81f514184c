"""Template filters for notifications."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from accounts import notifications
from accounts.models import Notification

register = template.Library()

Kind = Notification.Kind
ICONS: dict[str, str] = {
    Kind.REPLY: "message-square",
    Kind.MENTION: "message-square",
    Kind.FOLLOW: "user-round",
    Kind.VIDEO_READY: "circle-check",
    Kind.VIDEO_FAILED: "triangle-alert",
    Kind.EDITION_READY: "circle-check",
    Kind.EDITION_FAILED: "triangle-alert",
    Kind.VIDEO_PUBLISHED: "tv-minimal-play",
    Kind.PREMIERE: "tv-minimal-play",
    Kind.CHANNEL_LIVE: "radio",
    Kind.MODERATION: "shield",
    Kind.REPORT_DECIDED: "flag",
}


@register.filter
def sentence(notification: Notification) -> SafeString:
    return notifications.sentence_html(notification)


@register.filter
def detail(notification: Notification) -> str:
    return notifications.detail(notification)


@register.filter
def icon_name(notification: Notification) -> str:
    return ICONS[notification.kind]
