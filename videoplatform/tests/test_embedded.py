"""bin/run: its sentences, its files, and, for real, that it keeps its word."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest
from django.conf import settings

from videoplatform.embedded import configuration, environment, lineage, ports, servers, supervision
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.processes import Process

# --- Environment --------------------------------------------------------------


def test_variables_survive_their_file(tmp_path: Path) -> None:
    values = {"A": "plain", "B": "with \"quotes\", 'others', \\n and spaces", "C": "redis://:p#1@h/0"}
    environment.write(tmp_path / "environment", values)
    assert environment.read(tmp_path / "environment") == values


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    environment.write(tmp_path / "environment", {"A": "1"})
    assert (tmp_path / "environment").stat().st_mode & 0o777 == 0o600


def test_what_is_set_wins_then_dotenv_then_what_bin_run_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ENV_FILE", "DATA_DIR", "B", "C", "D"):
        monkeypatch.setenv(name, "")  # restored afterwards; empty counts as not set
    monkeypatch.setenv("A", "set")
    (tmp_path / "state").mkdir()
    (tmp_path / ".env").write_text("DATA_DIR=state\nA=dotenv\nB=dotenv\n")
    environment.write(tmp_path / "state" / "environment", {"A": "left", "B": "left", "C": "left"})
    environment.load(tmp_path)
    assert [os.environ[name] for name in "ABC"] == ["set", "dotenv", "left"]
    assert os.environ["DATA_DIR"] == str(tmp_path / "state")


# --- Ports ----------------------------------------------------------------------


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_its_setting(taken_port: int) -> None:
    with pytest.raises(CannotStart) as failure:
        ports.demand_free("127.0.0.1", taken_port, "S3_PORT")
    assert str(failure.value) == (
        f"Port {taken_port} on 127.0.0.1 is taken (Address already in use): stop what listens there, "
        "or set S3_PORT to a free one."
    )


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(CannotStart, match=r"^HOST is '192\.0\.2\.77', which is not an address of this"):
        ports.demand_free("192.0.2.77", free_port(), "PORT")


def test_a_free_port_is_nobodys_trouble(taken_port: int) -> None:
    ports.demand_free("127.0.0.1", free_port(), "PORT")


def test_internal_ports_stay_the_same_while_they_are_free(tmp_path: Path) -> None:
    first = ports.kept(tmp_path / "ports.json", ("master", "volume"))
    assert ports.kept(tmp_path / "ports.json", ("master", "volume")) == first
    with socket.create_server(("127.0.0.1", first["master"])):
        later = ports.kept(tmp_path / "ports.json", ("master", "volume"))
    assert (later["volume"], later["master"] != first["master"]) == (first["volume"], True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"PORT": "eighty"}, "PORT is 'eighty', which is not a port: choose one from 1 to 65535."),
        ({"PORT": "70000"}, "PORT is '70000', which is not a port: choose one from 1 to 65535."),
        (
            {"PORT": "8333", "S3_PORT": "8333"},
            "PORT and S3_PORT are both 8333: set one to another port.",
        ),
    ],
)
def test_ports_that_cannot_be_are_named(
    values: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in configuration.PORTS:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CannotStart) as failure:
        configuration.port_numbers()
    assert str(failure.value) == sentence


# --- Configuration --------------------------------------------------------------


def test_secrets_are_made_once_and_are_their_owners(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = configuration.secrets_of(path, with_s3=True)
    assert configuration.secrets_of(path, with_s3=True) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(first) == {"SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_our_credentials_never_stand_in_for_those_of_a_configured_s3(tmp_path: Path) -> None:
    assert set(configuration.secrets_of(tmp_path / "secrets.json", with_s3=False)) == {"SECRET_KEY"}


def test_a_data_dir_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart) as failure:
        configuration.make_data_dir(tmp_path / "file" / "data")
    assert str(failure.value) == (
        f"DATA_DIR {tmp_path}/file/data cannot be written (Not a directory): "
        "set DATA_DIR to a folder that can."
    )


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "LEAST_FREE_BYTES", 1024**6)
    with pytest.raises(CannotStart, match=r"^The disk under DATA_DIR .* has \d+ MiB left"):
        configuration.make_data_dir(tmp_path)


def test_only_the_loopbacks_names_are_allowed_on_the_loopback() -> None:
    assert configuration.allowed_hosts("127.0.0.1") == ["localhost", "127.0.0.1", "[::1]"]
    assert configuration.allowed_hosts("192.0.2.7") == ["localhost", "127.0.0.1", "[::1]", "192.0.2.7"]


# --- What is written for the servers ----------------------------------------------


def test_valkey_is_bounded_and_on_the_loopback() -> None:
    assert servers.valkey_config(6379, Path("/data/valkey")) == (
        "bind 127.0.0.1\n"
        "protected-mode yes\n"
        "port 6379\n"
        'dir "/data/valkey"\n'
        "appendonly yes\n"
        "appendfsync everysec\n"
        'save ""\n'
        "maxmemory 536870912\n"
        "maxmemory-policy noeviction\n"
        "client-output-buffer-limit pubsub 32mb 8mb 60\n"
    )


def test_supervisors_configuration_is_written_whole() -> None:
    groups = {
        "services": [Process("valkey", ("/bin/valkey", "/a b/valkey.conf"))],
        "platform": [Process("worker", ("celery", "-n", "w@%h"), {"REMAP_SIGTERM": "SIGQUIT"}, 4)],
    }
    assert supervision.render(
        groups, socket=Path("/run/s.sock"), pid_file=Path("/data/s.pid"), log_dir=Path("/data/logs")
    ) == (
        "[supervisord]\n"
        "nodaemon = true\n"
        "logfile = /data/logs/supervisord.log\n"
        "logfile_maxbytes = 5MB\n"
        "logfile_backups = 2\n"
        "pidfile = /data/s.pid\n"
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
        "command = setpriv --pdeathsig TERM -- /bin/valkey '/a b/valkey.conf'\n"
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
        "command = setpriv --pdeathsig TERM -- celery -n w@%%h\n"
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


# --- For real ---------------------------------------------------------------------


class Running:
    """``bin/run``'s Python part with everything of its own, and what it said."""

    def __init__(self, data_dir: Path) -> None:
        own = {name: str(free_port()) for name in configuration.PORTS}
        keep = {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}
        variables = {name: value for name, value in os.environ.items() if name in keep}
        self.port = own["PORT"]
        self.said: list[str] = []
        self.lines: Queue[str] = Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "videoplatform.embedded", "run"],
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
        """End it without a word; the pipe ends with the last of its children."""
        self.process.kill()
        self.process.wait()
        self.listener.join(timeout=15)

    def hears(self, pattern: str, within_s: float) -> re.Match[str]:
        """Wait for a line that matches."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                self.said.append(self.lines.get(timeout=max(0.0, deadline - time.monotonic())))
            except Empty:
                pytest.fail(f"never said {pattern!r}, but: {self.said}")
            if found := re.fullmatch(pattern, self.said[-1]):
                return found


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.storage
def test_it_starts_restarts_what_dies_and_leaves_no_process(tmp_path: Path) -> None:
    running = Running(tmp_path)
    try:
        running.hears(rf"ready http://127\.0\.0\.1:{running.port}", within_s=180)
        family = processes_of(tmp_path)
        platform = {"web", "worker-default", "worker-encode", "ingest", "beat"}
        assert set(family) == {"valkey", "seaweedfs", *platform}

        os.kill(family["web"], signal.SIGKILL)
        running.hears(r"web ended \(terminated by SIGKILL\); starting it again\. Its log: .*", within_s=10)
        again = running.hears(r"web runs again \(pid (\d+)\)\.", within_s=10)
        assert int(again[1]) != family["web"]
        assert is_alive(int(again[1]))
        wait_for_answer(f"http://127.0.0.1:{running.port}/healthz", within_s=60)

        everybody = descendants(running.process.pid)
        stopped_at = time.monotonic()
        running.process.terminate()
        assert running.process.wait(timeout=15) == 0
        assert time.monotonic() - stopped_at < 10
        assert survivors(everybody) == []
    finally:
        running.kill()


@pytest.mark.slow
@pytest.mark.parametrize("supervisor_too", [False, True])
def test_a_killed_bin_run_takes_everything_with_it(tmp_path: Path, supervisor_too: bool) -> None:
    running = Running(tmp_path)
    running.hears(r"Building assets|Database, assets and storage are prepared", within_s=60)
    everybody = descendants(running.process.pid)
    assert everybody
    if supervisor_too:
        running.process.send_signal(signal.SIGSTOP)
        os.kill(int((tmp_path / "supervisord.pid").read_text()), signal.SIGKILL)
    running.kill()
    deadline = time.monotonic() + 15
    while any(map(is_alive, everybody)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert survivors(everybody) == []


def test_a_child_whose_parent_died_meanwhile_does_not_begin(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    command = lineage.dying_with_us(("touch", str(begun)))
    # The shell between us and it is the parent it has instead.
    assert subprocess.run(("sh", "-c", '"$@"; exit', "sh", *command), check=False).returncode == 1
    assert not begun.exists()
    subprocess.run(command, check=True)
    assert begun.exists()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def processes_of(data_dir: Path) -> dict[str, int]:
    """The supervised processes by name, as the supervisor's log last spawned them."""
    log = (data_dir / "logs" / "supervisord.log").read_text()
    return {name: int(pid) for name, pid in supervision.SPAWNED.findall(log)}


def descendants(pid: int) -> list[int]:
    """Every process below ``pid``; what ends while it is looked at has nothing below it."""
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
    """The command of each that still runs."""
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
