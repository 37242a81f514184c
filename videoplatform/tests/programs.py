"""The marks that ``bin/test --quick`` leaves out, set and checked by the fixtures of a test.

A test with a browser or a clip gets its mark by its fixtures. A test that starts an encode
without the mark fails, wherever it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import pytest

# The mark of a test by its fixtures: FFmpeg makes the clips on their first use.
MARKS_BY_FIXTURE = {"chromium": "browser", "clips": "ffmpeg"}
ENCODERS = ("ffmpeg", "ffprobe", "gst-launch-1.0", "packager")
# Options with which these programs only describe themselves.
DESCRIPTIONS = {"-version", "--version", "-filters", "-encoders", "-hide_banner"}

_encodes: list[str] = []


def _note_encode(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and not isinstance(arguments[1], str | bytes):
        _encodes.extend(encoders_in([os.fsdecode(word) for word in arguments[1]]))


def encoders_in(command: list[str]) -> list[str]:
    """Return the encoders that a command runs; in the sandbox they are an argument of Python."""
    return [
        word
        for place, word in enumerate(command)
        if is_encoder(word) and {*command[place + 1 :]} - DESCRIPTIONS
    ]


def is_encoder(path: str) -> bool:
    """Return whether a program is an encoder: ``ffmpeg``, or the wheel's ``ffmpeg-linux-x86_64-v7.0.2``."""
    name = PurePath(path).name
    return name in ENCODERS or name.startswith(tuple(f"{one}-linux" for one in ENCODERS))


sys.addaudithook(_note_encode)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, mark in MARKS_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _encodes.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that starts an encode, in its fixtures or itself, without the mark ``ffmpeg``."""
    result = yield
    if _encodes and not item.get_closest_marker("ffmpeg"):
        pytest.fail(f"mark this test ffmpeg: it starts {_encodes[0]}", pytrace=False)
    return result
