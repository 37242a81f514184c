"""Real and hostile files from a folder named by ``MEDIA_CORPUS``, from first byte to last segment.

Its ``MANIFEST.tsv`` names one file a line.  Files named ``ok_…`` must play, and files
named ``bad_…`` must fail with a code.  ``part_…`` may do either, and so may ``evil_…``
if the manifest asks only for bounded work.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from videos.tests.corpus import corpus_files
from videos.tests.encoding import (
    difference,
    encode_audio,
    encode_video,
    probe_file,
    thumbnail,
)
from videos.tests.trap import listening
from videos.transcoding.errors import FAILURE_SENTENCES, TranscodeError
from videos.transcoding.ladder import plan_ladder, rung_size
from videos.transcoding.source import SourceInfo

pytestmark = [pytest.mark.ffmpeg, pytest.mark.slow]

_VARIABLE = "MEDIA_CORPUS"


@pytest.fixture
def fetches() -> Iterator[list[object]]:
    """Yield the addresses of all clients that connect to the address in hostile files."""
    with listening() as visitors:
        yield visitors


@pytest.mark.parametrize("path", corpus_files(_VARIABLE, "ok_"))
def test_good_file_plays_whole_and_upright(path: Path, tmp_path: Path) -> None:
    source = probe_file(path)
    ends_s = [
        encode_audio(path, tmp_path, source=source, track=n).duration_s for n in range(len(source.audio))
    ]
    if source.video:
        (rendition,) = encode_video(path, tmp_path, source=source)
        ends_s.append(rendition.duration_s)
        # While audio goes on, the last frame is held.
        assert rendition.duration_s == pytest.approx(source.duration_s, abs=0.5)
        _assert_upright(path, rendition.joined(tmp_path / "joined.mp4"), source)
    assert max(ends_s) == pytest.approx(source.duration_s, abs=0.5)


@pytest.mark.parametrize("path", corpus_files(_VARIABLE, "bad_"))
def test_bad_file_fails_with_a_code(path: Path, tmp_path: Path, fetches: list[object]) -> None:
    with pytest.raises(TranscodeError) as failure:
        encode_video(path, tmp_path, source=probe_file(path))

    assert failure.value.code in FAILURE_SENTENCES
    assert fetches == []


@pytest.mark.parametrize("path", corpus_files(_VARIABLE, "evil_"))
def test_hostile_file_fails_or_is_short_and_fetches_nothing(
    path: Path, tmp_path: Path, fetches: list[object]
) -> None:
    end = _end_of(path, tmp_path)

    if isinstance(end, TranscodeError):
        assert end.code in FAILURE_SENTENCES
        assert "root:" not in f"{end} {end.sentence}"
    else:
        # Some of these are ordinary short videos despite their name.
        assert end < 60
    assert fetches == []


@pytest.mark.parametrize("path", corpus_files(_VARIABLE, "part_"))
def test_damaged_file_plays_or_fails_with_a_code(path: Path, tmp_path: Path, fetches: list[object]) -> None:
    end = _end_of(path, tmp_path)

    assert end > 0 if isinstance(end, float) else end.code in FAILURE_SENTENCES
    assert fetches == []


def _end_of(path: Path, work: Path) -> float | TranscodeError:
    """Return the duration of a file's encode in seconds, or its failure."""
    try:
        (rendition,) = encode_video(path, work, source=probe_file(path))
    except TranscodeError as failure:
        return failure
    return rendition.duration_s


def _assert_upright(original: Path, encoded: Path, source: SourceInfo) -> None:
    """Compare a small grey frame with the original's, turned each way: upright must be nearest."""
    width, height = rung_size(source, plan_ladder(source)[-1])
    assert source.video is not None
    assert (width > height) == (source.video.width_px > source.video.height_px) or width == height
    theirs, ours = thumbnail(original), thumbnail(encoded)
    differences = [difference(turned, ours) for turned in _turns(theirs)]
    # Flat frames look alike in every rotation.
    assert differences[0] <= min(differences) + 2


def _turns(picture: bytes, side: int = 16) -> list[bytes]:
    """Return a square frame turned by 0, 90, 180 and 270 degrees."""
    turns = [picture]
    for _ in range(3):
        last = turns[-1]
        turns.append(bytes(last[(side - 1 - x) * side + y] for y in range(side) for x in range(side)))
    return turns
