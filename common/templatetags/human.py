"""Readable numbers, lengths and times, with the exact value in the tooltip."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from babel import Locale
from babel.dates import format_date, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal
from babel.units import format_unit
from django import template
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext, to_locale
from django.utils.translation import gettext as _

register = template.Library()


def locale() -> Locale:
    return Locale.parse(to_locale(get_language() or "en"))


@register.simple_tag
def html_lang() -> str:
    """Return the active language in the form of the ``lang`` attribute: en, zh-Hans."""
    return to_locale(get_language() or "en").replace("_", "-")


@register.filter
def compact(number: int) -> str:
    """Format 12345 as 12.3K or 1.2万."""
    return str(format_compact_decimal(number, locale=locale(), fraction_digits=1 if number >= 1000 else 0))


@register.filter
def exact(number: int) -> str:
    """Format 12345 as 12,345."""
    return str(format_decimal(number, locale=locale()))


@register.filter
def size(size_bytes: int) -> str:
    """Format 68719476736 as 64 GB, with at most one decimal."""
    return re.sub(r"[.,]0(?=\D)", "", filesizeformat(size_bytes))


@register.simple_tag
def views(number: int) -> SafeString:
    """Return “12.3K views” with the exact number as its tooltip."""
    words = ngettext("%(number)s view", "%(number)s views", number) % {"number": compact(number)}
    return format_html('<span class="number" title="{}">{}</span>', exact(number), words)


@register.filter
def about(seconds: float) -> str:
    """Format an estimate as people say it: 30 seconds, 4 minutes, 1.5 hours."""
    amount: float = max(1, round(seconds / 60))
    unit = "minute"
    if seconds <= 50:
        amount, unit = max(10, math.ceil(seconds / 10) * 10), "second"
    elif seconds >= 5400:
        amount, unit = round(seconds / 1800) / 2, "hour"
    return format_unit(amount, f"duration-{unit}", locale=locale())


@register.filter
def clock(seconds: float | None) -> str:
    """Format 65.2 as 1:05, and 3723 as 1:02:03."""
    whole = int(seconds or 0)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def iso_duration(seconds: float | None) -> str:
    """Format 65.2 as PT65S, for ``<time datetime>``."""
    return f"PT{int(seconds or 0)}S"


@register.simple_tag
def ago(moment: datetime | None) -> SafeString:
    """Return “3 days ago” in a ``<time>`` with the exact time."""
    if moment is None:
        return SafeString("")
    distance = moment - timezone.now()
    nearly_now = abs(distance.total_seconds()) < 45
    words = _("just now") if nearly_now else format_timedelta(distance, add_direction=True, locale=locale())
    return format_html(
        '<time datetime="{}" title="{}" data-local="title">{}</time>',
        moment.isoformat(),
        in_utc(moment),
        words,
    )


def in_utc(moment: datetime) -> str:
    """Return a time as text marked as UTC, for places without a browser."""
    at = moment.astimezone(UTC)
    return f"{format_date(at, 'medium', locale=locale())} {at:%H:%M} UTC"


@register.simple_tag
def moment(value: datetime | None, style: str = "datetime") -> SafeString:
    """Render a time in UTC, which ``ui/times.js`` converts to the reader's own.

    ``style`` is ``datetime``, ``date`` or ``time``.
    """
    if value is None:
        return SafeString("")
    at = value.astimezone(UTC)
    words = {
        "date": lambda: format_date(at, "medium", locale=locale()),
        "time": lambda: f"{at:%H:%M:%S} UTC",
    }.get(style, lambda: in_utc(at))()
    return format_html('<time datetime="{}" data-local="{}">{}</time>', value.isoformat(), style, words)


@register.filter
def hue(name: str) -> int:
    """Return one of twelve colours for a person without a picture, always the same for a name."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(name.lower())) % 12
