"""Decisions and their undoing: each is one transaction and one line of the audit trail."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts import mail, notifications, outbox
from accounts.errors import (
    AlreadyDecided,
    CannotUndo,
    DurationMissing,
    InOtherHands,
    NoSuchTarget,
    NotOffered,
    NotTheirs,
    OwnCase,
)
from accounts.models import Case, Decision, Notification, Reason, Report, Sanction, User
from accounts.moderation import sanctions
from accounts.moderation.registry import Kind, allow_in_room, kind_named
from accounts.moderation.reports import case_of
from accounts.ranks import check_reach, reaches
from accounts.viewers import Viewer

logger = logging.getLogger(__name__)

Action = Decision.Action
Content = Case.Content
ABOUT_PEOPLE = frozenset(sanctions.KINDS)
CONTENT_AFTER = {Action.HIDE: Content.HIDDEN, Action.REMOVE: Content.REMOVED}


def open_case(target_type: str, target_id: str, *, by: User) -> Case:
    """Return the case of a target, reported or not; raise ``NoSuchTarget``."""
    kind = kind_named(target_type)
    target = kind.find(target_id, Viewer(by)) if kind else None
    if kind is None or target is None:
        raise NoSuchTarget
    return case_of(kind, target)


def act(target_type: str, target_id: str, *, by: User, action: str, **more: Any) -> Decision:
    """Decide about a target, without a lookup of its case; for the apps' own moderation pages."""
    return decide(open_case(target_type, target_id, by=by), by=by, action=action, **more)


def undo_latest(target_type: str, target_id: str, *, by: User) -> Decision:
    """Undo the latest decision about a target.  Raise ``CannotUndo`` if there is none."""
    case = Case.objects.filter(target_type=target_type, target_id=target_id).first()
    latest = latest_standing(case) if case else None
    if latest is None:
        raise CannotUndo
    return undo(latest, by=by)


def decide(
    case: Case,
    *,
    by: User,
    action: str,
    reason: str = "",
    note: str = "",
    duration: timedelta | None = None,
    content: str = "",
) -> Decision:
    """Decide a case as ``by`` saw it, and notify its author and the reporters.

    ``duration`` is the length of a time-out or a suspension.  ``content`` is the new
    state of the content if the decision is about its author (empty: unchanged).
    ``note`` is for the author to read.

    Raise ``AlreadyDecided`` if the case has changed since it was read,
    ``InOtherHands``, ``OwnCase``, ``NotOffered``, ``DurationMissing``, or
    ``NotTheirs`` for people with a role.
    """
    kind = kind_named(case.target_type)
    after = CONTENT_AFTER.get(Action(action)) or (content if action in ABOUT_PEOPLE else "") or case.content
    _check(case, kind, by=by, action=action, content=after, duration=duration)
    with transaction.atomic():
        _close(case, by=by, content=after)
        decision = Decision.objects.create(
            case=case,
            title=case.title,
            content_before=case.content,
            content_after=after,
            report_count=case.report_count,
            **facts(by=by, person=case.author, action=action, reason=reason, note=note, duration=duration),
        )
        target = set_content(case, kind, after, by=by)
        if action in ABOUT_PEOPLE and case.author:
            sanctions.impose(decision, person=case.author, by=by)
        _answer_reports(case, decision)
        if action != Action.LEAVE and case.author:
            notify_person(decision, case.author, kind=kind, target=target)
    _remember(case, status=Case.Status.CLOSED, content=after, report_count=0)
    logger.info("Decided", extra={"case": case.pk, "action": action, "by": by.pk})
    return decision


def decide_about(
    person: User,
    *,
    by: User,
    action: str,
    reason: str = "",
    note: str = "",
    duration: timedelta | None = None,
) -> Decision:
    """Time out, suspend or ban a person without a case."""
    if action not in ABOUT_PEOPLE:
        raise NotOffered
    check_reach(person, by=by)
    _check_duration(action, duration)
    line = facts(by=by, person=person, action=action, reason=reason, note=note, duration=duration)
    with transaction.atomic():
        decision = Decision.objects.create(**line)
        sanctions.impose(decision, person=person, by=by)
        notify_person(decision, person)
    logger.info("Decided", extra={"person": person.pk, "action": action, "by": by.pk})
    return decision


