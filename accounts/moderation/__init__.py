"""Reports, decisions and sanctions.

Whatever can be reported is registered here by the app it belongs to, in that
app's ``AppConfig.ready``; this app knows none of them::

    from accounts import moderation

    moderation.register(
        moderation.Kind(
            name="comment",
            label=_("Comment"),
            preview="admin/previews/comment.html",
            find=lambda public_id, user: Comment.objects.readable_by(user, public_id),
            author=lambda comment: comment.author,
            title=lambda comment: comment.text[:80],
            text=lambda comment: comment.text,
            url=lambda comment: comment.get_absolute_url(),
            hide=lambda comment, by: services.hide(comment, by=by),
            remove=lambda comment, by: services.delete(comment, by=by),
            restore=lambda comment, by: services.restore(comment, by=by),
        )
    )

Everything else follows: ``POST /api/v1/reports/``, a button
(``{% include "includes/report_button.html" with kind="comment" id=comment.public_id %}``,
or any element with ``data-report`` and ``data-report-id``), the desk, undo, notifications.

- Before somebody comments, chats or uploads, ask ``may_speak(user)``: false
  while they are timed out, suspended or banned (``silence(user)`` says until when).
- An app whose own pages let moderators act calls ``act("comment", id, by=…,
  action="remove", reason="spam")``, and the audit trail has it.
- Suspensions end by themselves: when their person next signs in, and by
  ``restore_lapsed()``, to be called every minute.
"""

from accounts.moderation.decisions import act, decide, decide_about, forgive, open_case, put_back, undo
from accounts.moderation.desk import claim, release
from accounts.moderation.registry import Kind, choices, kind_named, register
from accounts.moderation.reports import report
from accounts.moderation.sanctions import lift, may_speak, restore_if_lapsed, restore_lapsed, silence

__all__ = [
    "Kind",
    "act",
    "choices",
    "claim",
    "decide",
    "decide_about",
    "forgive",
    "kind_named",
    "lift",
    "may_speak",
    "open_case",
    "put_back",
    "register",
    "release",
    "report",
    "restore_if_lapsed",
    "restore_lapsed",
    "silence",
    "undo",
]
