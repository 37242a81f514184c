"""Confined processes: their bounds on time, output and memory, and their pipes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from videos.transcoding import errors
from videos.transcoding.processes import last_lines, run_piped, run_short, scrub, start
from videos.transcoding.sandbox import ENCODE_FILE_BYTES, ProcessLimits, encoding, probing

COPY = [sys.executable, "-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"]


def test_program_over_its_time_limit_is_killed() -> None:
    with pytest.raises(errors.LimitsExceeded):
        run_short(["sleep", "30"], timeout_s=0.2)


def test_program_over_its_output_limit_is_killed() -> None:
    with pytest.raises(errors.LimitsExceeded):
        run_short(["yes"], timeout_s=10, max_stdout_bytes=1000)


def test_memory_is_bounded_and_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    output = run_short(["sh", "-c", "ulimit -v; env"], timeout_s=5).stdout.decode()

    assert output.startswith("4194304\n")
    assert "secret" not in output


def test_nuls_are_scrubbed_from_stderr() -> None:
    assert scrub("Unknown tag a\0b\n") == "Unknown tag ab"


def test_urls_are_scrubbed_from_stderr() -> None:
    assert scrub("[https @ 0x1] https://s3/a?X-Amz-Signature=f00: 403\n") == "[https @ 0x1] <source> 403"


def test_pieces_become_the_standard_input() -> None:
    assert run_short(COPY, timeout_s=30, pieces=iter([b"ab", b"cd"])).stdout == b"dcba"


def test_program_without_pieces_has_no_input() -> None:
    assert run_short(COPY, timeout_s=30).stdout == b""


def test_program_that_ends_before_its_input_is_no_error() -> None:
    written = []

    def pieces() -> Iterator[bytes]:
        for number in range(100):
            written.append(number)
            yield bytes(1024**2)

    assert run_short(["false"], timeout_s=30, pieces=pieces()).exit_code == 1
    assert len(written) < 100


def test_program_that_never_reads_its_input_is_killed() -> None:
    with pytest.raises(errors.LimitsExceeded):
        run_short(["sleep", "30"], timeout_s=0.5, pieces=iter([bytes(1024**2)] * 9))


def test_encode_may_use_all_cores_and_write_larger_files_than_a_probe(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)

    output = run_short(["sh", "-c", "ulimit -t; ulimit -f"], timeout_s=5, limits=encoding(100)).stdout

    assert output.split() == [b"301", str(ENCODE_FILE_BYTES // 512).encode()]


def test_started_program_has_its_output_and_stderr_in_pipes(tmp_path: Path) -> None:
    with start(["sh", "-c", "pwd; echo no >&2"], probing(5), cwd=tmp_path, writes=[tmp_path]) as popen:
        assert popen.communicate() == (f"{tmp_path}\n".encode(), b"no\n")
        assert isinstance(popen, subprocess.Popen)


async def test_piped_program_gets_data_and_gives_output() -> None:
    data = bytes(range(256)) * 4096

    done = await run_piped(COPY, data, probing(30), timeout_s=30, max_stdout_bytes=len(data))

    assert (done.exit_code, done.stdout, done.stderr) == (0, data[::-1], "")


async def test_piped_program_that_ends_early_gives_its_complaint() -> None:
    argv = ["sh", "-c", "echo cannot read https://s3/a?X-Amz-Signature=f00 >&2; exit 3"]

    done = await run_piped(argv, bytes(1024**2), probing(30), timeout_s=30, max_stdout_bytes=10)

    assert (done.exit_code, done.stdout, done.stderr) == (3, b"", "cannot read <source>")


async def test_piped_program_over_its_time_limit_is_killed() -> None:
    with pytest.raises(errors.LimitsExceeded, match="too long"):
        await run_piped(["sleep", "30"], bytes(1024**2), probing(30), timeout_s=0.3, max_stdout_bytes=10)


async def test_piped_program_over_its_output_limit_is_refused() -> None:
    with pytest.raises(errors.LimitsExceeded, match="more output"):
        await run_piped(
            ["head", "-c", "200000", "/dev/zero"], b"", probing(30), timeout_s=30, max_stdout_bytes=1000
        )


async def test_piped_program_has_the_given_limits() -> None:
    limits = ProcessLimits(address_space_bytes=2**30, cpu_s=7, file_bytes=512 * 3)

    done = await run_piped(
        ["sh", "-c", "ulimit -v; ulimit -t; ulimit -f"], b"", limits, timeout_s=30, max_stdout_bytes=99
    )

    assert done.stdout.split() == [b"1048576", b"7", b"3"]


def test_complaints_are_kept_by_their_last_lines() -> None:
    output = b"\n".join(b"line %d" % number for number in range(100))

    assert last_lines(output + b"\xff").split("\n") == [
        *(f"line {n}" for n in range(88, 99)),
        "line 99\ufffd",
    ]
