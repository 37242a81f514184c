"""Tests of the step that each Celery worker runs beside its pool."""

from __future__ import annotations

import threading
from unittest import mock

import pytest

from common import disk, heartbeat
from videoplatform import workers
from videos.transcoding import guard


def test_worker_that_only_encodes_sweeps_its_work_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    swept = threading.Event()
    monkeypatch.setattr(disk, "sweep_work_folder", swept.set)
    monkeypatch.setattr(guard, "missing", lambda: ())
    monkeypatch.setattr(heartbeat, "show_host", mock.Mock())
    monkeypatch.setattr(heartbeat, "may_pulse", lambda _queue: False)
    worker = mock.MagicMock()
    worker.app.amqp.queues.consume_from = {"encode": object()}
    step = workers.WorkerLife(worker)

    step.start(worker)

    assert swept.wait(10)
    again = mock.call(workers.SWEEP_FOLDER_EVERY_S, step.sweep_folder)
    assert again in worker.timer.call_repeatedly.call_args_list
