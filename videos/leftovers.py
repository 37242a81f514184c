"""Sentences for items of a source that its video lacks, in the reader's language.

SQL keeps such an item as a code and values (``SourceInfo.left_out``), like a failure.
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from videos.transcoding.leftovers import LeftOut


def sentence_of(left_out: LeftOut) -> str:
    """Return the sentence that names the missing item and, if there is one, the remedy."""
    count = left_out.count
    values = {"count": count, "names": ", ".join(left_out.names)}
    match left_out.code:
        case "audio_tracks":
            template = ngettext(
                "%(count)d audio track was left out: its format is not supported (%(names)s).",
                "%(count)d audio tracks were left out: their formats are not supported (%(names)s).",
                count,
            )
        case "video_tracks":
            template = ngettext(
                "%(count)d additional video track was left out. Only the first one is shown.",
                "%(count)d additional video tracks were left out. Only the first one is shown.",
                count,
            )
        case "programmes":
            template = ngettext(
                "%(count)d track was left out because it belongs to another program in the file.",
                "%(count)d tracks were left out because they belong to other programs in the file.",
                count,
            )
        case "subtitles":
            template = ngettext(
                "%(count)d subtitle track was left out. Upload it as captions.",
                "%(count)d subtitle tracks were left out. Upload them as captions.",
                count,
            )
        case "attachments":
            template = ngettext(
                "%(count)d attachment was left out.",
                "%(count)d attachments were left out.",
                count,
            )
        case _:
            minutes, seconds = divmod(count, 60)
            values = {"length": f"{minutes}:{seconds:02}"}
            template = _("The end is missing: the last %(length)s of the file is incomplete or damaged.")
    return template % values
