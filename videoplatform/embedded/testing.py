"""``bin/test``: the same preparation, real services for the run, then every check."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

from videoplatform.embedded import browser, gstreamer, lineage, ports, preparation, servers
from videoplatform.embedded.configuration import SEAWEEDFS_PORTS, Configuration, configure
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.processes import services
from videoplatform.embedded.run import ignore_signals, only_one, say
from videoplatform.embedded.supervision import Supervisor

# What a developer configured for the site must not reach the tests.  DATABASE_URL
# may: the same tests pass on PostgreSQL, in a database of their own.
IGNORED = (
    "REDIS_URL", "CACHE_URL", "CHANNEL_LAYER_URL", "BROKER_URL", "S3_ENDPOINT_URL", "S3_PUBLIC_URL",
    "S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SECRET_KEY", "ALLOWED_HOSTS", "HOST",
    "DEBUG", "HTTPS", "EMAIL_URL",
)  # fmt: skip


def main(base_dir: Path, arguments: list[str]) -> int:
    """Run pytest with ``arguments``, or every check without any; return the worst exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as cleanup:
            configuration = configure_tests(base_dir, cleanup)
            start_services(configuration, cleanup)
            complaints = prepare(configuration)
            has_browser = "CHROMIUM" in configuration.environment
            checks = [pytest(arguments)] if arguments else every_check(base_dir, has_browser=has_browser)
            worst = max(check(command, configuration) for command in checks)
            for complaint in complaints:
                print(complaint, file=sys.stderr, flush=True)
            return worst or int(bool(complaints))
    except CannotStart as failure:
        print(failure, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return 130


def configure_tests(base_dir: Path, cleanup: ExitStack) -> Configuration:
    """Ports of our own and a ``DATA_DIR`` of our own, whose built assets stay for the next run."""
    for name in IGNORED:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    data_dir = free_data_dir(base_dir, cleanup)
    os.environ |= {"ENV_FILE": os.devnull, "DATA_DIR": str(data_dir), "TEST_SERVICES": "1"}
    for leftover in ("valkey", "seaweedfs"):
        shutil.rmtree(data_dir / leftover, ignore_errors=True)
    names = ("PORT", "RTMP_PORT", "S3_PORT", "REDIS_PORT")
    chosen = ports.kept(data_dir / "ports.json", (*names, *SEAWEEDFS_PORTS))
    os.environ |= {name: str(chosen[name]) for name in names}
    return configure(base_dir)


def free_data_dir(base_dir: Path, cleanup: ExitStack) -> Path:
    """The first of ``var/test-1``, ``var/test-2``, … that no other run works in."""
    for number in count(1):
        data_dir = base_dir / "var" / f"test-{number}"
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(CannotStart):
            cleanup.enter_context(only_one(data_dir))
            break
    return data_dir


def start_services(configuration: Configuration, cleanup: ExitStack) -> None:
    """Valkey and SeaweedFS, supervised as in production, until the run is over."""
    lineage.adopt_orphans()
    runtime_dir = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="zoetrope-")))
    supervisor = Supervisor(
        {"services": services(configuration)},
        runtime_dir=runtime_dir,
        data_dir=configuration.data_dir,
        environment=configuration.environment,
        say=say,
    )
    cleanup.callback(servers.remove_sockets, configuration)
    cleanup.callback(lineage.end_orphans)
    supervisor.launch(configuration.base_dir)
    cleanup.callback(supervisor.stop)
    cleanup.callback(ignore_signals)
    supervisor.start("services")


def prepare(configuration: Configuration) -> list[str]:
    """Prepare as ``bin/run`` does, and find what else tests need; return a sentence for what is missing."""
    preparation.install_browser_packages(configuration.base_dir, configuration.log_dir / "npm.log", say)
    preparation.compile_translations(configuration.base_dir)
    preparation.prepare_data(configuration, say)
    log, complaints = configuration.log_dir / "apt.log", []
    try:
        configuration.environment["CHROMIUM"] = browser.ensure_browser(log, say)
    except CannotStart as failure:
        configuration.environment.pop("CHROMIUM", None)
        complaints.append(str(failure))
    try:
        gstreamer.ensure_gstreamer(log, say)
    except CannotStart as failure:
        complaints.append(str(failure))
    return complaints


def every_check(base_dir: Path, *, has_browser: bool) -> list[tuple[str, ...]]:
    """Each check as a command; pytest last, so that its summary is what one sees."""
    checks = [
        python_tool("ruff", "check", "."),
        python_tool("ruff", "format", "--check", "."),
        python_tool("mypy", "."),
    ]
    templates = [*base_dir.glob("templates/**/*.html"), *base_dir.glob("*/templates/**/*.html")]
    if templates:
        checks.append((str(Path(sys.executable).with_name("djade")), "--check", *map(str, sorted(templates))))
    if scripts := sorted(str(path) for path in (base_dir / "static").rglob("*.test.js")):
        checks.append((preparation.node(), "--test", *scripts))
    without_browser = [] if has_browser else ["-m", "not browser"]
    return [*checks, pytest(["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", *without_browser])]


def pytest(arguments: list[str]) -> tuple[str, ...]:
    return python_tool("pytest", *arguments)


def python_tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def check(command: tuple[str, ...], configuration: Configuration) -> int:
    """Run one check on our own output; it ends when we do."""
    name = Path(command[0]).name if command[1] != "-m" else command[2]
    say(f"--- {name}")
    environment = configuration.environment | {"PYTEST_PLUGINS": "videoplatform.embedded.pytest_services"}
    done = subprocess.run(
        lineage.dying_with_us(command), cwd=configuration.base_dir, env=environment, check=False
    )
    return done.returncode if done.returncode >= 0 else 1
