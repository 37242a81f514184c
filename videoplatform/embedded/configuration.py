"""What is configured, what is ours to start, and the environment that follows from both."""

import json
import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from videoplatform.embedded import environment, ports
from videoplatform.embedded.failure import CannotStart

LOOPBACK = ("127.0.0.1", "localhost")
WILDCARD = ("0.0.0.0", "::")  # noqa: S104  (compared, not bound)
PORTS = {"PORT": 8000, "RTMP_PORT": 1935, "S3_PORT": 8333, "REDIS_PORT": 6379}
SEAWEEDFS_PORTS = (
    "s3_behind_relay", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc",
)  # fmt: skip
# What `manage.py` in another terminal must know to reach the same services.
HANDED_ON = (
    "DATA_DIR", "HOST", "PORT", "RTMP_PORT", "S3_PORT", "ALLOWED_HOSTS", "SECRET_KEY", "DATABASE_URL",
    "REDIS_URL", "CACHE_URL", "CHANNEL_LAYER_URL", "BROKER_URL", "S3_ENDPOINT_URL", "S3_PUBLIC_URL",
    "S3_BUCKET", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "FFMPEG", "FFPROBE",
)  # fmt: skip
LEAST_FREE_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything a start needs to know; ``environment`` goes to every process."""

    base_dir: Path
    data_dir: Path
    host: str
    port: int
    rtmp_port: int
    s3_port: int
    redis_port: int
    embeds_redis: bool
    embeds_s3: bool
    wants_demo: bool
    environment: dict[str, str]
    seaweedfs_ports: dict[str, int]

    @property
    def relays_s3(self) -> bool:
        """Whether S3 is asked for on more than the loopback (see ``relay``)."""
        return self.embeds_s3 and self.host not in LOOPBACK

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def url(self) -> str:
        """The address to open; a wildcard is not one."""
        host = "127.0.0.1" if self.host in WILDCARD else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def configure(base_dir: Path) -> Configuration:
    """Read ``.env`` and the environment, and complete them with our own servers and secrets."""
    environment.load_dotenv(base_dir)
    data_dir = make_data_dir(environment.data_dir(base_dir).resolve())
    host = os.environ.get("HOST") or "127.0.0.1"
    port, rtmp_port, s3_port, redis_port = port_numbers()
    embeds_redis, embeds_s3 = not is_set("REDIS_URL"), not is_set("S3_ENDPOINT_URL")
    values = {
        "DATA_DIR": str(data_dir),
        "HOST": host,
        "PORT": str(port),
        "RTMP_PORT": str(rtmp_port),
        "S3_PORT": str(s3_port),
        "S3_BUCKET": "media",
        "DATABASE_URL": f"sqlite:///{quote(str(data_dir / 'db.sqlite3'))}",
        "ALLOWED_HOSTS": ",".join(allowed_hosts(host)),
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        **secrets_of(data_dir / "secrets.json", with_s3=embeds_s3),
    }
    if embeds_s3:
        values["S3_ENDPOINT_URL"] = f"http://127.0.0.1:{s3_port}"
    else:
        demand_credentials()
    return Configuration(
        base_dir=base_dir,
        data_dir=data_dir,
        host=host,
        port=port,
        rtmp_port=rtmp_port,
        s3_port=s3_port,
        redis_port=redis_port,
        embeds_redis=embeds_redis,
        embeds_s3=embeds_s3,
        wants_demo=os.environ.get("DEMO", "1") not in {"0", "false", "no", "off"},
        environment=os.environ | {name: value for name, value in values.items() if must_set(name)},
        seaweedfs_ports=ports.kept(data_dir / "ports.json", SEAWEEDFS_PORTS) if embeds_s3 else {},
    )


def write_environment(configuration: Configuration) -> None:
    """Leave the environment for ``manage.py`` in another terminal (see ``environment.load``)."""
    both = [*HANDED_ON, *(f"{name}_FILE" for name in HANDED_ON)]
    values = {name: configuration.environment[name] for name in both if configuration.environment.get(name)}
    environment.write(configuration.data_dir / environment.FILE_NAME, values)


def is_set(name: str) -> bool:
    """Whether a person set this variable, or named a file that holds it."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def must_set(name: str) -> bool:
    """Whether our value is wanted; ``DATA_DIR`` always is, because ours is absolute."""
    return name == "DATA_DIR" or not is_set(name)


