"""Checks of ports and sockets, with an error message for a taken port."""

import errno
import json
import random
import socket
from pathlib import Path

from videoplatform.embedded.environment import write_private
from videoplatform.embedded.failure import CannotStart

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection occupies a
# port kept from the last start.
INTERNAL_RANGE = range(20_000, 32_000)


def demand_free(host: str, port: int, setting: str) -> None:
    """Raise CannotStart, naming port and setting, if a server cannot listen on ``port``."""
    try:
        probe(host, port)
    except socket.gaierror as error:
        raise CannotStart(f"HOST is {host!r}, which is not an address of this host.") from error
    except PermissionError as error:
        raise CannotStart(f"Port {port} requires root: set {setting} to a port above 1023.") from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise CannotStart(f"HOST is {host!r}, which is not an address of this host.") from error
        raise CannotStart(
            f"Port {port} on {host} is in use ({error.strerror}): stop the program that uses it, "
            f"or set {setting} to a free port."
        ) from error


def probe(host: str, port: int) -> None:
    """Bind a port as a server would, and release it. Raises OSError on failure."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as listener:
        # A connection of the last run may still be in TIME_WAIT; servers ignore that.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    try:
        probe(host, port)
    except OSError:
        return False
    return True


def accepts(path: Path) -> bool:
    """Return whether a server accepts connections at the Unix socket ``path``.

    The file exists before the server listens, which may take a while on a busy machine.
    """
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def kept(path: Path, names: tuple[str, ...]) -> dict[str, int]:
    """Return a loopback port for each name, the same as last time if it is still free.

    SeaweedFS stores its own addresses, so they should not change without need.
    """
    known: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    ports: dict[str, int] = {}
    for name in names:
        port = known.get(name)
        while port is None or port in ports.values() or not is_free(port):
            port = random.choice(INTERNAL_RANGE)  # noqa: S311  (not a secret)
        ports[name] = port
    write_private(path, json.dumps(ports, indent=1) + "\n")
    return ports
