"""Template tags for what the browser loads: modules, preloads, icons."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from videoplatform import assets

register = template.Library()


@register.simple_tag
def import_map() -> SafeString:
    """The page's one inline script; it stands before the first module."""
    return mark_safe(f'<script type="importmap">{assets.import_map()}</script>')  # noqa: S308 -- JSON we made


@register.simple_tag
def module(name: str, *preloads: str) -> SafeString:
    """Run the module ``name`` (``watch`` is ``js/watch.js``), and fetch what it imports at the same time."""
    paths = {**assets.PACKAGES, **assets.own_modules()}
    urls = [(static(paths[preload]),) for preload in preloads]
    links = format_html_join("", '<link rel="modulepreload" href="{}">', urls)
    return format_html('{}<script type="module" src="{}"></script>', links, static(f"js/{name}.js"))


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """One picture of the sprite; what it means stands in words beside it, or in the control's name."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        f" {classes}" if classes else "",
        static("img/icons.svg"),
        name,
    )
