"""A wrapper of supervisord: it writes the configuration, sends commands and translates the log.

Supervisor restarts an exited process at once. After an early exit (within ``START_S``) it
waits one second longer each time, up to ``RETRIES``, and then gives up. We do not: we ask
it to start over after ``GIVEN_UP_PAUSE_S``.
"""

import re
import shlex
import subprocess
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from common.descriptors import raise_descriptor_limit
from videoplatform.embedded import ports
from videoplatform.embedded.environment import write_private
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.lineage import dying_with_supervisor, supervisor_dying_with_us
from videoplatform.embedded.processes import SupervisedProcess

START_S = 5
LEAST_DESCRIPTORS = 1024
RETRIES = 10
GIVEN_UP_PAUSE_S = 10.0
# For all groups, which stop one after the other. With lineage.ORPHANS_WITHIN_S it stays
# below the ten seconds in which bin/run must end.
STOP_WITHIN_S = 8.5

EXITED = re.compile(r"exited: (?P<name>\S+) \((?P<reason>.+); (?:not )?expected\)")
SPAWNED = re.compile(r"spawned: '(?P<name>\S+)' with pid (?P<pid>\d+)")
GAVE_UP = re.compile(r"gave up: (?P<name>\S+) ")
NO_SPAWN = re.compile(r"spawnerr: (?P<reason>.+)")


def render(
    groups: Mapping[str, Iterable[SupervisedProcess]],
    *,
    socket: Path,
    pid_file: Path,
    log_dir: Path,
    descriptors: int,
) -> str:
    """Return supervisor's configuration. Groups stop one after the other, in reverse order."""
    sections = [
        section(
            "supervisord",
            nodaemon="true",
            logfile=log_dir / "supervisord.log",
            logfile_maxbytes="5MB",
            logfile_backups=2,
            pidfile=pid_file,
            # supervisord refuses to start under a hard limit below this number, and raises
            # a lower soft limit to it.
            minfds=descriptors,
        ),
        section("unix_http_server", file=socket, chmod="0700"),
        section(
            "rpcinterface:supervisor",
            **{"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
    ]
    for priority, (group, processes) in enumerate(groups.items(), start=1):
        table = tuple(processes)
        if table:
            names = ",".join(process.name for process in table)
            sections.append(section(f"group:{group}", programs=names, priority=priority))
        sections.extend(program(process, log_dir) for process in table)
    return "\n".join(sections)


def program(process: SupervisedProcess, log_dir: Path) -> str:
    variables = ",".join(f'{name}="{value}"' for name, value in process.environment.items())
    return section(
        f"program:{process.name}",
        # No process outlives a killed supervisor.
        command=shlex.join(dying_with_supervisor(process.command, by=process.death_signal)),
        environment=variables,
        autostart="false",
        autorestart="true",
        startsecs=START_S,
        startretries=RETRIES,
        stopwaitsecs=process.stop_wait_s,
        # TERM goes to the process only, which stops its children in order; the rest of its
        # group is killed afterwards.
        killasgroup="true",
        # Its files are private to the owner: SeaweedFS opens sockets in /tmp.
        umask="077",
        stdout_logfile=log_dir / f"{process.name}.log",
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups=3,
        redirect_stderr="true",
    )


def section(title: str, **values: object) -> str:
    """Return one section of the file. Supervisor expands ``%`` in every value, so it is doubled."""
    lines = (f"{key} = {str(value).replace('%', '%%')}" for key, value in values.items())
    return "\n".join((f"[{title}]", *lines)) + "\n"


class Supervisor:
    """supervisord as our child process, with methods to start processes, report exits and stop them all."""

    def __init__(
        self,
        groups: dict[str, tuple[SupervisedProcess, ...]],
        *,
        runtime_dir: Path,
        data_dir: Path,
        environment: dict[str, str],
        report: Callable[[str], None],
    ) -> None:
        self.groups = groups
        self.log_dir = data_dir / "logs"
        self.socket = runtime_dir / "supervisor.sock"
        self.config = data_dir / "supervisord.conf"
        self.environment = environment
        self.group_of = {process.name: group for group, table in groups.items() for process in table}
        text = render(
            groups,
            socket=self.socket,
            pid_file=data_dir / "supervisord.pid",
            log_dir=self.log_dir,
            descriptors=min(LEAST_DESCRIPTORS, raise_descriptor_limit()),
        )
        write_private(self.config, text)
        self.report = report
        self.died: set[str] = set()
        self.start_again_at: dict[str, float] = {}

    def launch(self, cwd: Path) -> None:
        """Start supervisord itself. Raises CannotStart if it does not come up."""
        command = (sys.executable, "-m", "supervisor.supervisord", "-c", str(self.config))
        self.child = subprocess.Popen(
            supervisor_dying_with_us(command), cwd=cwd, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self.listen, daemon=True).start()
        while not ports.accepts(self.socket):
            if not self.is_alive:
                raise CannotStart(f"The supervisor did not start: see {self.log_dir}/supervisord.log.")
            time.sleep(0.05)

    @property
    def is_alive(self) -> bool:
        return self.child.poll() is None

    def listen(self) -> None:
        """Translate supervisord's log while it lives. Runs in its own thread."""
        assert self.child.stdout is not None  # noqa: S101  (we asked for a pipe)
        for line in self.child.stdout:
            if sentence := self.retell(line):
                self.report(sentence)

    def start(self, group: str) -> None:
        """Start every process of a group, without waiting for readiness."""
        for process in self.groups[group]:
            self.call("startProcess", f"{group}:{process.name}", False)

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of supervisord over its socket."""
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        with xmlrpc.client.ServerProxy("http://supervisor", transport) as server:
            return getattr(server.supervisor, method)(*arguments)

    def retell(self, line: str) -> str | None:
        """Return a sentence for a line of supervisord's log, or None if the line is of no interest."""
        if found := EXITED.search(line):
            name = found["name"]
            self.died.add(name)
            return f"{name} ended ({found['reason']}); restarting it. Log: {self.log_dir / name}.log"
        if (found := SPAWNED.search(line)) and found["name"] in self.died:
            self.died.discard(found["name"])
            return f"{found['name']} restarted (pid {found['pid']})."
        if found := GAVE_UP.search(line):
            self.start_again_at[found["name"]] = time.monotonic() + GIVEN_UP_PAUSE_S
            return f"{found['name']} keeps exiting; retrying in {GIVEN_UP_PAUSE_S:.0f} seconds."
        if found := NO_SPAWN.search(line):
            return f"A process could not be started: {found['reason']}."
        return None

    def start_given_up(self) -> None:
        """Start the processes that supervisor gave up on, once their pause is over."""
        now = time.monotonic()
        for name in [name for name, due in self.start_again_at.items() if due <= now]:
            del self.start_again_at[name]
            self.call("startProcess", f"{self.group_of[name]}:{name}", False)

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Stop every process and supervisord; kill them after ``within_s``."""
        self.child.terminate()
        try:
            self.child.wait(within_s)
        except subprocess.TimeoutExpired:
            self.report("Killing processes that did not stop in time.")
            self.child.kill()
            self.child.wait()
