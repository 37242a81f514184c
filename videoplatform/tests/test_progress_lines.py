"""Tests of the progress lines of a start."""

import io
import re
import threading

import pytest

from videoplatform.embedded import progress as lines
from videoplatform.embedded.progress import CLEAR_LINE, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def without_seconds(text: str) -> str:
    return re.sub(r" *\d+ s  ", "", text)


def test_log_has_a_line_for_each_begin_and_end() -> None:
    log = io.StringIO()
    progress = Progress(stream=log)
    with progress.step("Database", lambda: "3/9"), progress.step("Assets"):
        pass
    progress.close()
    assert without_seconds(log.getvalue()).splitlines() == [
        "Database 3/9",
        "Database 3/9, Assets",
        "Assets: done",
        "Database: done",
    ]


def test_line_is_repeated_during_a_long_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LOG_PERIOD_S", 0.001)
    log, asked, enough = io.StringIO(), 0, threading.Event()

    def share() -> str:
        nonlocal asked
        asked += 1
        if asked > 3:
            enough.set()
        return f"{asked}/9"

    progress = Progress(stream=log)
    with progress.step("Database", share):
        assert enough.wait(60)
    progress.close()
    assert without_seconds(log.getvalue()).splitlines()[:3] == [
        "Database 1/9",
        "Database 2/9",
        "Database 3/9",
    ]


def test_failed_step_is_not_reported_as_done() -> None:
    log = io.StringIO()
    progress = Progress(stream=log)
    with pytest.raises(ValueError, match="broken"), progress.step("Database"):
        raise ValueError("broken")
    progress.close()
    assert without_seconds(log.getvalue()).splitlines() == ["Database"]


def test_terminal_line_is_rewritten_below_sentences() -> None:
    terminal = Terminal()
    progress = Progress(stream=terminal)
    with progress.step("Database"):
        progress.report("Installing chromium")
    progress.close()
    shown = without_seconds(terminal.getvalue().replace(CLEAR_LINE, "|"))
    assert "|Database|Installing chromium\n|Database" in shown
    assert shown.endswith("|Database: done\n|")
