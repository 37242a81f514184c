"""Tests of supervision: its configuration, restarts, and the end of every process with ``bin/run``."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest
from django.conf import settings

from live.ingest import publisher_session
from live.ingest import run as ingest_run
from videoplatform.embedded import configuration, lineage, processes, supervision
from videoplatform.embedded.processes import SupervisedProcess
from videoplatform.tests.test_embedded import configured
from videoplatform.tests.valkey import free_port


def test_stop_timeouts_add_up_to_less_than_ten_seconds(tmp_path: Path) -> None:
    chosen = configured(tmp_path)
    groups = (processes.platform(chosen), processes.services(chosen))

    # Supervisor kills each group after this time, one after the other; then it is killed
    # itself.
    politely_s = sum(max(process.stop_wait_s for process in group) for group in groups)
    assert politely_s < supervision.STOP_WITHIN_S
    assert supervision.STOP_WITHIN_S + lineage.ORPHANS_WITHIN_S < 10
    # The ingest is killed if its own shutdown takes longer.
    ingest_s = ingest_run.GOODBYE_WITHIN_S + ingest_run.DRAIN_WITHIN_S + publisher_session.STOP_WITHIN_S
    (ingest,) = (process for process in groups[0] if process.name == "ingest")
    assert ingest_s <= ingest.stop_wait_s


def test_supervisor_configuration_is_complete() -> None:
    guarded = """setpriv --pdeathsig TERM -- sh -c '[ "$PPID" = "$SUPERVISOR_PID" ] && exec "$@"' sh"""
    groups = {
        "services": [SupervisedProcess("valkey", ("/bin/valkey", "/a b/valkey.conf"))],
        "platform": [SupervisedProcess("worker", ("celery", "-n", "w@%h"), {"REMAP_SIGTERM": "SIGQUIT"}, 4)],
    }
    assert supervision.render(
        groups,
        socket=Path("/run/s.sock"),
        pid_file=Path("/data/s.pid"),
        log_dir=Path("/data/logs"),
        descriptors=1024,
    ) == (
        "[supervisord]\n"
        "nodaemon = true\n"
        "logfile = /data/logs/supervisord.log\n"
        "logfile_maxbytes = 5MB\n"
        "logfile_backups = 2\n"
        "pidfile = /data/s.pid\n"
        "minfds = 1024\n"
        "\n"
        "[unix_http_server]\n"
        "file = /run/s.sock\n"
        "chmod = 0700\n"
        "\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
        "\n"
        "[group:services]\n"
        "programs = valkey\n"
        "priority = 1\n"
        "\n"
        "[program:valkey]\n"
        f"command = {guarded} /bin/valkey '/a b/valkey.conf'\n"
        "environment = \n"
        "autostart = false\n"
        "autorestart = true\n"
        "startsecs = 5\n"
        "startretries = 10\n"
        "stopwaitsecs = 3\n"
        "killasgroup = true\n"
        "umask = 077\n"
        "stdout_logfile = /data/logs/valkey.log\n"
        "stdout_logfile_maxbytes = 10MB\n"
        "stdout_logfile_backups = 3\n"
        "redirect_stderr = true\n"
        "\n"
        "[group:platform]\n"
        "programs = worker\n"
        "priority = 2\n"
        "\n"
        "[program:worker]\n"
        f"command = {guarded} celery -n w@%%h\n"
        'environment = REMAP_SIGTERM="SIGQUIT"\n'
        "autostart = false\n"
        "autorestart = true\n"
        "startsecs = 5\n"
        "startretries = 10\n"
        "stopwaitsecs = 4\n"
        "killasgroup = true\n"
        "umask = 077\n"
        "stdout_logfile = /data/logs/worker.log\n"
        "stdout_logfile_maxbytes = 10MB\n"
        "stdout_logfile_backups = 3\n"
        "redirect_stderr = true\n"
    )


class Running:
    """The Python part of ``bin/run`` with its own ports and data, and the lines it printed."""

    def __init__(self, data_dir: Path) -> None:
        own = {name: str(free_port()) for name in configuration.PORTS}
        keep = {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}
        variables = {name: value for name, value in os.environ.items() if name in keep}
        self.port = own["PORT"]
        self.printed: list[str] = []
        self.lines: Queue[str] = Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "videoplatform.embedded"],
            cwd=settings.BASE_DIR,
            env=variables | own | {"DATA_DIR": str(data_dir), "DEMO": "0", "ENV_FILE": os.devnull},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.listener = Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.put(line.rstrip())

    def kill(self) -> None:
        """Kill it; the pipe closes after the last of its children has ended."""
        self.process.kill()
        self.process.wait()
        self.listener.join(timeout=15)

    def hears(self, pattern: str, within_s: float) -> re.Match[str]:
        """Wait for a line that matches ``pattern``, and return the match."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                self.printed.append(self.lines.get(timeout=max(0.0, deadline - time.monotonic())))
            except Empty:
                pytest.fail(f"never said {pattern!r}, but: {self.printed}")
            if found := re.fullmatch(pattern, self.printed[-1]):
                return found


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.storage
def test_bin_run_restarts_killed_processes_and_leaves_none(tmp_path: Path) -> None:
    running = Running(tmp_path)
    try:
        running.hears(rf"ready http://127\.0\.0\.1:{running.port}", within_s=180)
        family = processes_of(tmp_path)
        platform = {"web", "worker-default", "worker-encode", "ingest", "beat"}
        assert set(family) == {"valkey", "seaweedfs", *platform}

        os.kill(family["web"], signal.SIGKILL)
        running.hears(r"web ended \(terminated by SIGKILL\); restarting it\. Log: .*", within_s=10)
        again = running.hears(r"web restarted \(pid (\d+)\)\.", within_s=10)
        assert int(again[1]) != family["web"]
        assert is_alive(int(again[1]))
        wait_for_answer(f"http://127.0.0.1:{running.port}/healthz", within_s=60)

        everybody = descendants(running.process.pid)
        running.process.terminate()
        assert running.process.wait(timeout=60) == 0
        assert survivors(everybody) == []
    finally:
        running.kill()


