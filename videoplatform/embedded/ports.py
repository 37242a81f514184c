"""Which ports are free, and a sentence for the one that is not."""

import errno
import json
import random
import socket
from pathlib import Path

from videoplatform.embedded.environment import write_private
from videoplatform.embedded.failure import CannotStart

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection
# sits on a port that we kept from the last start.
INTERNAL_RANGE = range(20_000, 32_000)


def demand_free(host: str, port: int, setting: str) -> None:
    """Raise the sentence that names port and setting when ``port`` cannot be listened on."""
    try:
        probe(host, port)
    except socket.gaierror as error:
        raise CannotStart(f"HOST is {host!r}, which is not an address of this machine.") from error
    except PermissionError as error:
        raise CannotStart(f"Port {port} needs root: set {setting} to one above 1023.") from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise CannotStart(f"HOST is {host!r}, which is not an address of this machine.") from error
        raise CannotStart(
            f"Port {port} on {host} is taken ({error.strerror}): stop what listens there, "
            f"or set {setting} to a free one."
        ) from error


def probe(host: str, port: int) -> None:
    """Bind a port as a server would and let it go; raise OSError when that fails."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as listener:
        # A connection of the last run may still be in TIME_WAIT; a server ignores it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    try:
        probe(host, port)
    except OSError:
        return False
    return True


def kept(path: Path, names: tuple[str, ...]) -> dict[str, int]:
    """A loopback port for each name, the same as last time where it is still free.

    SeaweedFS remembers its own addresses, so they should not change without need.
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
