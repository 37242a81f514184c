"""Captions in many formats and states of damage, from a folder named by ``CAPTION_CORPUS``.

Its ``MANIFEST.tsv`` counts, for each file, the arrows in it and the cues that an
FFmpeg found.  FFmpeg is stricter than players are, so its count is a lower bound.
Not every arrow stands between two times, so the arrows are an upper bound.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from videos.tests.captions import faults, words_for_ffmpeg
from videos.tests.corpus import corpus_files, manifest_rows
from videos.transcoding.captions import Captions, UnreadableCaptions, read_captions

pytestmark = pytest.mark.ffmpeg

_VARIABLE = "CAPTION_CORPUS"
_ROWS = {row["file"]: row for row in manifest_rows(_VARIABLE)}
_FILES = corpus_files(_VARIABLE)


@pytest.mark.parametrize("path", _FILES)
def test_corpus_captions_become_clean_webvtt_or_have_no_text(path: Path, tmp_path: Path) -> None:
    captions = _read(path)

    if captions is None:
        assert words_for_ffmpeg(path) == []
    else:
        assert faults(captions, tmp_path) == []


@pytest.mark.parametrize("path", _FILES)
def test_every_cue_is_read_or_counted_as_skipped(path: Path) -> None:
    captions, row = _read(path), _ROWS[path.name]

    found = len(captions.cues) + captions.skipped if captions else 0

    assert found >= int(row["cues_out_of_ffmpeg"]) or captions is None
    # Arrows were counted as bytes, so UTF-16 has none, and SubStation needs none.
    has_arrows = row["encoding"].startswith("utf-8") and path.suffix in {".srt", ".vtt"}
    assert found <= int(row["arrows_in"]) or not has_arrows


@pytest.mark.parametrize("path", _FILES)
def test_no_letters_are_lost_in_any_charset(path: Path) -> None:
    captions, data = _read(path), path.read_bytes()

    lost = captions.render().count("\ufffd") if captions else 0

    # WebVTT replaces NUL, which is half of a letter in UTF-16.
    is_utf8 = _ROWS[path.name]["encoding"].startswith("utf-8")
    assert lost <= (data.count(b"\0") + data.count("\ufffd".encode()) if is_utf8 else 0)


def _read(path: Path) -> Captions | None:
    try:
        return read_captions(path.read_bytes(), language="en")
    except UnreadableCaptions:
        return None
