"""A Redis server for one test, which can be stopped, filled and restarted."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from videoplatform.embedded.servers import valkey_command


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Valkey:
    """A Valkey server on a free port, without files on disk."""

    def __init__(self, directory: Path, password: str = "") -> None:
        self.port = free_port()
        secret = f":{password}@" if password else ""
        self.url = f"redis://{secret}127.0.0.1:{self.port}/0"
        self._config = directory / "valkey.conf"
        self._config.write_text(
            f'bind 127.0.0.1\nport {self.port}\nsave ""\nappendonly no\ndir {directory}\n'
            "maxmemory-policy noeviction\n" + (f"requirepass {password}\n" if password else "")
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._process = subprocess.Popen(valkey_command(self._config), stdout=subprocess.DEVNULL)
        patient = Retry(ConstantBackoff(0.05), 600)
        with redis.Redis.from_url(self.url, retry=patient) as client:
            client.ping()

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def fill(self) -> None:
        """Set its memory limit to nothing: it refuses writes and serves reads."""
        self.bound_memory(1)

    def bound_memory(self, most_bytes: int) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.config_set("maxmemory", str(most_bytes))
