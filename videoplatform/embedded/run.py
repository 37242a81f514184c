"""``bin/run``: prepare the clone, start all processes, print ``ready``, and keep them running."""

import fcntl
import http.client
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from common.descriptors import raise_descriptor_limit
from videoplatform.embedded import lineage, preparation, servers
from videoplatform.embedded.configuration import (
    WILDCARD,
    Configuration,
    configure,
    demand_ports,
    faces_network,
    write_environment,
)
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.processes import platform, services
from videoplatform.embedded.progress import Progress
from videoplatform.embedded.supervision import Supervisor

REMINDER_S = 15.0
BECOME_ADMINISTRATOR = (
    "There is no administrator yet: sign up at {url}/accounts/signup/, then run "
    "`.venv/bin/python manage.py grant YOUR-NAME administrator`."
)


def report(sentence: str) -> None:
    print(sentence, flush=True)


def main(base_dir: Path) -> int:
    """Run the platform until a signal stops it; return 1 if it could not start."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ExitStack() as cleanup:
            progress = Progress()
            cleanup.callback(progress.close)
            configuration = configure(base_dir)
            cleanup.enter_context(only_one(configuration.data_dir, progress.report))
            demand_ports(configuration)
            run(configuration, cleanup, progress)
    except CannotStart as failure:
        print(failure, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        report("stopped")
    return 0


def run(configuration: Configuration, cleanup: ExitStack, progress: Progress) -> None:
    """Start everything in order, and register each step's clean-up, which runs in reverse order."""
    lineage.adopt_orphans()
    descriptors = raise_descriptor_limit()
    write_environment(configuration)
    runtime_dir = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="zoetrope-")))
    supervisor = Supervisor(
        {"services": services(configuration), "platform": platform(configuration)},
        runtime_dir=runtime_dir,
        data_dir=configuration.data_dir,
        environment=configuration.environment | {"PYTHONUNBUFFERED": "1"},
        report=progress.report,
    )
    cleanup.callback(servers.remove_sockets, configuration)
    cleanup.callback(lineage.end_orphans)
    supervisor.launch(configuration.base_dir)
    cleanup.callback(supervisor.stop)
    cleanup.callback(ignore_signals)
    progress.report(f"Limit of open files and connections per process: {descriptors:,}.")
    supervisor.start("services")
    if not configuration.embeds_redis:
        preparation.demand_redis(configuration)
    preparation.prepare(configuration, progress)
    supervisor.start("platform")
    wait_until_ready(configuration, supervisor, progress)
    progress.report(f"ready {configuration.url}")
    if lacks_administrator(configuration):
        progress.report(BECOME_ADMINISTRATOR.format(url=configuration.url))
    watch(configuration, supervisor, progress.report)


