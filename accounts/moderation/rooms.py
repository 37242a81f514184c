"""Decisions outside of the queue: of chat moderators and creators in their own place, and urgent ones.

They sanction nobody on the whole site.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F

from accounts.errors import AlreadyDecided, NoSuchTarget, NotOffered, NotTheirs
from accounts.models import Case, Decision, User
from accounts.moderation.decisions import facts, latest_standing, notify_person, open_case, set_content
from accounts.moderation.registry import kind_named
from accounts.ranks import reaches
from accounts.viewers import Viewer

Action = Decision.Action
Content = Case.Content
ACTIONS = {Content.SHOWN: Action.UNDO, Content.HIDDEN: Action.HIDE, Content.REMOVED: Action.REMOVE}


def remove_as_host(target_type: str, target_id: str, *, by: User) -> Decision:
    """Remove content from a room or from below a creator's video, and record the decision.

    It is removed even if a moderator of the site has claimed the case.  Its
    reports stay open for the site's moderators.  Raise ``NoSuchTarget``, ``AlreadyDecided``.
    """
    case = open_case(target_type, target_id, by=by)
    with transaction.atomic():
        decision = _record(case, by=by, content=Content.REMOVED, action=Action.REMOVE)
        set_content(case, kind_named(case.target_type), Content.REMOVED, by=by)
    return decision


def set_at_once(target_type: str, target_id: str, *, by: User, content: Case.Content) -> Decision:
    """Show, hide or remove content without its queue, record the decision and notify the author.

    It happens even if another moderator has claimed the case, whose reports stay open.
    Raise ``NoSuchTarget``, ``NotTheirs``, ``NotOffered``, ``AlreadyDecided``.
    """
    case = open_case(target_type, target_id, by=by)
    kind = kind_named(target_type)
    target = kind.find(target_id, Viewer(by)) if kind else None
    if kind is None or target is None:
        raise NoSuchTarget
    if not reaches(by, case.author):
        raise NotTheirs
    ways = {Content.SHOWN: kind.restore, Content.HIDDEN: kind.hide, Content.REMOVED: kind.remove}
    carry_out = ways[content]
    if carry_out is None:
        raise NotOffered
    latest = latest_standing(case)
    # A sanction is lifted by its own undoing, not by showing the content again.
    hid_content = latest is not None and latest.action in {Action.HIDE, Action.REMOVE}
    undoes = latest if content == Content.SHOWN and hid_content else None
    with transaction.atomic():
        decision = _record(case, by=by, content=content, action=ACTIONS[content], undoes=undoes)
        # The case may be out of date: content can change without a decision.
        carry_out(target, by)
        if case.author:
            notify_person(decision, case.author, kind=kind, target=target)
    return decision


def _record(
    case: Case, *, by: User, content: Case.Content, action: Decision.Action, undoes: Decision | None = None
) -> Decision:
    as_seen = Case.objects.filter(pk=case.pk, version=case.version)
    if not as_seen.update(content=content, version=F("version") + 1):
        raise AlreadyDecided
    return Decision.objects.create(
        case=case,
        title=case.title,
        content_before=case.content,
        content_after=content,
        undoes=undoes,
        **facts(by=by, person=case.author, action=action),
    )


def record_removal(title: str, person: User | None, *, by: User) -> Decision:
    """Record the removal of content that is stored nowhere; it cannot be undone."""
    return Decision.objects.create(
        title=title,
        content_before=Content.SHOWN,
        content_after=Content.REMOVED,
        **facts(by=by, person=person, action=Action.REMOVE),
    )


def record_silence(person: User, *, by: User, room: str, duration: timedelta | None) -> Decision:
    """Record a time-out in the chat of ``room``, or a ban from it if ``duration`` is ``None``."""
    action = Action.TIME_OUT if duration else Action.BAN
    return Decision.objects.create(room=room, **facts(by=by, person=person, action=action, duration=duration))


def record_return(person: User, *, by: User, room: str, undoes: Decision | None) -> Decision:
    """Record that ``person`` may write in the chat of ``room`` again."""
    reason = undoes.reason if undoes else ""
    return Decision.objects.create(
        room=room, undoes=undoes, **facts(by=by, person=person, action=Action.UNDO, reason=reason)
    )
