from __future__ import annotations

import logging

import pytest

from common.sparse_log import SparseLog


def test_repeated_warning_is_logged_once_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 100.0
    monkeypatch.setattr("common.sparse_log.time.monotonic", lambda: now)
    log = SparseLog(logging.getLogger("test"), every_s=10)
    for number in range(5):
        log.warning("Bad notice", number=number)
    log.warning("Something else")
    now = 110.0
    log.warning("Bad notice")

    assert [record.message for record in caplog.records] == ["Bad notice", "Something else", "Bad notice"]
    assert vars(caplog.records[-1])["left_out"] == 4
