"""Sentences for channel imports that failed or wait, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

SENTENCES = {
    "site_refused": _("The site refuses this link. Check it and try again."),
    "site_failed": _("The list of this channel could not be read. Check the link and try again."),
    "no_videos": _("This channel has no public videos."),
    "bad_archive": _("This file is not a PeerTube export with videos, or it is damaged."),
    "no_room": _("This archive is larger than your upload limits or the space on the server allow."),
    "too_many_imports": _("Waits for other imports."),
    "daily_limit": _("Waits until tomorrow: you have reached the daily upload limit."),
    "storage_limit": _("Your storage is full. Delete some videos first."),
    "storage_full": _("The server has no space for this file. Contact the site administrators."),
}
OTHER = _("You may not upload at the moment.")


def sentence_of(code: str) -> str:
    """Return the sentence for a code, empty for none."""
    return str(SENTENCES.get(code, OTHER)) if code else ""
