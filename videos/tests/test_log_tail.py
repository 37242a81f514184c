"""The log of a job's programs: bounded, and without addresses, keys and paths of the host."""

from __future__ import annotations

import pytest

from videos.transcoding.log_tail import MAX_LOG_BYTES, MAX_RAW_BYTES, LogTail, log_kept, redacted
from videos.transcoding.processes import run_short
from videos.transcoding.tools import ffmpeg_path

SIGNED = "http://127.0.0.1:8333/videos/x/source?X-Amz-Credential=key%2F2026&X-Amz-Signature=abcdef0123"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"[in#0 @ 0x55d5c8] Error opening input {SIGNED}: 404", "[in#0] Error opening input <address> 404"),
        (f"{SIGNED}: Connection refused", "<address> Connection refused"),
        ("Failed to open '/home/site/folder a/0.m4s.tmp'", "Failed to open <file>"),
        ("/home/site/x/index.m3u8: No space left on device", "<file>: No space left on device"),
        ("Opening file:/etc/passwd", "Opening <address>"),
        ("connect to 10.0.3.7:8333 and [fd00::1]:443 failed", "connect to <address> and <address> failed"),
        ("connect to localhost:8333", "connect to <address>"),
        ("X-Amz-Signature=abcdef Authorization: Bearer abc", "<key> <key>"),
        ("\x1b[31mred\x1b[0m\x00\x07 title", "red title"),
        ("Failed to resolve hostname s3.internal: no", "Failed to resolve hostname <address> no"),
        ("30000/1001 fps, yuv420p(tv, bt709/unknown)", "30000/1001 fps, yuv420p(tv, bt709/unknown)"),
    ],
)
def test_line_names_no_address_key_or_path(line: str, shown: str) -> None:
    assert redacted(line) == shown


def test_cut_leaves_no_part_of_an_address() -> None:
    tail = LogTail()
    tail.add(f"Error opening {SIGNED}\n".encode())
    # The oldest byte that is kept lies within the signature.
    tail.add(b"x" * (MAX_RAW_BYTES - len("Signature=abcdef0123\n")) + b"\nlast\n")

    assert "abcdef0123" not in tail.text()
    assert "last" in tail.text().splitlines()


def test_long_log_keeps_its_last_whole_lines() -> None:
    tail = LogTail()
    for number in range(10_000):
        tail.add(f"第 {number} 行\n".encode())

    text = tail.text()
    assert len(text.encode()) <= MAX_LOG_BYTES
    assert text.splitlines()[-1] == "第 9999 行"
    assert text.splitlines()[0].startswith("第 ")


@pytest.mark.ffmpeg
def test_programs_of_a_job_write_into_its_log() -> None:
    path = ffmpeg_path()
    with log_kept() as tail:
        run_short([path, "-v", "error", "-i", "/no/such.mp4"], timeout_s=20)
        run_short([path, "-v", "error", "-i", "http://127.0.0.1:9/x?X-Amz-Signature=abc"], timeout_s=20)
    run_short([path, "-v", "error", "-i", "/later.mp4"], timeout_s=20)

    text = tail.text()
    assert [mark for mark in ("<file>", "<address>") if mark in text] == ["<file>", "<address>"]
    assert [secret for secret in ("such.mp4", "127.0", "abc", "later") if secret in text] == []