def undo(decision: Decision, *, by: User) -> Decision:
    """Undo a decision: restore content and person, and open its reports again.

    Raise ``CannotUndo`` for a decision that is undone already, is not the latest of
    its case, or changed content that is not stored; ``OwnCase``; ``NotTheirs``.
    """
    case = decision.case
    is_latest = case is None or latest_standing(case) == decision
    is_content_known = case is not None or not decision.changes_content
    if decision.action == Action.UNDO or not is_latest or not is_content_known:
        raise CannotUndo
    if decision.room:
        return allow_in_room(decision, by)
    if decision.action in ABOUT_PEOPLE and decision.person:
        check_reach(decision.person, by=by)
    if not reaches(by, decision.person):
        raise NotTheirs
    if decision.person == by and not by.is_superuser:
        raise OwnCase
    try:
        with transaction.atomic():
            return _undo(decision, case, by=by)
    except IntegrityError as error:
        raise CannotUndo from error  # another moderator was faster


def _undo(decision: Decision, case: Case | None, *, by: User) -> Decision:
    line = Decision.objects.create(
        case=case,
        title=decision.title,
        undoes=decision,
        content_before=decision.content_after,
        content_after=decision.content_before,
        **facts(by=by, person=decision.person, action=Action.UNDO, reason=decision.reason),
    )
    kind, target = None, None
    if case:
        kind = kind_named(case.target_type)
        target = set_content(case, kind, decision.content_before, by=by)
        _reopen(case, decision)
    sanction = getattr(decision, "sanction", None)
    if sanction:
        sanctions.lift(sanction, by=by)
    if decision.action != Action.LEAVE and decision.person:
        notify_person(line, decision.person, kind=kind, target=target)
    logger.info("Decision undone", extra={"decision": decision.pk, "by": by.pk})
    return line


def lift_all(person: User, *, by: User) -> None:
    """End all sanctions of ``person``; the decisions and their effects on content stay.

    Also restore an account that no decision has locked.  Raise ``NotTheirs``.
    """
    check_reach(person, by=by)
    with transaction.atomic():
        for sanction in Sanction.objects.in_force().filter(person=person).select_related("person"):
            sanctions.lift(sanction, by=by)
        if not person.is_active:
            sanctions.set_active(person, active=True, by=by)
        line = Decision.objects.create(**facts(by=by, person=person, action=Action.UNDO))
        notify_person(line, person)
    logger.info("Sanctions lifted", extra={"person": person.pk, "by": by.pk})


def _check(
    case: Case, kind: Kind | None, *, by: User, action: str, content: str, duration: timedelta | None
) -> None:
    if case.author == by and not by.is_superuser:
        raise OwnCase
    if action == Action.UNDO or (content != case.content and not offers(kind, content)):
        raise NotOffered
    if action in ABOUT_PEOPLE:
        if case.author is None:
            raise NotOffered
        check_reach(case.author, by=by)
    if action != Action.LEAVE and not reaches(by, case.author):
        raise NotTheirs
    _check_duration(action, duration)


def offers(kind: Kind | None, content: str) -> bool:
    """Return whether content of this kind can be set to that state."""
    ways = {Content.HIDDEN: "hide", Content.REMOVED: "remove", Content.SHOWN: "restore"}
    return kind is not None and getattr(kind, ways[Content(content)]) is not None


def _check_duration(action: str, duration: timedelta | None) -> None:
    if action in {Action.TIME_OUT, Action.SUSPEND} and not duration:
        raise DurationMissing


def _close(case: Case, *, by: User, content: str) -> None:
    """Close the case if it was neither decided nor claimed by another moderator since it was read."""
    as_seen = Case.objects.filter(pk=case.pk, version=case.version)
    closed = as_seen.free_for(by).update(
        status=Case.Status.CLOSED,
        content=content,
        version=F("version") + 1,
        report_count=0,
        urgency=0,
        claimed_by=None,
        claimed_until=None,
    )
    if not closed:
        raise InOtherHands if as_seen.exists() else AlreadyDecided
    case.version += 1


def latest_standing(case: Case) -> Decision | None:
    return case.decisions.standing().first()


