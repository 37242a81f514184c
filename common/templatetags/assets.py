"""Template tags for browser assets: modules, preloads, icons."""

from __future__ import annotations

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from common import assets

register = template.Library()


@register.simple_tag
def import_map() -> SafeString:
    """Return the page's one inline script; it stands before the first module."""
    return mark_safe(f'<script type="importmap">{assets.import_map()}</script>')  # noqa: S308 -- JSON we made


@register.simple_tag
def module(name: str) -> SafeString:
    """Load the module ``name`` (``watch`` is ``js/watch.js``) and preload all its imports."""
    paths = {**assets.PACKAGES, **assets.own_modules()}
    urls = [(static(paths[imported]),) for imported in assets.preloads(name)]
    links = format_html_join("", '<link rel="modulepreload" href="{}">', urls)
    return format_html('{}<script type="module" src="{}"></script>', links, static(f"js/{name}.js"))


@register.simple_tag(takes_context=True)
def icon(context: Context, name: str, classes: str = "") -> SafeString:
    """Return an icon of the sprite; text beside it, or the control's name, carries its meaning.

    In a frame of another page (``is_framed``) it is drawn in place: a sandboxed frame
    has an origin of its own, and ``<use>`` loads nothing from another.
    """
    kind = f" {classes}" if classes else ""
    if context.get("is_framed"):
        view_box, shapes = assets.icon_shapes()[name]
        return format_html(
            '<svg class="icon{}" viewBox="{}" aria-hidden="true" focusable="false">{}</svg>',
            kind, view_box, mark_safe(shapes),  # noqa: S308 -- our own file
        )  # fmt: skip
    return format_html(
        '<svg class="icon{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        kind,
        static("img/icons.svg"),
        name,
    )
