"""The table of what runs.  A new kind of process is one more entry here."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from videoplatform.embedded import servers
from videoplatform.embedded.configuration import Configuration

# Celery ends at once on TERM: SQL holds the queue and a lease runs out by itself,
# so waiting minutes for a running encode would gain nothing.
CELERY_ENVIRONMENT = {"REMAP_SIGTERM": "SIGQUIT"}

# First chunks, sound and small tasks.  Long jobs may hold two of a host's slots
# (videos.queue), so a third is always there for a short clip.
DEFAULT_SLOTS = 3


@dataclass(frozen=True, slots=True)
class Process:
    """One supervised process: ``stop_wait_s`` after TERM its whole group gets KILL.

    ``death_signal`` is what it gets when the supervisor was killed and nobody waits.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    stop_wait_s: int = 3
    death_signal: str = "TERM"


def services(configuration: Configuration) -> tuple[Process, ...]:
    """The servers that others bring themselves; they start first and stop last."""
    table = []
    if configuration.embeds_redis:
        config = servers.write_valkey_config(configuration)
        table.append(Process("valkey", servers.valkey_command(config)))
    if configuration.embeds_s3:
        config = servers.write_seaweedfs_config(configuration)
        # SeaweedFS takes 16 seconds over a polite end; what it has answered is on
        # disk before that (tried: 20 objects of 20 survive KILL).  Its ports must be
        # free for the next start.
        weed = servers.seaweedfs_command(configuration, config)
        table.append(
            Process("seaweedfs", weed, servers.SEAWEEDFS_ENVIRONMENT, stop_wait_s=2, death_signal="KILL")
        )
    if configuration.relays_s3:
        table.append(Process("s3-relay", servers.relay_command(configuration)))
    return tuple(table)


def platform(configuration: Configuration) -> tuple[Process, ...]:
    """Our own processes."""
    return (
        Process("web", web_command(configuration), stop_wait_s=4),
        Process("worker-default", worker_command("default", slots=DEFAULT_SLOTS), CELERY_ENVIRONMENT),
        Process("worker-encode", worker_command("encode", slots=encode_slots()), CELERY_ENVIRONMENT),
        # Publishers are told and their last seconds stored before it ends.
        Process("ingest", ingest_command(), stop_wait_s=6),
        Process("beat", beat_command(configuration.data_dir / "celerybeat-schedule")),
    )


def web_command(configuration: Configuration) -> tuple[str, ...]:
    return (
        *python_module("uvicorn"),
        "videoplatform.asgi:application",
        "--host", configuration.host,
        "--port", str(configuration.port),
        "--workers", "1",
        "--lifespan", "off",
        # Compressing chat frames for each socket takes a process from 148 thousand
        # deliveries a second to 40.
        "--ws-per-message-deflate", "false",
        "--proxy-headers",
        # Sockets' tickets travel in the query and have no place in a log.
        "--no-access-log",
        # Chat frames are at most 4 KB; whatever is longer is nobody's message.
        "--ws-max-size", "65536",
        "--ws-ping-interval", "25",
        "--log-level", "warning",
        "--timeout-graceful-shutdown", "2",
    )  # fmt: skip


def ingest_command() -> tuple[str, ...]:
    return (sys.executable, "manage.py", "ingest")


def worker_command(queue: str, *, slots: int) -> tuple[str, ...]:
    """A Celery worker of one queue; its name is unique, so that ``celery inspect`` tells them apart."""
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
    """Encodes at a time: FFmpeg itself uses every core, so half of them are enough to keep all busy."""
    return max(1, (os.cpu_count() or 1) // 2)


def beat_command(schedule: Path) -> tuple[str, ...]:
    return (
        *python_module("celery"),
        "-A", "videoplatform",
        "beat",
        "--schedule", str(schedule),
        # Supervised, so a pid file could only be stale.
        "--pidfile", "",
        "--loglevel", "warning",
    )  # fmt: skip


def python_module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)
