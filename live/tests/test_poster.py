"""Posters of running broadcasts, drawn from a recorded segment."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from PIL import Image

from live.ingest import poster
from live.tests.live_clips import FRAGMENTED, Published, ffmpeg, publish


@pytest.mark.ffmpeg
async def test_poster_is_the_first_frame_as_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "copied.mp4"
    ffmpeg("-i", str(publish(tmp_path, Published(seconds=0.5))), "-c", "copy", *FRAGMENTED, str(path))

    drawn = await poster.draw(path.read_bytes())

    assert drawn is not None
    assert Image.open(io.BytesIO(drawn)).format == "JPEG"


@pytest.mark.ffmpeg
async def test_segment_that_does_not_decode_gives_no_poster(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert await poster.draw(b"no segment" * 1000) is None

    assert "Poster not made" in caplog.text


async def test_poster_larger_than_the_bound_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poster, "poster_args", lambda: ["cat"])
    monkeypatch.setattr(poster, "MAX_POSTER_BYTES", 10)

    assert await poster.draw(b"0123456789") == b"0123456789"
    assert await poster.draw(b"0123456789A") is None


async def test_poster_that_takes_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poster, "poster_args", lambda: ["sleep", "30"])
    monkeypatch.setattr(poster, "TIMEOUT_S", 0.3)

    assert await poster.draw(b"") is None
