"""Settings of Python's garbage collector that keep it from blocking an event loop.

A full collection examines every object that could be part of a cycle: 130 ms for
those of Django's modules, URLs and translations, every few seconds under load.
These objects live as long as the process, so collections skip them.
"""

from __future__ import annotations

import gc

from django.conf import settings
from django.urls import get_resolver
from django.utils import translation

# Number of young objects that starts a collection, then of those that start the next
# older one.  Tasks, futures and requests are freed by their reference counts alone.
THRESHOLDS = (20_000, 20, 50)


def settle() -> None:
    """Load the objects of a process's first requests, and exclude all of them from collections."""
    get_resolver().url_patterns  # noqa: B018 -- imports every view
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            translation.gettext("")
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
