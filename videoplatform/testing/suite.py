"""``bin/test``: start real services, run the tests, and in parallel the checks of ``bin/check``.

Every test runs on SQLite. Tests that use SQL run on PostgreSQL as well, except those that are
slow and independent of its kind: with a browser, with FFmpeg, or marked ``any_database``.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from videoplatform.embedded import install, lineage, ports, preparation, servers
from videoplatform.embedded.configuration import SEAWEEDFS_PORTS, Configuration, configure
from videoplatform.embedded.digests import digest
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.processes import services
from videoplatform.embedded.progress import Progress
from videoplatform.embedded.run import ignore_signals, only_one, report
from videoplatform.embedded.supervision import Supervisor
from videoplatform.testing import browser, checks, gstreamer, postgres

# The developer's configuration of the site must not affect the tests, except a PostgreSQL:
# tests create their own databases on it.
IGNORED = (
    "REDIS_URL", "CACHE_URL", "CHANNEL_LAYER_URL", "BROKER_URL", "S3_ENDPOINT_URL", "S3_PUBLIC_URL",
    "S3_SIGNED_URL", "S3_ADDRESSING_STYLE", "S3_DATA_DIR", "S3_BUCKET", "AWS_REGION", "AWS_SESSION_TOKEN",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "SECRET_KEY", "ALLOWED_HOSTS",
    "HOST", "DEBUG", "HTTPS", "EMAIL_URL",
)  # fmt: skip


Step = tuple[tuple[str, ...], Configuration]
POSTGRES, QUICK = "--postgres", "--quick"  # our own arguments
ONLY_SQL = "--only-sql"  # an option of conftest.py
BY_FILE = ("--dist", "loadfile", "--no-loadscope-reorder")
SIDE_BY_SIDE = ("-n", "2", *BY_FILE)
# Journeys, broadcasts and held requests mostly wait, so a third worker keeps two cores
# busy.
WITH_WAITING = ("-n", "3", *BY_FILE)
QUICK_TESTS = ("-m", "not browser and not ffmpeg and not slow")
TEMPLATE = "test-template-{}.sqlite3"
# A machine that is busy may need long before a server of ours answers.
PATIENCE_S = 120.0
SCRIPT_TEST_LIMIT_S = 120
SPEECH_REQUIREMENTS = "requirements-speech.txt"


def main(base_dir: Path, arguments: list[str]) -> int:
    """Run the tests that ``arguments`` select, and return the highest exit code.

    Without arguments, run every check and test. ``--quick`` leaves out browsers, FFmpeg and
    slow tests. Other arguments go to pytest; ``--postgres`` runs them on PostgreSQL.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as cleanup:
            return run(base_dir, arguments, cleanup)
    except CannotStart as failure:
        print(failure, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return 130


def run(base_dir: Path, arguments: list[str], cleanup: ExitStack) -> int:
    """Start the needed services, prepare, and run every step."""
    is_whole = not arguments
    given_url = postgres_url()
    configuration = configure_tests(base_dir, cleanup)
    server = postgres.PostgresServer(given_url)
    if (is_whole or POSTGRES in arguments) and not given_url:
        server = postgres.make_server(configuration.data_dir)
    start_services(configuration, cleanup, server)
    # The preparation mostly waits for the network and the disk, and the checks need the
    # processor.
    checked = checks.beside_us(base_dir, configuration.log_dir / "check.log") if is_whole else no_checks
    complaints = prepare(configuration, server, installs=is_whole)
    wait_for_redis(configuration)
    tested = test_scripts(configuration) if is_whole or QUICK in arguments else no_checks
    *first, last = steps(arguments, configuration, server)
    codes = [step(*one) for one in first]
    codes += [checked(), step(*last), tested()]
    for complaint in complaints:
        print(complaint, file=sys.stderr, flush=True)
    return max(*codes, int(bool(complaints)))


def no_checks() -> int:
    return 0


def postgres_url() -> str:
    """Return ``DATABASE_URL`` if it names a PostgreSQL, else an empty string."""
    url = os.environ.get("DATABASE_URL", "")
    return url if url.startswith(("postgres:", "postgresql:")) else ""


def configure_tests(base_dir: Path, cleanup: ExitStack) -> Configuration:
    """Return a configuration with its own ports and ``DATA_DIR``; built assets stay for the next run."""
    for name in IGNORED:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    data_dir = free_data_dir(base_dir, cleanup)
    os.environ |= {"ENV_FILE": os.devnull, "DATA_DIR": str(data_dir), "TEST_SERVICES": "1"}
    for leftover in ("valkey", "seaweedfs", "spool", "work"):
        shutil.rmtree(data_dir / leftover, ignore_errors=True)
    names = ("PORT", "RTMP_PORT", "S3_PORT", "REDIS_PORT")
    chosen = ports.kept(data_dir / "ports.json", (*names, *SEAWEEDFS_PORTS))
    os.environ |= {name: str(chosen[name]) for name in names}
    return configure(base_dir)


def free_data_dir(base_dir: Path, cleanup: ExitStack) -> Path:
    """Return the first of ``var/test-1``, ``var/test-2``, … that no other run uses."""
    for number in count(1):
        data_dir = base_dir / "var" / f"test-{number}"
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(CannotStart):
            cleanup.enter_context(only_one(data_dir))
            break
    return data_dir


def start_services(configuration: Configuration, cleanup: ExitStack, server: postgres.PostgresServer) -> None:
    """Run Valkey, SeaweedFS and PostgreSQL under the supervisor, as in production, until the run ends."""
    lineage.adopt_orphans()
    runtime_dir = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="zoetrope-")))
    supervisor = Supervisor(
        {"services": (*services(configuration), *server.processes)},
        runtime_dir=runtime_dir,
        data_dir=configuration.data_dir,
        environment=configuration.environment,
        report=report,
    )
    cleanup.callback(servers.remove_sockets, configuration)
    cleanup.callback(lineage.end_orphans)
    supervisor.launch(configuration.base_dir)
    cleanup.callback(supervisor.stop)
    cleanup.callback(ignore_signals)
    supervisor.start("services")


