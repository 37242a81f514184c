"""Tests of expiry: expired sessions, tokens, calls and failures are removed, and others stay."""

from datetime import timedelta
from unittest import mock

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone

from accounts import expiry, outbox, sweeps, tasks
from accounts.models import ApiToken, OutboxEntry, SweepFailure
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def test_expired_sessions_are_removed_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "SESSIONS_AT_ONCE", 2)
    now = timezone.now()
    for number in range(5):
        Session.objects.create(session_key=f"old{number}", session_data="", expire_date=now - HOUR)
    Session.objects.create(session_key="new", session_data="", expire_date=now + HOUR)
    tasks.remove_expired()
    assert [session.pk for session in Session.objects.all()] == ["new"]


def test_table_that_cannot_be_written_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "_remove_sessions", mock.Mock(side_effect=OperationalError))
    token, _ = ApiToken.objects.issue(user=UserFactory(), name="old")
    ApiToken.objects.filter(pk=token.pk).update(expiry=timezone.now() - HOUR)
    tasks.remove_expired()
    assert not ApiToken.objects.exists()


def test_expired_tokens_are_removed() -> None:
    person = UserFactory()
    old, _ = ApiToken.objects.issue(user=person, name="old")
    kept, _ = ApiToken.objects.issue(user=person, name="kept")
    ApiToken.objects.filter(pk=old.pk).update(expiry=timezone.now() - HOUR)
    tasks.remove_expired()
    assert ApiToken.objects.get() == kept


def test_calls_given_up_long_ago_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "REMOVED_AT_ONCE", 2)
    long_ago = timezone.now() - outbox.KEPT_FOR - HOUR
    for _ in range(5):
        OutboxEntry.objects.create(handler="old", is_given_up=True, not_before=long_ago)
    OutboxEntry.objects.create(handler="recent", is_given_up=True)
    OutboxEntry.objects.create(handler="waiting", not_before=long_ago)
    tasks.remove_expired()
    assert [entry.handler for entry in OutboxEntry.objects.all()] == ["recent", "waiting"]


def test_stale_sweep_failures_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "REMOVED_AT_ONCE", 2)
    now = timezone.now()
    for row in range(5):
        old = {"failed_at": now - sweeps.KEPT_FOR - HOUR, "error": ""}
        SweepFailure.objects.create(sweep="old", row_pk=row, **old)
    SweepFailure.objects.create(sweep="new", row_pk=1, error="", first_failed_at=now - 2 * sweeps.KEPT_FOR)
    tasks.remove_expired()
    assert [failure.sweep for failure in SweepFailure.objects.all()] == ["new"]


def test_beat_schedules_the_removal_daily() -> None:
    assert settings.CELERY_BEAT_SCHEDULE["remove-expired"] == {
        "task": "accounts.tasks.remove_expired",
        "schedule": 86_400.0,
    }
