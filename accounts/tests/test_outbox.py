"""Tests of the outbox: calls are made after the commit and kept until they succeed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import pytest
import redis
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts import outbox
from accounts.models import OutboxEntry

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def handler(*arguments: int) -> outbox.Again:
    """Stand in for a handler; each test defines its behaviour."""
    raise NotImplementedError


@pytest.fixture
def calls() -> Iterator[mock.Mock]:
    with mock.patch(f"{__name__}.handler", return_value=None) as calls:
        yield calls


HANDLER = handler


def add(*arguments: int) -> None:
    outbox.add(HANDLER, *arguments)


def make_due() -> None:
    OutboxEntry.objects.update(not_before=timezone.now())


def test_entry_is_called_once_and_deleted(calls: mock.Mock) -> None:
    add(1, 2)

    outbox.work()
    outbox.work()

    assert calls.mock_calls == [mock.call(1, 2)]
    assert not OutboxEntry.objects.exists()


def test_entry_is_rolled_back_with_its_transaction(calls: mock.Mock) -> None:
    with transaction.atomic():
        add(1)
        transaction.set_rollback(True)

    outbox.work()

    assert calls.mock_calls == []


def test_worker_is_woken_on_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True), redis.Redis.from_url(settings.REDIS_URL) as broker:
        add(1)
        before = broker.llen("default")

    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        assert (before, broker.llen("default")) == (0, 1)


def test_entry_whose_message_was_lost_is_called_by_the_sweep(
    calls: mock.Mock, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    lost = mock.patch("videoplatform.celery.app.send_task", side_effect=OSError("no broker"))
    with lost, django_capture_on_commit_callbacks(execute=True):
        add(1)

    outbox.work()

    assert calls.mock_calls == [mock.call(1)]


def test_entry_whose_worker_died_is_called_again_after_the_lease(calls: mock.Mock) -> None:
    add(1)
    calls.side_effect = KeyboardInterrupt  # as for a killed worker, nothing is written afterwards
    with pytest.raises(KeyboardInterrupt):
        outbox.work()
    calls.side_effect = None

    outbox.work()
    assert calls.call_count == 1
    make_due()
    outbox.work()

    assert calls.call_count == 2
    assert not OutboxEntry.objects.exists()


def test_failing_entry_pauses_and_keeps_nothing_behind_it_waiting(calls: mock.Mock) -> None:
    add(1)
    add(2)
    calls.side_effect = [ValueError("mail server says no"), None]

    outbox.work()

    failed = OutboxEntry.objects.get()
    assert (failed.arguments, failed.error) == ([1], "ValueError: mail server says no")
    assert failed.not_before > timezone.now()


def test_entry_that_always_fails_is_given_up_and_kept(calls: mock.Mock) -> None:
    add(1)
    calls.side_effect = ValueError
    OutboxEntry.objects.update(attempt=outbox.MAX_ATTEMPTS - 1)

    outbox.work()
    make_due()
    outbox.work()

    assert OutboxEntry.objects.get().is_given_up
    assert calls.call_count == 1


def test_entry_whose_handler_does_not_exist_fails_alone(calls: mock.Mock) -> None:
    OutboxEntry.objects.create(
        handler="accounts.no_such_thing", not_before=timezone.now() - timedelta(minutes=1)
    )
    add(2)

    outbox.work()

    assert calls.mock_calls == [mock.call(2)]
    assert "no_such_thing" in OutboxEntry.objects.get().error


def test_handler_that_returns_arguments_is_called_with_them_next(calls: mock.Mock) -> None:
    add(1)
    calls.side_effect = [[2], None]

    outbox.work()
    outbox.work()

    assert calls.mock_calls == [mock.call(1), mock.call(2)]