@pytest.mark.slow
@pytest.mark.parametrize("supervisor_too", [False, True])
def test_killed_bin_run_leaves_no_process(tmp_path: Path, supervisor_too: bool) -> None:
    running = Running(tmp_path)
    running.hears(r" *\d+ s  Database and storage.*", within_s=60)
    everybody = descendants(running.process.pid)
    assert everybody
    if supervisor_too:
        running.process.send_signal(signal.SIGSTOP)
        os.kill(int((tmp_path / "supervisord.pid").read_text()), signal.SIGKILL)
    running.kill()
    deadline = time.monotonic() + 60
    while any(map(is_alive, everybody)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert survivors(everybody) == []


def test_child_of_a_dead_parent_does_not_start(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    command = lineage.dying_with_us(("touch", str(begun)))
    # The shell in between is the parent, not this process.
    assert subprocess.run(("sh", "-c", '"$@"; exit', "sh", *command), check=False).returncode == 1
    assert not begun.exists()
    subprocess.run(command, check=True)
    assert begun.exists()


@pytest.mark.parametrize("is_alive", [False, True])
def test_child_of_a_dead_supervisor_does_not_start(tmp_path: Path, is_alive: bool) -> None:
    begun = tmp_path / "begun"
    child = shlex.join(lineage.dying_with_supervisor(("touch", str(begun)), by="KILL"))
    # The shell in between is the parent that the child finds in place of a dead supervisor.
    program = child if is_alive else f"sh -c {shlex.quote(child + '; true')}"
    supervisor = lineage.supervisor_dying_with_us(("sh", "-c", f"{program}; true"))
    subprocess.run(supervisor, check=True)
    assert begun.exists() is is_alive


def processes_of(data_dir: Path) -> dict[str, int]:
    """Return the supervised processes by name, with the last pid of each in the supervisor's log."""
    log = (data_dir / "logs" / "supervisord.log").read_text()
    return {name: int(pid) for name, pid in supervision.SPAWNED.findall(log)}


def descendants(pid: int) -> list[int]:
    """Return every process below ``pid``; one that ends meanwhile has no children."""
    below: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in list(Path(f"/proc/{pid}/task").iterdir()):
            below += [process for child in children(task) for process in (child, *descendants(child))]
    return below


def children(task: Path) -> list[int]:
    try:
        return [int(pid) for pid in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def survivors(pids: list[int]) -> list[str]:
    """Return the command of each process that still runs."""
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_answer(url: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                assert response.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline, f"{url} never answered"
            time.sleep(0.2)
