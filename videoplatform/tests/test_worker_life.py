"""Tests of the step that each Celery worker runs beside its pool."""

from __future__ import annotations

import threading
from unittest import mock

import pytest
from celery.worker import state

from common import disk, heartbeat
from videoplatform import workers
from videos import queue, transcriptions


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> mock.MagicMock:
    """Return a worker that consumes the encode queue, on a machine without Redis."""
    monkeypatch.setattr(disk, "sweep_work_folder", mock.Mock())
    monkeypatch.setattr(workers, "layer_reasons", dict)
    monkeypatch.setattr(heartbeat, "show_host", mock.Mock())
    monkeypatch.setattr(heartbeat, "may_pulse", lambda _queue: False)
    worker = mock.MagicMock()
    worker.app.amqp.queues.consume_from = {"encode": object()}
    return worker


def test_worker_that_only_encodes_sweeps_its_work_folder(
    worker: mock.MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = threading.Event()
    monkeypatch.setattr(disk, "sweep_work_folder", swept.set)
    step = workers.WorkerLife(worker)

    step.start(worker)

    assert swept.wait(10)
    again = mock.call(workers.SWEEP_FOLDER_EVERY_S, step.sweep_folder)
    assert again in worker.timer.call_repeatedly.call_args_list


def test_worker_stopped_after_its_pool_was_replaced_releases_the_killed_jobs(
    worker: mock.MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, release_heard = mock.Mock(return_value=0), mock.Mock(return_value=0)
    monkeypatch.setattr(queue, "release", release)
    monkeypatch.setattr(transcriptions, "release", release_heard)
    monkeypatch.setattr(workers, "connection", mock.Mock())
    step = workers.WorkerLife(worker)
    monkeypatch.setattr(workers, "children", lambda: [11, 12])
    step.start(worker)

    # Celery kills the pool in its signal handler; a due timer and the pool's own
    # replacement run before the steps stop.
    monkeypatch.setattr(workers, "children", lambda: [13])
    step.beat(["encode"])
    monkeypatch.setattr(state, "should_terminate", 0)
    step.stop(worker)

    release.assert_called_once_with({11, 12, 13})
    release_heard.assert_called_once_with({11, 12, 13})


def test_machine_state_names_missing_layers_with_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {"files": "Function not implemented", "calls": ""}
    monkeypatch.setattr(workers, "layer_reasons", lambda: reasons)

    assert workers.machine_state(["encode"])["sandbox"] == reasons