def prepare(configuration: Configuration, server: postgres.PostgresServer, *, installs: bool) -> list[str]:
    """Prepare the tests; return a sentence for each package that is missing.

    With ``installs``, install a browser and GStreamer if the machine permits it.
    """
    progress = Progress()
    with ThreadPoolExecutor() as beside:
        packages = beside.submit(install_packages, configuration, progress) if installs else None
        tables = beside.submit(make_postgres_template, configuration, server, progress)
        preparation.compile_translations(configuration.base_dir)
        make_template(configuration, progress)
        preparation.install_browser_packages(configuration, progress)
        preparation.build_assets(configuration, progress)
        complaints = packages.result() if packages else []
        tables.result()
    if installs:
        complaints += install_speech(configuration, progress)
    progress.close()
    return complaints


def install_speech(configuration: Configuration, progress: Progress) -> list[str]:
    """Install the model and the voice of the tests of automatic captions; return a sentence on failure."""
    requirements = configuration.base_dir / SPEECH_REQUIREMENTS
    if install.digest(requirements) in install.installed(configuration.base_dir / ".venv"):
        return []
    try:
        with preparation.beside_us(
            (sys.executable, "-m", "embedded.install", SPEECH_REQUIREMENTS),
            progress.step("Speech recognition"),
            cwd=configuration.base_dir,
            log=configuration.log_dir / "speech.log",
            environment=configuration.environment | {"PYTHONPATH": "videoplatform"},
            failure="The packages of the tests of automatic captions could not be installed",
        ):
            pass
    except CannotStart as failure:
        return [str(failure)]
    return []


def install_packages(configuration: Configuration, progress: Progress) -> list[str]:
    """Install a browser and GStreamer; return a sentence for each that is still missing."""
    complaints = []
    with progress.step("Browser and GStreamer"):
        for ensure in (browser.ensure_browser, gstreamer.ensure_gstreamer):
            try:
                ensure(configuration.log_dir / "apt.log", progress.report)
            except CannotStart as failure:
                complaints.append(str(failure))
    return complaints


