"""The guard around FFmpeg, tested with a hostile program in FFmpeg's place."""

from __future__ import annotations

import ast
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common import disk
from videos.transcoding import guard, layers, syscalls
from videos.transcoding.layers import Layer, missing_layers, tried_layers
from videos.transcoding.processes import run_short
from videos.transcoding.sandbox import ProcessLimits, clean_environment, probing, sandboxed
from videos.transcoding.syscalls import filter_program


def needs(layer: Layer) -> pytest.MarkDecorator:
    reason = missing_layers().get(layer, "")
    return pytest.mark.skipif(bool(reason), reason=f"{layer}: {reason}")


needs_landlock = needs(Layer.FILES)
needs_filter = needs(Layer.CALLS)


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
def test_work_of_another_video_is_not_readable() -> None:
    code = "import os, sys; print(os.listdir(os.fsdecode(bytes.fromhex(sys.argv[1]))))"
    with disk.workspace() as own, disk.workspace() as other:
        (other / "0.m4s").write_text("a private video")

        assert run(code, os.fsencode(own).hex(), writes=[own]) == "[]\n"
        assert "PermissionError" in run(code, os.fsencode(other).hex(), writes=[own])


@needs_landlock
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "/etc/resolv.conf", "/var/lib", "/home", "/tmp", "/", "/proc", "/proc/1/environ",
        "/proc/1/cmdline", "/proc/self/net/tcp", "/proc/self/mountinfo", "/proc/self/root/etc/passwd",
    ],
)  # fmt: skip
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

    output = run("import os; print(sorted(os.environ))")

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


