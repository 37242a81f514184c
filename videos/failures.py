"""Sentences for failures of videos, in the reader's language.

SQL keeps a code and the values of its sentence, never the sentence: the owner may
read the site in another language than the worker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

# By ``limit`` of LimitsExceeded and NoRoomToStore; ``most`` is the limit itself, in the sentence's unit.
OF_LIMIT = {
    "size_bytes": _("This file is larger than %(most)s GB. Upload a smaller file."),
    "duration_s": _(
        "This video is longer than %(most)s hours. Split it into parts and upload them separately."
    ),
    "picture": _("This video is larger than 8K. Export it at a lower resolution and try again."),
    "frame_rate": _("This video has more than %(most)s frames per second. Export it at 60 fps or less."),
    "tracks": _("This file has more than %(most)s tracks. Export it with fewer tracks and try again."),
    "reading_time": _("This file takes too long to read. Export it as MP4 and try again."),
    "disk": _("The server has no space for this file. Contact the site administrators."),
    "day": _("You have reached the daily upload limit. Try again tomorrow."),
    "kept": _("Your storage is full. Delete some videos first."),
}
# By ``page`` of FetchRefused.
OF_PAGE = {
    "not_installed": _(
        "This link leads to a page, not to a video file, and this site cannot read pages. "
        "Use a direct link to the file, or ask an administrator to install yt-dlp (requirements-imports.txt)."
    ),
    "not_confined": _(
        "This link leads to a page, and this server cannot read pages safely. Use a direct link to the file."
    ),
    "no_video": _("There is no video on this page, or its site is not supported."),
    "live": _("This video is live or has not begun. Import it once it has ended."),
    "protected": _("This video is copy-protected. Upload an unprotected file."),
    "sign_in": _("This video cannot be watched without signing in. Download it there and upload the file."),
    "region": _("This video is not available in the server’s country. Upload the file."),
    "broken": _("The video of this page could not be fetched. Try again, or upload the file."),
}
STOPPED = _("An administrator stopped processing this video.")
PER_UNIT = {"size_bytes": 1024**3, "duration_s": 3600}


def sentence_of(parameters: Mapping[str, Any]) -> str:
    """Return the sentence for these values, or an empty string if the code's own sentence suffices."""
    if parameters.get("reason") == "stopped":
        return str(STOPPED)
    if page := OF_PAGE.get(str(parameters.get("page", ""))):
        return str(page)
    limit = str(parameters.get("limit", ""))
    template = OF_LIMIT.get(limit)
    if template is None:
        return ""
    most = float(parameters.get("most", 0)) / PER_UNIT.get(limit, 1)
    return str(template) % {"most": f"{most:g}"}