def make_template(configuration: Configuration, progress: Progress) -> None:
    """Migrate an SQLite database for the workers to copy, unless one of the same source exists."""
    base_dir = configuration.base_dir
    sources = [*sorted(base_dir.glob("*/migrations/*.py")), base_dir / "requirements.txt"]
    template = base_dir / "var" / TEMPLATE.format(digest(sources)[:16])
    configuration.environment["TEST_TEMPLATE"] = str(template)
    if template.exists():
        return
    for outdated in template.parent.glob(TEMPLATE.format("*")):
        outdated.unlink(missing_ok=True)
    unfinished = configuration.data_dir / "template.sqlite3"
    unfinished.unlink(missing_ok=True)
    log = configuration.log_dir / "prepare.log"
    with preparation.beside_us(
        preparation.django_steps("migrate"),
        progress.step("Database", partial(preparation.migrations_applied, log)),
        cwd=base_dir,
        log=log,
        environment=configuration.environment | {"DATABASE_URL": f"sqlite:///{unfinished}"},
        failure="The test database could not be prepared",
    ):
        pass
    unfinished.replace(template)


def make_postgres_template(
    configuration: Configuration, server: postgres.PostgresServer, progress: Progress
) -> None:
    """Wait for the server, and migrate a database for the workers to copy if the server is ours."""
    if not server.url:
        return
    postgres.wait_until_it_answers(server.url)
    if not server.processes:
        return
    url = postgres.create_template(server.url)
    log = configuration.log_dir / "prepare-postgres.log"
    with preparation.beside_us(
        preparation.django_steps("migrate"),
        progress.step("PostgreSQL", partial(preparation.migrations_applied, log)),
        cwd=configuration.base_dir,
        log=log,
        environment=configuration.environment | {"DATABASE_URL": url},
        failure="The test database could not be prepared",
    ):
        pass


def wait_for_redis(configuration: Configuration) -> None:
    """Wait until our Valkey answers. Raises CannotStart after ``PATIENCE_S``."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            preparation.demand_redis(configuration)
        except CannotStart:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def steps(arguments: list[str], configuration: Configuration, server: postgres.PostgresServer) -> list[Step]:
    """Return each command with its configuration. The longest pytest run is the last."""
    if not arguments:
        without_browser = () if browser.find_browser() else ("-m", "not browser")
        return [
            (pytest(*SIDE_BY_SIDE, ONLY_SQL), on_postgres(configuration, server)),
            (pytest(*WITH_WAITING, *without_browser), configuration),
        ]
    if QUICK in arguments:
        chosen = [argument for argument in arguments if argument != QUICK]
        return [(pytest(*WITH_WAITING, *QUICK_TESTS, *chosen), configuration)]
    chosen = [argument for argument in arguments if argument != POSTGRES]
    return [(pytest(*chosen), on_postgres(configuration, server) if server.url else configuration)]


def test_scripts(configuration: Configuration) -> Callable[[], int]:
    """Start the tests of the JavaScript modules beside pytest, on the node from PyPI; see ``in_background``.

    The machine's node may be too old for them. A test that hangs fails after its limit, and a
    file ends with its last test: a timer that is left would keep its process for ever.
    """
    scripts = sorted(str(path) for path in (configuration.base_dir / "static").rglob("*.test.js"))
    limit = f"--test-timeout={SCRIPT_TEST_LIMIT_S * 1000}"
    command = checks.node("--test", "--test-force-exit", "--test-reporter=dot", limit, *scripts)
    finish = checks.in_background(command, configuration.base_dir, configuration.log_dir / "scripts.log")

    def finish_with_heading() -> int:
        report("--- node")
        return finish()

    return finish_with_heading


def on_postgres(configuration: Configuration, server: postgres.PostgresServer) -> Configuration:
    template = postgres.TEMPLATE if server.processes else ""
    environment = configuration.environment | {"DATABASE_URL": server.url, "TEST_TEMPLATE": template}
    return replace(configuration, environment=environment)


def pytest(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pytest", *arguments)


def step(command: tuple[str, ...], configuration: Configuration) -> int:
    """Run one command with our own output. It ends if this process does."""
    is_postgres = configuration.environment["DATABASE_URL"].startswith("postgres")
    report(f"--- {command[2]} on PostgreSQL" if is_postgres else f"--- {command[2]}")
    environment = configuration.environment | {"PYTEST_PLUGINS": "videoplatform.testing.pytest_services"}
    done = subprocess.run(
        lineage.dying_with_us(command), cwd=configuration.base_dir, env=environment, check=False
    )
    return done.returncode if done.returncode >= 0 else 1