@needs_filter
@pytest.mark.parametrize(
    "call",
    [
        "socket.create_connection(('127.0.0.1', {port}))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socketpair()[0].listen()",
    ],
)
def test_program_without_remote_input_has_no_network(call: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as redis:
        output = run(f"import socket; {call.format(port=redis.getsockname()[1])}; print('in')")

    assert "PermissionError" in output


@needs_filter
@pytest.mark.parametrize(
    "call",
    [
        "os.fork()",
        "subprocess.run(['true'])",
        "os.kill({parent}, 0)",
        "os.kill(0, 0)",
        "signal.pidfd_send_signal(0, 0)",
        "os.pidfd_open({parent})",
        "resource.prlimit({parent}, resource.RLIMIT_NOFILE, (1, 1))",
        "os.setpriority(os.PRIO_PROCESS, {parent}, 19)",
        "os.setpriority(os.PRIO_USER, 0, 19)",
        "os.chmod('/dev/null', 0)",
        "os.chown('/dev/null', 0, 0)",
        "os.utime('/dev/null')",
        "os.truncate('/dev/null', 0)",
        "os.close(os.open('/dev/null', os.O_RDONLY | os.O_TRUNC))",
        "os.setuid(0)",
        "os.chroot('/')",
        "fcntl.fcntl(0, fcntl.F_SETOWN, {parent})",
        "fcntl.ioctl(0, termios.TIOCSTI, b'x')",
        "fail(libc.ptrace(16, {parent}, 0, 0))",
        "fail(libc.prctl(1, 0, 0, 0, 0))",
        "fail(libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0))",
        "fail(libc.unshare(0x10000000))",
        "fail(libc.setns(0, 0))",
        "fail(libc.process_vm_readv({parent}, 0, 0, 0, 0, 0))",
        "fail(libc.syscall({io_uring_setup}, 1, 0))",
        "fail(libc.syscall({bpf}, 0, 0, 0))",
        "fail(libc.syscall({keyctl}, 0, -3, 0))",
        "fail(libc.syscall({userfaultfd}, 0))",
        "fail(libc.syscall({perf_event_open}, 0, 0, 0, 0, 0))",
    ],
)
def test_dangerous_call_is_not_permitted(call: str) -> None:
    code = (
        "import ctypes, fcntl, os, resource, signal, subprocess, termios\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def fail(result):\n"
        "    if result < 0: raise OSError(ctypes.get_errno(), '')\n"
    )
    numbers = syscalls.numbers()

    output = run(code + call.format(parent=os.getpid(), **numbers))

    assert "PermissionError: [Errno 1]" in output


@needs_filter
def test_call_newer_than_the_table_does_not_exist() -> None:
    code = "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.syscall({}), ctypes.get_errno())"

    assert run(code.format(457)) == run(code.format(0x40000000)) == f"-1 {errno.ENOSYS}\n"


@needs_filter
def test_program_has_no_capability_but_to_read() -> None:
    output = run("print(open('/proc/self/status').read())")

    status = dict(line.split(":\t", 1) for line in output.splitlines() if ":\t" in line)
    held = {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")}
    assert held <= {0, 1 << 2}  # CAP_DAC_READ_SEARCH


@needs_filter
def test_program_may_have_threads_and_its_own_signals() -> None:
    code = (
        "import os, signal, threading\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('signal'))\n"
        "thread = threading.Thread(target=os.kill, args=[os.getpid(), signal.SIGUSR1])\n"
        "thread.start(); thread.join(); os.nice(5); print('ended')"
    )

    assert run(code) == "signal\nended\n"


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
    with pytest.raises(OSError, match="no-such-ffmpeg cannot be started"):
        run_short(["no-such-ffmpeg"], timeout_s=30)


def test_policy_of_an_older_version_is_trouble_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files may be updated under a worker that runs: the media must not be blamed."""
    command = guard.command

    def older(policy: guard.SandboxPolicy) -> list[str]:
        del policy["has_mounts"]  # type: ignore[misc]
        return command(policy)

    missing_layers()
    monkeypatch.setattr(guard, "command", older)

    with pytest.raises(OSError, match="cannot be started: 'has_mounts'"):
        run_short(["true"], timeout_s=30)


def test_layer_that_fails_ends_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that the trial found is never left out in silence."""
    monkeypatch.setattr("videos.transcoding.syscalls.seccomp_number", lambda: 10**6)

    with pytest.raises(OSError, match="echo cannot be started"):
        run_short(["echo", "started"], timeout_s=30)


@pytest.fixture
def untried() -> Iterator[None]:
    """Forget the trial of this process before and after the test."""
    tried_layers.cache_clear()
    yield
    tried_layers.cache_clear()


@pytest.mark.usefixtures("untried")
def test_missing_layers_are_left_out_and_the_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_tried", lambda: dict.fromkeys(Layer, "Function not implemented"))
    monkeypatch.setattr(layers, "can_mount", lambda: False)

    assert missing_layers() == dict.fromkeys(Layer, "Function not implemented")
    assert run("print(open('/proc/self/status').read().count('Seccomp:\\t0'))") == "1\n"


@pytest.mark.usefixtures("untried")
def test_mounts_confine_files_where_landlock_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(layers, "_tried", lambda: {"files": "Function not implemented"})
    if not tried_layers().has_mounts:
        pytest.skip("this machine permits no mounts")
    (tmp_path / "db.sqlite3").write_text("secrets")
    own = tmp_path / "own"
    own.mkdir()
    code = (
        "import os, sys\n"
        "def attempt(act, *values):\n"
        "    try: print(act(*values))\n"
        "    except OSError as error: print(type(error).__name__)\n"
        "attempt(open, '/'.join(sys.argv[1:3]))\n"
        "attempt(os.stat, '/'.join(sys.argv[1:3]))\n"
        "attempt(open, '/etc/passwd')\n"
        "attempt(open, f'/proc/{os.getppid()}/environ')\n"
        "attempt(os.listdir, '/proc')\n"
        "attempt(open, sys.argv[3], 'w')\n"
        "attempt(os.mkdir, '/new')\n"
        "attempt(os.unlink, os.path.realpath(os.__file__))\n"
    )

    missing = "FileNotFoundError"
    output = run(code, tmp_path, "db.sqlite3", own / "x", writes=[own]).splitlines()

    assert output[:4] == [missing] * 4
    assert set(ast.literal_eval(output[4])) <= {"cpuinfo", "meminfo", "self"}
    assert "own/x" in output[5]
    assert output[6:8] == ["OSError", "OSError"]


@pytest.mark.usefixtures("untried")
def test_kernel_before_5_9_has_no_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.release", lambda: "5.4.0-generic")

    assert missing_layers().get(Layer.NETWORK) == layers.OLD_KERNEL


@pytest.mark.usefixtures("untried")
def test_unknown_processor_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    filter_program.cache_clear()

    assert set(missing_layers()) >= {Layer.CALLS, Layer.NETWORK}
    assert run("print('runs')") == "runs\n"


@pytest.mark.usefixtures("untried")
def test_trial_that_fails_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short memory must not run FFmpeg unconfined."""
    monkeypatch.setattr(guard, "command", lambda _policy: ["false"])

    with pytest.raises(OSError, match="could not be tried"):
        run_short(["echo", "started"], timeout_s=30)


@pytest.mark.usefixtures("untried")
def test_reasons_name_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_tried", lambda: {"files": "Function not implemented"})
    monkeypatch.setattr(layers, "can_mount", lambda: False)

    assert layers.layer_reasons() == {"files": "Function not implemented", "calls": "", "network": ""}


@pytest.mark.usefixtures("untried")
def test_trial_that_fails_is_the_reason_for_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "command", lambda _policy: ["false"])

    reasons = layers.layer_reasons()

    assert list(reasons) == ["files", "calls", "network"]
    assert all("could not be tried" in reason for reason in reasons.values())