def facts(
    *,
    by: User,
    person: User | None,
    action: str,
    reason: str = "",
    note: str = "",
    duration: timedelta | None = None,
) -> dict[str, Any]:
    is_timed = action in {Action.TIME_OUT, Action.SUSPEND} and duration
    return {
        "action": action,
        "reason": reason or ("" if action in {Action.LEAVE, Action.UNDO} else Reason.OTHER),
        "note": note,
        "until": timezone.now() + duration if is_timed and duration else None,
        "moderator": by,
        "moderator_name": by.username,
        "person": person,
        "person_name": person.username if person else "",
    }


def set_content(case: Case, kind: Kind | None, after: str, *, by: User) -> Any:
    """Change the target from ``case.content`` to ``after``; return it, or ``None`` if it is gone."""
    target = kind.find(case.target_id, Viewer(by)) if kind else None
    if kind is None or target is None or after == case.content:
        return target
    is_less = after == Content.SHOWN or case.content == Content.REMOVED
    if is_less and kind.restore:
        kind.restore(target, by)
    hide = kind.hide or kind.remove  # the kind may have offered hiding earlier
    if after == Content.HIDDEN and hide:
        hide(target, by)
    if after == Content.REMOVED and kind.remove:
        kind.remove(target, by)
    return target


def _answer_reports(case: Case, decision: Decision) -> None:
    """Close the open reports, and notify the reporters of the outcome without the moderator's name."""
    is_upheld = decision.action != Action.LEAVE
    waiting = Report.objects.filter(case=case, status=Report.Status.OPEN)
    reporters = [pk for pk in waiting.values_list("reporter", flat=True) if pk]
    waiting.update(status=Report.Status.UPHELD if is_upheld else Report.Status.DISMISSED, decision=decision)
    notifications.notify_all(
        reporters,
        kind=Notification.Kind.REPORT_DECIDED,
        data={"title": case.title, "target_type": case.target_type, "upheld": is_upheld},
        key=answer_key(decision),
    )


def answer_key(decision: Decision) -> str:
    """Return the key of the reporters' notifications, which are sent once and withdrawn after an undo."""
    return f"decided:{decision.pk}"


def _reopen(case: Case, decision: Decision) -> None:
    """Return the case to the queue with the reports that the decision had answered.

    Their reporters lose that notification, and get one for the next decision.
    """
    back = Report.objects.filter(decision=decision)
    reporters = [pk for pk in back.values_list("reporter", flat=True) if pk]
    notifications.withdraw(reporters, key=answer_key(decision))
    waiting = Report.objects.filter(case=case, status=Report.Status.OPEN)
    # A reporter who has reported it again meanwhile has an open report already.
    again = waiting.exclude(reporter=None).values("reporter")
    back.exclude(reporter__in=again).update(status=Report.Status.OPEN, decision=None)
    reasons = [Reason(reason) for reason in waiting.values_list("reason", flat=True).distinct().order_by()]
    count = waiting.count()
    now_is = {
        "status": Case.Status.OPEN if count else Case.Status.CLOSED,
        "content": decision.content_before,
        "report_count": count,
        "urgency": max((reason.urgency for reason in reasons), default=0),
        "version": case.version + 1,
    }
    if not Case.objects.filter(pk=case.pk, version=case.version).update(**now_is):
        raise CannotUndo
    _remember(case, **now_is)


def notify_person(decision: Decision, person: User, *, kind: Kind | None = None, target: Any = None) -> None:
    is_gone = decision.content_after == Content.REMOVED
    notifications.notify(
        person=person,
        kind=Notification.Kind.MODERATION,
        data={
            "action": decision.action,
            "content": decision.content_after if decision.changes_content else "",
            "reason": decision.reason,
            "note": decision.note,
            "until": decision.until.isoformat() if decision.until else None,
            "title": decision.title,
            "target_type": kind.name if kind else "",
        },
        url=kind.url(target)[:500] if kind and target is not None and not is_gone else "",
        key=f"decision:{decision.pk}",
    )
    if decision.action in {Action.SUSPEND, Action.BAN}:  # they cannot sign in to read the notification
        outbox.add(mail.mail_decision, decision.pk)


def _remember(case: Case, **fields: Any) -> None:
    """Set ``fields`` on the object, as they are in its row."""
    for name, value in fields.items():
        setattr(case, name, value)
