"""Tests of the demo clips: their scenes, their files and the words about them."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from comments.demo import TALK
from videos.demo.canvas import Canvas
from videos.demo.catalogue import CLIPS, Loop, Passage
from videos.demo.making import make
from videos.demo.scenes import Scene
from videos.tests.encoding import probe_file

LOOPS = [clip.picture for clip in CLIPS if isinstance(clip.picture, Loop)]


def drawn(scene: Scene, phase: float) -> Image.Image:
    canvas = Canvas(160, 90)
    scene(canvas, phase)
    return Image.frombytes("RGB", (160, 90), canvas.frame())


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two images, of 255."""
    histogram = ImageChops.difference(one, other).convert("L").histogram()
    return sum(level * count for level, count in enumerate(histogram)) / (160 * 90)


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.scene.__name__)
def test_loop_moves_and_ends_as_it_begins(loop: Loop) -> None:
    first = drawn(loop.scene, 0.0)
    assert difference(first, drawn(loop.scene, 0.37)) > 0.2
    last = 1 - 1 / round(loop.seconds * loop.fps)
    # The step from the last frame back to the first is no larger than a step within the loop.
    assert (
        difference(drawn(loop.scene, last), first) < 3 * difference(first, drawn(loop.scene, 1 - last)) + 0.5
    )


def test_titles_are_unique_and_conversations_belong_to_them() -> None:
    titles = [clip.title for clip in CLIPS]
    assert len(set(titles)) == len(titles) == 12
    assert set(TALK) <= set(titles)
    for clip in CLIPS:
        offsets = [one.offset_ms for one in TALK.get(clip.title, ()) if one.offset_ms is not None]
        assert max(offsets, default=0) < clip.duration_s * 1000


@pytest.mark.ffmpeg
@pytest.mark.parametrize("kind", [Loop, Passage, str])
def test_clip_has_its_length_with_sound(kind: type, tmp_path: Path) -> None:
    clip = next(clip for clip in CLIPS if isinstance(clip.picture, kind))
    picture = clip.picture
    if isinstance(picture, Loop):
        picture = replace(picture, size=(160, 90), seconds=1)
    elif isinstance(picture, Passage):
        picture = replace(picture, size=(160, 90), drawings=4)
    clip = replace(clip, picture=picture, duration_s=3)
    make(clip, tmp_path / "clip.mp4")
    source = probe_file(tmp_path / "clip.mp4")
    assert source.duration_s == pytest.approx(3, abs=0.2)
    assert source.video is not None
    assert len(source.audio) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "clip.mp4"]