def port_numbers() -> tuple[int, ...]:
    """The four ports that can be set; two settings may not name one port."""
    chosen: dict[int, str] = {}
    for setting, default in PORTS.items():
        text = os.environ.get(setting) or str(default)
        if not text.isdecimal() or not 0 < int(text) < 65_536:
            raise CannotStart(f"{setting} is {text!r}, which is not a port: choose one from 1 to 65535.")
        if int(text) in chosen:
            raise CannotStart(f"{chosen[int(text)]} and {setting} are both {text}: set one to another port.")
        chosen[int(text)] = setting
    return tuple(chosen)


def make_data_dir(path: Path) -> Path:
    """Make ``DATA_DIR`` and see that it can be written and has room."""
    try:
        # Sessions, password hashes and mail lie here: nobody else's business.
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / "logs").mkdir(exist_ok=True)
        environment.write_private(path / ".writable", "")
        (path / ".writable").unlink()
    except OSError as error:
        raise CannotStart(
            f"DATA_DIR {path} cannot be written ({error.strerror}): set DATA_DIR to a folder that can."
        ) from error
    free = shutil.disk_usage(path).free
    if free < LEAST_FREE_BYTES:
        raise CannotStart(
            f"The disk under DATA_DIR {path} has {free // 1024**2} MiB left, and videos need at least "
            f"{LEAST_FREE_BYTES // 1024**2}: free some, or set DATA_DIR to another disk."
        )
    return path


def secrets_of(path: Path, *, with_s3: bool) -> dict[str, str]:
    """The secrets we made for this ``DATA_DIR``, made on the first start and kept.

    A configured S3 has its own credentials; ours must not stand in for them.
    """
    if not path.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "AWS_ACCESS_KEY_ID": secrets.token_hex(10).upper(),
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
        }
        environment.write_private(path, json.dumps(made, indent=1) + "\n")
    kept: dict[str, str] = json.loads(path.read_text())
    return {name: value for name, value in kept.items() if with_s3 or not name.startswith("AWS_")}


def demand_credentials() -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        if not is_set(name):
            raise CannotStart(f"S3_ENDPOINT_URL is set, so {name} must be set as well.")


def allowed_hosts(host: str) -> list[str]:
    """The names under which this machine may be asked: its own, and its addresses where ``HOST`` is wide."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if host in LOOPBACK:
        return names
    if host not in WILDCARD:
        return [*names, f"[{host}]" if ":" in host else host]
    machine = socket.gethostname().lower()
    return [*names, machine, f"{machine}.local", *own_addresses()]


def own_addresses() -> list[str]:
    """The addresses from which this machine would speak to the outside; nothing is sent."""
    found = []
    # Documentation networks (RFC 5737, RFC 3849): any address beyond the local net will do.
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if probe.connect_ex((elsewhere, 9)) == 0:
                address = probe.getsockname()[0]
                found.append(f"[{address}]" if ":" in address else address)
    return found


def demand_ports(configuration: Configuration) -> None:
    """Raise the sentence for the first port that is taken."""
    ports.demand_free(configuration.host, configuration.port, "PORT")
    ports.demand_free(configuration.host, configuration.rtmp_port, "RTMP_PORT")
    if configuration.embeds_s3:
        host = configuration.host if configuration.relays_s3 else "127.0.0.1"
        ports.demand_free(host, configuration.s3_port, "S3_PORT")
    if configuration.embeds_redis:
        ports.demand_free("127.0.0.1", configuration.redis_port, "REDIS_PORT")
