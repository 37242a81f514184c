"""Numbers, lengths and times as people say them, with the exact value at hand."""

from __future__ import annotations

from datetime import datetime

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal
from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext, to_locale
from django.utils.translation import gettext as _

register = template.Library()


def locale() -> Locale:
    return Locale.parse(to_locale(get_language() or "en"))


@register.filter
def compact(number: int) -> str:
    """12345 → 12.3K, 1.2万."""
    return str(format_compact_decimal(number, locale=locale(), fraction_digits=1 if number >= 1000 else 0))


@register.filter
def exact(number: int) -> str:
    """12345 → 12,345."""
    return str(format_decimal(number, locale=locale()))


@register.simple_tag
def views(number: int) -> SafeString:
    """“12.3K views”; the exact number is the tooltip."""
    words = ngettext("%(number)s view", "%(number)s views", number) % {"number": compact(number)}
    return format_html('<span class="number" title="{}">{}</span>', exact(number), words)


@register.filter
def clock(seconds: float | None) -> str:
    """65.2 → 1:05, 3723 → 1:02:03."""
    whole = int(seconds or 0)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def iso_duration(seconds: float | None) -> str:
    """65.2 → PT65S, as ``<time datetime>`` has it."""
    return f"PT{int(seconds or 0)}S"


@register.simple_tag
def ago(moment: datetime | None) -> SafeString:
    """“3 days ago” in a ``<time>`` that holds the moment itself."""
    if moment is None:
        return SafeString("")
    distance = moment - timezone.now()
    nearly_now = abs(distance.total_seconds()) < 45
    words = _("just now") if nearly_now else format_timedelta(distance, add_direction=True, locale=locale())
    full = format_datetime(timezone.localtime(moment), "long", locale=locale())
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), full, words)


@register.filter
def hue(name: str) -> int:
    """One of twelve colours for someone without a picture: always the same for the same name."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(name.lower())) % 12
