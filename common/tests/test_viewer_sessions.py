"""Tests of the signed sessions of players."""

from __future__ import annotations

from time import time

import pytest

from common.viewer_sessions import ViewerSessions

SESSIONS = ViewerSessions("tests", lifetime_s=60)


def test_session_is_read_for_its_subject() -> None:
    session = SESSIONS.sign("id", 7)

    assert SESSIONS.read(session, 7) == SESSIONS.read(session, "7") == "id"


@pytest.mark.parametrize(
    "session",
    ["", "7:id", pytest.param(ViewerSessions("others", 60).sign("id", 7), id="other salt")],
)
def test_session_that_was_not_signed_here_is_replaced(session: str) -> None:
    first, second = SESSIONS.read(session, 7), SESSIONS.read(session, 7)

    assert "id" not in {first, second}
    assert first != second


def test_session_of_another_subject_is_replaced() -> None:
    assert SESSIONS.read(SESSIONS.sign("id", 8), 7) != "id"


def test_session_is_replaced_after_its_lifetime(monkeypatch: pytest.MonkeyPatch) -> None:
    session = SESSIONS.sign("id", 7)
    later = time() + 61
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)

    assert SESSIONS.read(session, 7) != "id"
