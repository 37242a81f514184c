"""The table of processes. To add a kind of process, add an entry here."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from videoplatform.embedded import servers
from videoplatform.embedded.configuration import Configuration

# Celery exits at once on TERM: SQL holds the queue and leases expire, so waiting minutes
# for a running encode would gain nothing.
CELERY_ENVIRONMENT = {"REMAP_SIGTERM": "SIGQUIT"}

# For first chunks, audio tracks and small tasks. Long jobs may take two of a host's slots
# (videos.queue), so a third is always free for a short clip.
DEFAULT_SLOTS = 3


@dataclass(frozen=True, slots=True)
class SupervisedProcess:
    """One supervised process. Its whole group gets KILL ``stop_wait_s`` after TERM.

    ``death_signal`` is sent to it after the supervisor's death, if nobody is left to wait
    for it.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    stop_wait_s: int = 3
    death_signal: str = "TERM"


def services(configuration: Configuration) -> tuple[SupervisedProcess, ...]:
    """Return the embedded servers; they start first and stop last."""
    table = []
    if configuration.embeds_redis:
        config = servers.write_valkey_config(configuration)
        table.append(SupervisedProcess("valkey", servers.valkey_command(config), stop_wait_s=2))
    if configuration.embeds_s3:
        config = servers.write_seaweedfs_config(configuration)
        # SeaweedFS takes 16 seconds to stop on TERM. Acknowledged writes are on disk before
        # that (tested: 20 objects of 20 survive KILL), and its ports must be free for the
        # next start.
        weed = servers.seaweedfs_command(configuration, config)
        table.append(
            SupervisedProcess(
                "seaweedfs", weed, servers.SEAWEEDFS_ENVIRONMENT, stop_wait_s=2, death_signal="KILL"
            )
        )
    if configuration.relays_s3:
        table.append(SupervisedProcess("s3-relay", servers.relay_command(configuration), stop_wait_s=2))
    return tuple(table)


def platform(configuration: Configuration) -> tuple[SupervisedProcess, ...]:
    """Return the processes of the platform itself."""
    return (
        *captions(configuration),
        SupervisedProcess("web", web_command(configuration), stop_wait_s=4),
        SupervisedProcess(
            "worker-default", worker_command("default", slots=DEFAULT_SLOTS), CELERY_ENVIRONMENT
        ),
        SupervisedProcess(
            "worker-encode", worker_command("encode", slots=encode_slots()), CELERY_ENVIRONMENT
        ),
        # On TERM it notifies the publishers and stores their last seconds.
        SupervisedProcess("ingest", ingest_command(), stop_wait_s=6),
        SupervisedProcess("beat", beat_command(configuration.data_dir / "celerybeat-schedule")),
    )


def captions(configuration: Configuration) -> tuple[SupervisedProcess, ...]:
    """Return the worker of automatic captions, where a model is set; it yields to every other process."""
    if not configuration.environment.get("CAPTIONS_MODEL"):
        return ()
    command = ("nice", "-n", "19", *worker_command("captions", slots=1))
    return (SupervisedProcess("worker-captions", command, CELERY_ENVIRONMENT),)


def web_command(configuration: Configuration) -> tuple[str, ...]:
    return (
        *python_module("uvicorn"),
        "videoplatform.asgi:application",
        "--host", configuration.host,
        "--port", str(configuration.port),
        "--workers", "1",
        "--lifespan", "off",
        # Compression of chat frames for each socket reduces a process from 148 thousand
        # deliveries a second to 40.
        "--ws-per-message-deflate", "false",
        # uvicorn trusts X-Forwarded-For from the loopback by default; common.addresses
        # applies TRUSTED_PROXIES instead.
        "--no-proxy-headers",
        # The tickets of sockets are in the query and must not be logged.
        "--no-access-log",
        # Chat frames are at most 4 KB; longer ones are not valid.
        "--ws-max-size", "65536",
        "--ws", "videoplatform.websockets:BoundedWebSocket",
        "--ws-ping-interval", "25",
        "--log-level", "warning",
        "--timeout-graceful-shutdown", "2",
    )  # fmt: skip


def ingest_command() -> tuple[str, ...]:
    return (sys.executable, "manage.py", "ingest")


def worker_command(queue: str, *, slots: int) -> tuple[str, ...]:
    """Return the command of a Celery worker for one queue, with a unique name for ``celery inspect``."""
    return (
        *python_module("celery"),
        "-A", "videoplatform",
        "worker",
        "-Q", queue,
        "-c", str(slots),
        "-n", f"{queue}@%h",
        "--prefetch-multiplier", "1",
        "--without-gossip",
        "--without-mingle",
        "--loglevel", "info",
    )  # fmt: skip


def encode_slots() -> int:
    """Return the number of parallel encodes: half the cores, as FFmpeg itself uses every core."""
    return max(1, (os.cpu_count() or 1) // 2)


def beat_command(schedule: Path) -> tuple[str, ...]:
    return (
        *python_module("celery"),
        "-A", "videoplatform",
        "beat",
        "--schedule", str(schedule),
        # Under a supervisor, a pid file could only be stale.
        "--pidfile", "",
        "--loglevel", "warning",
    )  # fmt: skip


def python_module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)
