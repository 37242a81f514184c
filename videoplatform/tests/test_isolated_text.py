"""Tests that names and texts of people neither reverse nor overlap adjacent text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

COMPONENTS = Path(settings.BASE_DIR) / "static" / "css" / "components"


def rules_of(selector: str) -> str:
    """Return the declarations of every CSS rule for exactly ``selector``."""
    css = "".join(path.read_text() for path in COMPONENTS.glob("*.css"))
    return " ".join(re.findall(rf"^ *{re.escape(selector)} {{([^}}]*)}}", css, re.MULTILINE))


@pytest.mark.parametrize(
    "selector",
    [".chat-name", ".chat-text", ".comment-name", ".comment-text", ".danmaku > span", ".danmaku-list span"],
)
def test_user_text_is_isolated_in_its_direction(selector: str) -> None:
    assert "unicode-bidi: isolate" in rules_of(selector)


@pytest.mark.parametrize("selector", [".chat-line", ".comment-text", ".danmaku > span", ".danmaku-list span"])
def test_stacked_marks_are_clipped_to_their_line(selector: str) -> None:
    assert "overflow: clip" in rules_of(selector)
