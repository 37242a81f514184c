"""``bin/run``: set up whatever is missing, start everything, say ``ready``, and keep it running."""

import fcntl
import http.client
import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from videoplatform.embedded import lineage, preparation, servers
from videoplatform.embedded.configuration import (
    WILDCARD,
    Configuration,
    configure,
    demand_ports,
    write_environment,
)
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.processes import platform, services
from videoplatform.embedded.supervision import Supervisor

LAST_RUN_S = 12.0
REMINDER_S = 15.0


def say(sentence: str) -> None:
    print(sentence, flush=True)


def main(base_dir: Path) -> int:
    """Run the platform until it is told to stop; the exit code is 1 when it could not start."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ExitStack() as cleanup:
            configuration = configure(base_dir)
            cleanup.enter_context(only_one(configuration.data_dir))
            demand_ports(configuration)
            run(configuration, cleanup)
    except CannotStart as failure:
        print(failure, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        say("stopped")
    return 0


def run(configuration: Configuration, cleanup: ExitStack) -> None:
    """Start in order, and stop in the reverse order whatever happens."""
    lineage.adopt_orphans()
    write_environment(configuration)
    runtime_dir = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="zoetrope-")))
    supervisor = Supervisor(
        {"services": services(configuration), "platform": platform(configuration)},
        runtime_dir=runtime_dir,
        data_dir=configuration.data_dir,
        environment=configuration.environment | {"PYTHONUNBUFFERED": "1"},
        say=say,
    )
    cleanup.callback(servers.remove_sockets, configuration)
    cleanup.callback(lineage.end_orphans)
    supervisor.launch(configuration.base_dir)
    cleanup.callback(supervisor.stop)
    cleanup.callback(ignore_signals)
    supervisor.start("services")
    prepare(configuration)
    supervisor.start("platform")
    say("Starting web, workers and beat")
    wait_until_ready(configuration, supervisor)
    say(f"ready {configuration.url}")
    watch(configuration, supervisor, start_demo(configuration))


def ignore_signals() -> None:
    """A second Ctrl-C must not leave half of the processes behind."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def prepare(configuration: Configuration) -> None:
    preparation.install_browser_packages(configuration.base_dir, configuration.log_dir / "npm.log", say)
    preparation.compile_translations(configuration.base_dir)
    if not configuration.embeds_redis:
        preparation.demand_redis(configuration)
    preparation.prepare_data(configuration, say)
    say("Database, assets and storage are prepared")


def only_one(data_dir: Path) -> IO[str]:
    """Hold the lock of this ``DATA_DIR``; two platforms in one folder would break both.

    After a ``kill -9`` the processes of the last run need some seconds to end.
    """
    lock = (data_dir / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CannotStart(
            f"bin/run already works in {data_dir}: stop it, or set DATA_DIR to another folder."
        ) from error
    deadline = time.monotonic() + LAST_RUN_S
    while last_supervisor_lives(data_dir) and time.monotonic() < deadline:
        time.sleep(0.1)
    return lock


def last_supervisor_lives(data_dir: Path) -> bool:
    pid_file = data_dir / "supervisord.pid"
    if not pid_file.exists():
        return False
    command = Path("/proc") / pid_file.read_text().strip() / "cmdline"
    return command.exists() and str(data_dir).encode() in command.read_bytes()


def wait_until_ready(configuration: Configuration, supervisor: Supervisor) -> None:
    """Ask ``/readyz`` until it says 200; from time to time say what is missing."""
    reminder = time.monotonic() + REMINDER_S
    while (missing := not_ready(configuration)) is not None:
        keep(supervisor)
        if time.monotonic() > reminder:
            say(f"Still waiting: {missing}")
            reminder = time.monotonic() + REMINDER_S
        time.sleep(0.15)


def not_ready(configuration: Configuration) -> str | None:
    """What ``/readyz`` misses, or None when it misses nothing."""
    host = "127.0.0.1" if configuration.host in WILDCARD else configuration.host
    asked = http.client.HTTPConnection(host, configuration.port, timeout=10)
    try:
        asked.request("GET", "/readyz", headers={"Host": known_host(configuration)})
        response = asked.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return f"the web process does not answer yet; its log is {configuration.log_dir}/web.log"
    finally:
        asked.close()
    return None if response.status == 200 else explain(response.status, body)


def explain(status: int, body: bytes) -> str:
    try:
        checks: dict[str, Any] = json.loads(body)["checks"]
    except (ValueError, KeyError, TypeError):
        return f"/readyz answers {status}"
    return " ".join(check["detail"] for check in checks.values() if not check["ok"])


def known_host(configuration: Configuration) -> str:
    """A name from ``ALLOWED_HOSTS``, which may not contain the address we ask at."""
    first = configuration.environment["ALLOWED_HOSTS"].split(",")[0].strip().lstrip(".")
    return "localhost" if first in {"", "*"} else first


def keep(supervisor: Supervisor, demo: subprocess.Popen[bytes] | None = None) -> None:
    """What must be done now and then while everything runs."""
    if not supervisor.is_alive:
        raise CannotStart(f"The supervisor has ended; {supervisor.log_dir}/supervisord.log may say why.")
    supervisor.start_given_up()
    lineage.bury_orphans(except_for={supervisor.child.pid, *([demo.pid] if demo else [])})


def start_demo(configuration: Configuration) -> subprocess.Popen[bytes] | None:
    """On the first start, let ``create_demo`` fill the site and print its accounts."""
    exists = any(configuration.base_dir.glob("*/management/commands/create_demo.py"))
    if not configuration.wants_demo or demo_mark(configuration).exists() or not exists:
        return None
    command = lineage.dying_with_us((sys.executable, "manage.py", "create_demo"))
    return subprocess.Popen(command, cwd=configuration.base_dir, env=configuration.environment)


def demo_mark(configuration: Configuration) -> Path:
    """The file that says demo content was made, so that deleting it stays deleted."""
    return configuration.data_dir / "demo-created"


def watch(configuration: Configuration, supervisor: Supervisor, demo: subprocess.Popen[bytes] | None) -> None:
    """Stay until a signal comes."""
    while True:
        keep(supervisor, demo)
        if demo and demo.poll() is not None:
            if demo.returncode == 0:
                demo_mark(configuration).touch()
            else:
                say("The demo content is not complete; `manage.py create_demo` tries again.")
            demo = None
        time.sleep(0.5)
