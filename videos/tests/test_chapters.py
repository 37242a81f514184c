"""Tests of chapters in descriptions and in files."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from videos.demo.catalogue import CLIPS
from videos.tests.clips import make_clip
from videos.tests.encoding import probe_file
from videos.transcoding.chapters import (
    MAX_CHAPTERS,
    Chapter,
    declared,
    moved,
    moved_text,
    shown_title,
    written,
)
from videos.transcoding.source import SourceInfo
from videos.transcoding.timeline import KeptParts
from videos.transcoding.tools import ffmpeg_path

PLAIN = "Intro words.\n\n0:00 One\n1:05 Two\n1:02:03 Three\n\nThanks!"


def test_times_at_the_beginning_of_lines_are_chapters() -> None:
    assert written(PLAIN, 4000) == (Chapter(0, "One"), Chapter(65, "Two"), Chapter(3723, "Three"))
    assert written(PLAIN, None) == written(PLAIN, 4000)


@pytest.mark.parametrize(
    "line",
    ["- 0:00 开场", "(00:00) 开场", "【0：00】开场", "• 00:00:00 – 开场", "0:00: 开场", "[0:00] - 开场"],
)
def test_signs_around_a_time_are_left_out(line: str) -> None:
    assert written(f"{line}\n0:10 B\n0:20 C", 60)[0] == Chapter(0, "开场")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0:00 One\n1:00 Two",
        "0:05 One\n1:00 Two\n2:00 Three",
        "0:00 One\n2:00 Two\n1:00 Three",
        "0:00 One\n0:09 Two\n1:00 Three",
        "0:00\n1:00\n2:00",
        "At 0:00 One\nAt 1:00 Two\nAt 2:00 Three",
        "0:00 One\n1:60 Two\n2:00 Three",
        "0:00 One\n1:00:00:00 Two\n2:00 Three",
    ],
)
def test_text_that_breaks_a_rule_has_no_chapters(text: str) -> None:
    assert written(text, 600) == ()


def test_times_beyond_the_end_are_left_out() -> None:
    assert [chapter.title for chapter in written(PLAIN + "\n1:10:00 Four", 3800)] == ["One", "Two", "Three"]
    assert written(PLAIN, 3000) == ()


def test_number_of_chapters_is_bounded() -> None:
    lines = "\n".join(f"{minute}:00 Part {minute}" for minute in range(MAX_CHAPTERS + 50))

    assert len(written(lines, None)) == MAX_CHAPTERS


def test_chapters_of_a_file_count_from_its_start_in_order() -> None:
    rows: list[dict[str, Any]] = [
        {"start_time": "61.5", "tags": {"title": " B\u202e\0ad\n title "}},
        {"start_time": "1.500000", "tags": {"title": "A"}},
        {"start_time": "31.5"},
        {"start_time": "nonsense"},
        {"start_time": "9999", "tags": {"title": "Late"}},
        {"tags": None},
    ]

    assert declared(rows, start_s=1.5, duration_s=90) == (
        Chapter(0, "A"),
        Chapter(30, ""),
        Chapter(60, "Bad title"),
    )
    assert declared(rows[1:2], start_s=0, duration_s=90) == ()


def test_title_is_cut_and_on_one_line() -> None:
    assert shown_title("x" * 500) == "x" * 100
    assert shown_title("a\r\n\tb  \u200bc") == "a b c"


def test_long_demo_video_has_chapters() -> None:
    (long,) = [clip for clip in CLIPS if clip.duration_s == 1500]

    assert [chapter.title for chapter in written(long.description, 1500)] == [
        "Night", "Dawn", "Morning", "Noon", "Afternoon", "Sunset", "Night again",
    ]  # fmt: skip


@pytest.mark.ffmpeg
def test_chapters_of_a_file_are_found_and_kept(tmp_path: Path) -> None:
    clip = make_clip("no_audio", tmp_path, seconds=6)
    listed = tmp_path / "chapters.txt"
    listed.write_text(
        ";FFMETADATA1\n"
        + "".join(
            f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 2000}\ntitle={title}\n"
            for start, title in ((0, "Start"), (2000, "中间"), (4000, "End"))
        )
    )
    path = tmp_path / "chapters.mp4"
    argv = [
        ffmpeg_path(),
        "-v",
        "error",
        "-i",
        str(clip),
        "-i",
        str(listed),
        "-map_metadata",
        "1",
        "-c",
        "copy",
    ]
    subprocess.run([*argv, str(path)], check=True)

    source = probe_file(path)

    assert source.chapters == (Chapter(0, "Start"), Chapter(2, "中间"), Chapter(4, "End"))
    assert SourceInfo.from_json(source.to_json()) == source


def test_chapters_of_a_trimmed_video_begin_at_their_rest() -> None:
    found = (Chapter(0, "A"), Chapter(20, "B"), Chapter(40, "C"), Chapter(60, "D"))

    # B is cut up to 35, so that 5 s are left; C begins inside a cut.
    kept = KeptParts.of([(5, 20), (35, 40), (45, 100)])

    assert moved((), 100, kept) == ()
    assert moved(found, 100, kept) == (Chapter(0, "A"), Chapter(20, "C"), Chapter(35, "D"))


def test_lines_of_chapters_move_and_other_lines_stay() -> None:
    kept = KeptParts.of([(10, 4000)])
    text = "See 1:05:00.\n- 0:00 One\n(01:05) Two\n01:02:03 - Three\n"

    assert moved_text(text, 4000, kept) == "See 1:05:00.\n- 0:00 One\n(0:55) Two\n1:01:53 - Three\n"
    assert moved_text("0:00 One\n1:00 Two", 4000, kept) == "0:00 One\n1:00 Two"