def ignore_signals() -> None:
    """Ignore further signals, so that a second Ctrl-C does not interrupt the clean-up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def only_one(data_dir: Path, report: Callable[[str], None] = report) -> IO[str]:
    """Hold the lock of this ``DATA_DIR``: two platforms in one folder would break both.

    After a ``kill -9``, the processes of the last run need some seconds to end, longer on a
    busy machine. ``report`` gets a sentence every ``REMINDER_S``. Raises CannotStart if
    another run holds the lock.
    """
    lock = (data_dir / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CannotStart(
            f"bin/run is already running in {data_dir}: stop it, or set DATA_DIR to another folder."
        ) from error
    reminder = time.monotonic() + REMINDER_S
    while last_supervisor_lives(data_dir):
        if time.monotonic() > reminder:
            report("Still waiting: processes of the previous run are still running.")
            reminder = time.monotonic() + REMINDER_S
        time.sleep(0.1)
    return lock


def last_supervisor_lives(data_dir: Path) -> bool:
    pid_file = data_dir / "supervisord.pid"
    if not pid_file.exists():
        return False
    command = Path("/proc") / pid_file.read_text().strip() / "cmdline"
    return command.exists() and str(data_dir).encode() in command.read_bytes()


def wait_until_ready(configuration: Configuration, supervisor: Supervisor, progress: Progress) -> None:
    """Poll ``/readyz`` until it answers 200; report the missing parts every ``REMINDER_S``."""
    share, reminder = "", time.monotonic() + REMINDER_S
    with progress.step("Web, workers and ingest", lambda: share):
        while (readiness := ask_readiness(configuration)).missing:
            keep(supervisor)
            share = readiness.share
            if time.monotonic() > reminder:
                progress.report(f"Still waiting: {readiness.missing}")
                reminder = time.monotonic() + REMINDER_S
            time.sleep(0.15)


@dataclass(frozen=True, slots=True)
class Readiness:
    """The failed checks of ``/readyz`` as a sentence, and the share of passed checks ("3/5")."""

    missing: str = ""
    share: str = ""


def ask_readiness(configuration: Configuration) -> Readiness:
    host = "127.0.0.1" if configuration.host in WILDCARD else configuration.host
    asked = http.client.HTTPConnection(host, configuration.port, timeout=10)
    try:
        asked.request("GET", "/readyz", headers={"Host": known_host(configuration)})
        response = asked.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return Readiness(f"the web process does not answer yet (log: {configuration.log_dir}/web.log)")
    finally:
        asked.close()
    return Readiness() if response.status == 200 else explain(response.status, body)


def explain(status: int, body: bytes) -> Readiness:
    try:
        checks: list[dict[str, Any]] = list(json.loads(body)["checks"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return Readiness(f"/readyz answers {status}")
    missing = [str(check["detail"]) for check in checks if not check["ok"]]
    return Readiness(
        " ".join(missing) or f"/readyz answers {status}", f"{len(checks) - len(missing)}/{len(checks)}"
    )


def known_host(configuration: Configuration) -> str:
    """Return a name from ``ALLOWED_HOSTS``, which may not contain the address of the request."""
    first = configuration.environment["ALLOWED_HOSTS"].split(",")[0].strip().lstrip(".")
    return "localhost" if first in {"", "*"} else first


def keep(supervisor: Supervisor, waited_for: Collection[int] = ()) -> None:
    """Do the periodic work: check the supervisor, start processes it gave up on, reap orphans."""
    if not supervisor.is_alive:
        raise CannotStart(f"The supervisor exited: see {supervisor.log_dir}/supervisord.log.")
    supervisor.start_given_up()
    lineage.bury_orphans(except_for={supervisor.child.pid, *waited_for})


def demo_mark(configuration: Configuration) -> Path:
    """Return the file that records that demo content was made, so that deleted content stays deleted."""
    return configuration.data_dir / "demo-created"


def wants_demo(configuration: Configuration) -> bool:
    return configuration.wants_demo and not demo_mark(configuration).exists()


def lacks_administrator(configuration: Configuration) -> bool:
    """Return whether nobody administrates the site, and no demo content will add an administrator."""
    demo_makes_one = wants_demo(configuration) and not faces_network(configuration.environment)
    return not demo_makes_one and not preparation.has_administrator(configuration)


def watch(configuration: Configuration, supervisor: Supervisor, report: Callable[[str], None]) -> None:
    """Supervise until a signal arrives. Meanwhile run the tasks that could wait, one after the other."""
    later = [task for task in (demo_task(configuration, report), compress_task(configuration)) if task]
    child: subprocess.Popen[bytes] | None = None
    while True:
        keep(supervisor, {child.pid} if child else ())
        if child and child.poll() is not None:
            later.pop(0).end(child.returncode)
            child = None
        if later and child is None:
            child = begin(configuration, later[0])
        time.sleep(0.5)


@dataclass(frozen=True, slots=True)
class LaterTask:
    """A command that runs after ``ready``. ``end`` takes its exit code."""

    command: tuple[str, ...]
    end: Callable[[int], None]
    log: Path | None = None


def begin(configuration: Configuration, task: LaterTask) -> subprocess.Popen[bytes]:
    with ExitStack() as files:
        output = files.enter_context(task.log.open("w")) if task.log else None
        return subprocess.Popen(
            lineage.dying_with_us(task.command),
            cwd=configuration.base_dir, env=configuration.environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT if output else None,
        )  # fmt: skip


def demo_task(configuration: Configuration, report: Callable[[str], None]) -> LaterTask | None:
    """Return the task that fills the site with ``create_demo`` on the first start, or None."""
    if not wants_demo(configuration):
        return None
    report("Creating demo content in the background.")

    def end(code: int) -> None:
        if code == 0:
            demo_mark(configuration).touch()
            report("Demo content created. Its videos are playable while they are still being encoded.")
        else:
            report("Demo content is incomplete: run `manage.py create_demo` to retry.")

    return LaterTask((sys.executable, "manage.py", "create_demo"), end)


def compress_task(configuration: Configuration) -> LaterTask | None:
    """Return the task that compresses newly collected assets (see ``django_steps.compress``), or None."""
    static = configuration.data_dir / "static"
    if preparation.is_compressed(static):
        return None

    def end(code: int) -> None:
        if code == 0:
            preparation.mark_compressed(static)

    command = preparation.django_steps("compress")
    return LaterTask(command, end, configuration.log_dir / "compress.log")
