"""Decisions of chat moderators and creators in their own place; they sanction nobody on the whole site."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F

from accounts.errors import AlreadyDecided
from accounts.models import Case, Decision, User
from accounts.moderation.decisions import facts, open_case, set_content
from accounts.moderation.registry import kind_named

Action = Decision.Action
Content = Case.Content


def take_down(target_type: str, target_id: str, *, by: User) -> Decision:
    """Remove content from a room or from below a creator's video, and record the decision.

    It is removed even if a moderator of the site has claimed the case.  Its
    reports stay open for the site's moderators.  Raise ``NoSuchTarget``, ``AlreadyDecided``.
    """
    case = open_case(target_type, target_id, by=by)
    with transaction.atomic():
        as_seen = Case.objects.filter(pk=case.pk, version=case.version)
        if not as_seen.update(content=Content.REMOVED, version=F("version") + 1):
            raise AlreadyDecided
        decision = Decision.objects.create(
            case=case,
            title=case.title,
            content_before=case.content,
            content_after=Content.REMOVED,
            **facts(by=by, person=case.author, action=Action.REMOVE),
        )
        set_content(case, kind_named(case.target_type), Content.REMOVED, by=by)
    return decision


def note_removal(title: str, person: User | None, *, by: User) -> Decision:
    """Record the removal of content that is stored nowhere; it cannot be undone."""
    return Decision.objects.create(
        title=title,
        content_before=Content.SHOWN,
        content_after=Content.REMOVED,
        **facts(by=by, person=person, action=Action.REMOVE),
    )


def note_silence(person: User, *, by: User, room: str, duration: timedelta | None) -> Decision:
    """Record a time-out in the chat of ``room``, or a ban from it if ``duration`` is ``None``."""
    action = Action.TIME_OUT if duration else Action.BAN
    return Decision.objects.create(room=room, **facts(by=by, person=person, action=action, duration=duration))


def note_return(person: User, *, by: User, room: str, undoes: Decision | None) -> Decision:
    """Record that ``person`` may write in the chat of ``room`` again."""
    reason = undoes.reason if undoes else ""
    return Decision.objects.create(
        room=room, undoes=undoes, **facts(by=by, person=person, action=Action.UNDO, reason=reason)
    )
