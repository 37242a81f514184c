"""Tests that a log entry is one line for any input."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from videoplatform.logs import LineFormatter


def line(message: str, *arguments: Any, **extra: Any) -> str:
    record = logging.makeLogRecord(
        {"msg": message, "args": arguments, "levelname": "INFO", "name": "test", "created": 0, **extra}
    )
    return LineFormatter().format(record).partition(" ")[2]


def test_values_follow_the_message_in_order() -> None:
    assert line("Video published", video="abc", renditions=3) == (
        "INFO test Video published renditions=3 video=abc"
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("小明", "小明"),
        ("two words", '"two words"'),
        ("", '""'),
        ('a="b"', r'"a=\"b\""'),
        ("a\nERROR forged", r'"a\nERROR forged"'),
        ("a\r\x1b[31mred", r'"a\r\u001b[31mred"'),
        ("a\x9b31m", r"a\x9b31m"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u2028b", r'"a\u2028b"'),
        ("\ud800", r"\ud800"),
    ],
)
def test_value_is_quoted_and_escaped(value: str, written: str) -> None:
    assert line("Seen", title=value) == f"INFO test Seen title={written}"


def test_message_cannot_begin_another_entry() -> None:
    assert line("Not Found: %s", "/a\n2024-01-01 INFO forged") == (
        r"INFO test Not Found: /a\x0a2024-01-01 INFO forged"
    )


def test_text_of_an_exception_cannot_begin_another_entry() -> None:
    try:
        raise ValueError("wrong\n2024-01-01T00:00:00+0000 INFO forged\x1b[2J")
    except ValueError:
        lines = line("Failed", exc_info=sys.exc_info()).split("\n")

    assert lines[0] == "INFO test Failed"
    assert all(one.startswith("  ") for one in lines[1:])
    assert lines[-1] == r"  2024-01-01T00:00:00+0000 INFO forged\x1b[2J"


def test_long_value_is_cut() -> None:
    assert len(line("Seen", title="x" * 1_000_000)) < 2_100


def test_celery_logs_only_failed_tasks() -> None:
    for name in ("celery.app.trace", "celery.worker.strategy"):
        logger = logging.getLogger(name)

        assert not logger.isEnabledFor(logging.INFO)
        assert logger.isEnabledFor(logging.ERROR)
    assert logging.getLogger("videos.pipeline").isEnabledFor(logging.INFO)
