"""Two hundred randomly damaged files, each of which must play or fail with a code.

File number N is ``damaged(sources, N)``: the same bytes in every run with the same
sources.  ``python -m benchmarks.mutations`` tries two thousand.
"""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import pytest

from videoplatform.embedded import lineage
from videos.tests.damaged import caption_outcome, caption_sources, damaged, media_outcome, media_sources
from videos.tests.mutations import mutate
from videos.tests.trap import listening

pytestmark = [pytest.mark.ffmpeg, pytest.mark.slow]

_MEDIA = 160
_CAPTIONS = 40
_A_GROUP = 10
# A frame of the largest allowed size, its reference frames, and those that threads decode ahead.
_MOST_MEMORY_KIB = 3 * 1024**2


def _groups(count: int) -> list[object]:
    return [
        pytest.param(range(first, first + _A_GROUP), id=f"{first}-{first + _A_GROUP - 1}")
        for first in range(0, count, _A_GROUP)
    ]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return media_sources(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return caption_sources(tmp_path_factory.mktemp("captions"))


@pytest.mark.parametrize("seeds", _groups(_MEDIA))
def test_damaged_media_plays_or_fails_with_a_code_and_leaves_no_files(
    seeds: range, media: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    children = set(lineage.children())
    memory_kib = _peak_of_children_kib()

    with listening() as visitors:
        outcomes = {seed: media_outcome(damaged(media, seed), tmp_path / str(seed)) for seed in seeds}

    faulty = {(seed, media[seed % len(media)].name): o for seed, o in outcomes.items() if o.faults}
    assert faulty == {}
    assert visitors == []
    assert [*elsewhere.iterdir()] == []
    assert set(lineage.children()) - children == set()
    # An earlier peak belongs to another test.
    assert _peak_of_children_kib() <= max(memory_kib, _MOST_MEMORY_KIB)


@pytest.mark.parametrize("seeds", _groups(_CAPTIONS))
def test_damaged_captions_are_clean_or_unreadable(seeds: range, captions: list[Path], tmp_path: Path) -> None:
    outcomes = {seed: caption_outcome(damaged(captions, seed), seed, tmp_path) for seed in seeds}

    faulty = {(seed, captions[seed % len(captions)].name): o for seed, o in outcomes.items() if o.faults}
    assert faulty == {}


def test_damage_is_equal_for_equal_seeds_and_differs_for_others() -> None:
    data, other = bytes(range(256)) * 20, b"other" * 100

    damages = [mutate(data, seed, other=other) for seed in range(100)]

    assert damages == [mutate(data, seed, other=other) for seed in range(100)]
    assert len(set(damages)) > 90


@pytest.mark.parametrize("data", [b"", b"a", b"moov", b"\0\0\0\x08moov"])
def test_tiny_files_can_be_damaged(data: bytes) -> None:
    assert all(len(mutate(data, seed)) <= 200_000 for seed in range(500))


def _peak_of_children_kib() -> int:
    """Return the highest memory use of any ended child process, in KiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
