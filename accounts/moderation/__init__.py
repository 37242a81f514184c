"""Reports, decisions and sanctions.

Each app registers its kinds of content here, in its ``AppConfig.ready``; this app
knows none of them::

    from accounts import moderation

    moderation.register(
        moderation.Kind(
            name="comment",
            label=_("Comment"),
            preview="admin/previews/comment.html",
            find=lambda public_id, viewer: Comment.objects.readable_by(viewer.user, public_id),
            author=lambda comment: comment.author,
            title=lambda comment: comment.text[:80],
            text=lambda comment: comment.text,
            url=lambda comment: comment.get_absolute_url(),
            hide=lambda comment, by: services.hide(comment, by=by),
            remove=lambda comment, by: services.delete(comment, by=by),
            restore=lambda comment, by: services.restore(comment, by=by),
        )
    )

A registered kind has ``POST /api/v1/reports/``, a report button
(``{% include "includes/report_button.html" with kind="comment" id=comment.public_id %}``,
or any element with ``data-report`` and ``data-report-id``), the desk, undo, notifications.

- Call ``may_speak(user)`` before a comment, chat message or upload: it is false
  during a time-out, suspension or ban (``silence(user)`` has its end).
- Call ``act("comment", id, by=…, action="remove", reason="spam")`` for a moderator's
  act on the app's own pages; it is recorded in the audit trail.
- Call ``set_at_once`` for a moderator's act that cannot wait for a claimed case.
- Call ``remove_as_host`` for removals by a chat's moderators and by creators; ``record_silence`` and
  ``record_return`` record sanctions that the chat itself keeps (``register_rooms``).
- Suspensions end by themselves: at the person's next sign-in, and by
  ``lift_lapsed()``, to be called every minute.
"""

from accounts.moderation.decisions import act, decide, decide_about, lift_all, open_case, undo, undo_latest
from accounts.moderation.desk import claim, release
from accounts.moderation.registry import Kind, choices, kind_named, register, register_rooms
from accounts.moderation.reports import report
from accounts.moderation.rooms import (
    record_removal,
    record_return,
    record_silence,
    remove_as_host,
    set_at_once,
)
from accounts.moderation.sanctions import lift, lift_if_lapsed, lift_lapsed, may_speak, silence

__all__ = [
    "Kind",
    "act",
    "choices",
    "claim",
    "decide",
    "decide_about",
    "kind_named",
    "lift",
    "lift_all",
    "lift_if_lapsed",
    "lift_lapsed",
    "may_speak",
    "open_case",
    "record_removal",
    "record_return",
    "record_silence",
    "register",
    "register_rooms",
    "release",
    "remove_as_host",
    "report",
    "set_at_once",
    "silence",
    "undo",
    "undo_latest",
]
