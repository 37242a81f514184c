"""The guard around FFmpeg, tested with a hostile program in FFmpeg's place."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from videos.transcoding import guard
from videos.transcoding.processes import run_short
from videos.transcoding.sandbox import ProcessLimits, clean_environment, probing, sandboxed

needs_landlock = pytest.mark.skipif(bool(guard.missing()), reason="this kernel lacks a part of the guard")


def run(code: str, *arguments: object, writes: list[Path] | None = None, url: str = "") -> str:
    """Run Python as FFmpeg would be; return its output and the error that ended it."""
    argv = [sys.executable, "-c", code, *map(str, arguments), *(["-i", url] if url else [])]
    finished = run_short(argv, timeout_s=30, writes=writes or [])
    return finished.stdout.decode() + finished.stderr


@needs_landlock
def test_database_file_is_not_readable(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite3").write_text("secrets")
    # In two words, because a file that the command names is taken for its input.
    code = "import sys; print(open('/'.join(sys.argv[1:])).read())"

    assert "PermissionError" in run(code, tmp_path, "db.sqlite3")


@needs_landlock
@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/1/environ", "/var/lib", "/home", "/"])
def test_files_of_the_machine_are_not_readable(path: str) -> None:
    code = f"import os; print(os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r}).read())"

    output = run(code)

    assert "PermissionError" in output


@needs_landlock
def test_environment_of_the_worker_is_not_readable() -> None:
    output = run("import os; print(open(f'/proc/{os.getppid()}/environ').read())")

    assert "PermissionError" in output


def test_environment_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")

    output = run("import os; print(sorted(os.environ), open('/proc/self/environ').read())")

    assert "hunter2" not in output
    assert "SECRET" not in output


@needs_landlock
def test_program_can_only_write_to_its_own_folder(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    code = "import os; open(os.environ['W'], 'w').write('x')"

    inside = run(code.replace("os.environ['W']", repr(str(own / "x"))), writes=[own])
    outside = run(code.replace("os.environ['W']", repr(str(other / "x"))), writes=[own])

    assert (inside, (own / "x").read_text()) == ("", "x")
    assert "PermissionError" in outside
    assert not (other / "x").exists()


@needs_landlock
def test_only_the_port_of_the_source_is_reachable() -> None:
    code = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print('in')"
    with socket.create_server(("127.0.0.1", 0)) as source, socket.create_server(("127.0.0.1", 0)) as redis:
        port, other = source.getsockname()[1], redis.getsockname()[1]
        url = f"http://127.0.0.1:{port}/source"

        assert run(code, port, url=url) == "in\n"
        assert "PermissionError" in run(code, other, url=url)


@needs_landlock
def test_other_processes_cannot_be_signalled() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        output = run(f"import os; os.kill({other.pid}, 9)")
        assert other.poll() is None
        other.kill()

    assert "PermissionError" in output


def test_privileges_files_and_memory_are_bounded() -> None:
    code = (
        "import resource as r; print(open('/proc/self/status').read().count('NoNewPrivs:\\t1'),"
        " r.getrlimit(r.RLIMIT_CORE)[0], r.getrlimit(r.RLIMIT_NOFILE)[0], r.getrlimit(r.RLIMIT_FSIZE)[0])"
    )

    assert run(code).split() == ["1", "0", "256", str(64 * 1024**2)]


def test_file_larger_than_the_bound_ends_the_program(tmp_path: Path) -> None:
    path = tmp_path / "x"
    code = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL);"
        f" open({str(path)!r}, 'wb').write(bytes(1001))"
    )
    limits = ProcessLimits(address_space_bytes=2**32, cpu_s=30, file_bytes=1000)
    argv = sandboxed([sys.executable, "-c", code], limits, writes=[tmp_path])

    finished = subprocess.run(argv, env=clean_environment(), check=False)

    assert finished.returncode != 0
    assert (tmp_path / "x").stat().st_size <= 1000


def test_guard_of_an_ended_parent_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 1)
    argv = sandboxed(["echo", "started"], probing(30))

    finished = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert (finished.returncode, finished.stdout) == (126, "")


def test_missing_program_is_reported() -> None:
    assert "no-such-ffmpeg cannot be started" in run_short(["no-such-ffmpeg"], timeout_s=30).stderr


@pytest.mark.parametrize(("version", "parts"), [(0, 1), (3, 1), (4, 0), (7, 0)])
def test_missing_parts_of_the_guard_are_listed(
    version: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "abi", lambda: version)

    assert len(guard.missing()) == parts
