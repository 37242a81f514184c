"""Reports: anybody with an account may report anything they may see."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from accounts.errors import NoSuchTarget, TooManyReports
from accounts.models import Case, Reason, Report, User
from accounts.models.cases import MAX_TEXT, MAX_TITLE
from accounts.moderation.registry import Kind, kind_named
from accounts.viewers import Viewer

logger = logging.getLogger(__name__)

REPORTS_PER_HOUR = 30


def report(
    *,
    by: User,
    viewer: Viewer | None = None,
    target_type: str,
    target_id: str,
    reason: str,
    detail: str = "",
    offset_s: float | None = None,
) -> tuple[Report, bool]:
    """Return ``by``'s open report about the target, and whether it is new.

    It keeps the content as the reporter saw it, for the desk to show after later changes.
    Raise ``NoSuchTarget`` or ``TooManyReports``.
    """
    kind = kind_named(target_type)
    target = kind.find(target_id, viewer or Viewer(by)) if kind else None
    if kind is None or target is None:
        raise NoSuchTarget
    with transaction.atomic():
        case = case_of(kind, target)
        known = Report.objects.filter(case=case, reporter=by, status=Report.Status.OPEN)
        if not known.exists():
            _check_pace(by)
        made, is_new = known.get_or_create(
            defaults={
                "case": case,
                "reporter": by,
                "reason": reason,
                "detail": detail,
                "offset_s": kind.at(target) if offset_s is None else offset_s,
                "title": case.title,
                "text": kind.text(target)[:MAX_TEXT],
            }
        )
        if not is_new:
            return made, False
        _count(case, Reason(reason))
    logger.info("Reported", extra={"case": case.pk, "kind": kind.name, "reason": reason})
    return made, True


def case_of(kind: Kind, target: Any) -> Case:
    """Return the case of ``target``, created if needed, with its present title."""
    title = kind.title(target)[:MAX_TITLE] or str(kind.label)
    case, is_new = Case.objects.get_or_create(
        target_type=kind.name,
        target_id=kind.public_id(target),
        defaults={"title": title, "author": kind.author(target)},
    )
    if not is_new and case.title != title:
        case.title = title
        case.save(update_fields=["title"])
    return case


def _check_pace(by: User) -> None:
    if not settings.RATE_LIMITS:
        return
    hour_ago = timezone.now() - timedelta(hours=1)
    if Report.objects.filter(reporter=by, created_at__gt=hour_ago).count() >= REPORTS_PER_HOUR:
        raise TooManyReports


def _count(case: Case, reason: Reason) -> None:
    """Put the case into the queue, or further up in it."""
    now = timezone.now()
    anew = {"status": Case.Status.OPEN, "opened_at": now, "report_count": 0, "urgency": 0}
    Case.objects.filter(pk=case.pk, status=Case.Status.CLOSED).update(**anew)
    Case.objects.filter(pk=case.pk).update(
        report_count=F("report_count") + 1,
        urgency=Greatest(F("urgency"), Value(reason.urgency)),
        reported_at=now,
    )
