"""The configuration of a start: the given settings, the servers to start, and the resulting environment."""

import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, urlsplit

import boto3

from videoplatform.embedded import environment, ports
from videoplatform.embedded.failure import CannotStart

LOOPBACK = ("127.0.0.1", "localhost")
WILDCARD = ("0.0.0.0", "::")  # noqa: S104  (compared, not bound)
PORTS = {"PORT": 8000, "RTMP_PORT": 1935, "S3_PORT": 8333, "REDIS_PORT": 6379}
SEAWEEDFS_PORTS = (
    "s3_behind_relay", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc",
)  # fmt: skip
# The variables that `manage.py` in another terminal needs to reach the same services.
HANDED_ON = (
    "DATA_DIR", "HOST", "PORT", "RTMP_PORT", "S3_PORT", "ALLOWED_HOSTS", "SECRET_KEY", "DATABASE_URL",
    "REDIS_URL", "CACHE_URL", "CHANNEL_LAYER_URL", "BROKER_URL", "S3_ENDPOINT_URL", "S3_PUBLIC_URL",
    "S3_SIGNED_URL", "S3_ADDRESSING_STYLE", "S3_DATA_DIR", "S3_BUCKET", "AWS_REGION", "AWS_SESSION_TOKEN",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "FFMPEG", "FFPROBE",
)  # fmt: skip
LEAST_FREE_BYTES = 1024**3
REDIS_PASSWORD = "REDIS_PASSWORD"  # noqa: S105  (its name)
# Each is valid in a URL and in Valkey's configuration without escaping.
SECRETS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(50),
    "AWS_ACCESS_KEY_ID": lambda: secrets.token_hex(10).upper(),
    "AWS_SECRET_ACCESS_KEY": lambda: secrets.token_hex(20),
    REDIS_PASSWORD: lambda: secrets.token_hex(20),
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration of one start. Every process gets ``environment``."""

    base_dir: Path
    data_dir: Path
    host: str
    port: int
    rtmp_port: int
    s3_port: int
    redis_port: int
    embeds_redis: bool
    embeds_s3: bool
    redis_password: str = field(repr=False)
    wants_demo: bool
    environment: dict[str, str]
    seaweedfs_ports: dict[str, int]

    @property
    def relays_s3(self) -> bool:
        """Return whether S3 listens on more than the loopback (see ``relay``)."""
        return self.embeds_s3 and self.host not in LOOPBACK

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def url(self) -> str:
        """Return the address to open in a browser; a wildcard address becomes 127.0.0.1."""
        host = "127.0.0.1" if self.host in WILDCARD else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def configure(base_dir: Path) -> Configuration:
    """Read ``.env`` and the environment, and complete them with our own servers and secrets."""
    environment.load_dotenv(base_dir)
    data_dir = make_data_dir(environment.data_dir(base_dir).resolve())
    host = os.environ.get("HOST") or "127.0.0.1"
    port, rtmp_port, s3_port, redis_port = port_numbers()
    embeds_redis, embeds_s3 = not environment.is_set("REDIS_URL"), not environment.is_set("S3_ENDPOINT_URL")
    kept_secrets = secrets_of(data_dir / environment.SECRETS_NAME, with_s3=embeds_s3)
    redis_password = kept_secrets.pop(REDIS_PASSWORD)
    values = {
        "DATA_DIR": str(data_dir),
        "HOST": host,
        "PORT": str(port),
        "RTMP_PORT": str(rtmp_port),
        "S3_PORT": str(s3_port),
        "S3_BUCKET": "media",
        "DATABASE_URL": f"sqlite:///{quote(str(data_dir / 'db.sqlite3'))}",
        "ALLOWED_HOSTS": ",".join(allowed_hosts(host)),
        "REDIS_URL": f"redis://:{redis_password}@127.0.0.1:{redis_port}/0",
        **kept_secrets,
    }
    if embeds_s3:
        values["S3_ENDPOINT_URL"] = f"http://127.0.0.1:{s3_port}"
        values["S3_DATA_DIR"] = str(data_dir / "seaweedfs")
    else:
        demand_credentials()
    demand_secure_media(os.environ | {name: value for name, value in values.items() if must_set(name)})
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
        redis_password=redis_password,
        wants_demo=os.environ.get("DEMO", "1") not in {"0", "false", "no", "off"},
        environment=os.environ | {name: value for name, value in values.items() if must_set(name)},
        seaweedfs_ports=ports.kept(data_dir / "ports.json", SEAWEEDFS_PORTS) if embeds_s3 else {},
    )


def write_environment(configuration: Configuration) -> None:
    """Write the environment for ``manage.py`` in another terminal (see ``environment.load``)."""
    both = [*HANDED_ON, *(f"{name}_FILE" for name in HANDED_ON)]
    values = {name: configuration.environment[name] for name in both if configuration.environment.get(name)}
    environment.write(configuration.data_dir / environment.FILE_NAME, values)


def must_set(name: str) -> bool:
    """Return whether our value applies. ``DATA_DIR`` always does, because ours is absolute."""
    return name == "DATA_DIR" or not environment.is_set(name)


def port_numbers() -> tuple[int, ...]:
    """Return the four configurable ports. Raises CannotStart if two settings name the same port."""
    chosen: dict[int, str] = {}
    for setting, default in PORTS.items():
        text = os.environ.get(setting) or str(default)
        if not text.isdecimal() or not 0 < int(text) < 65_536:
            raise CannotStart(f"{setting} is {text!r}, which is not a port: choose a number from 1 to 65535.")
        if int(text) in chosen:
            raise CannotStart(f"{chosen[int(text)]} and {setting} are both {text}: use different ports.")
        chosen[int(text)] = setting
    return tuple(chosen)


def make_data_dir(path: Path) -> Path:
    """Create ``DATA_DIR``. Raises CannotStart if it is not writable or lacks free space."""
    try:
        # It holds sessions, password hashes and mail: only the owner may read it.
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / "logs").mkdir(exist_ok=True)
        environment.write_private(path / ".writable", "")
        (path / ".writable").unlink()
    except OSError as error:
        raise CannotStart(
            f"DATA_DIR {path} is not writable ({error.strerror}): set DATA_DIR to a writable folder."
        ) from error
    free = shutil.disk_usage(path).free
    if free < LEAST_FREE_BYTES:
        raise CannotStart(
            f"The disk under DATA_DIR {path} has {free // 1024**2} MiB left, and videos need at least "
            f"{LEAST_FREE_BYTES // 1024**2}: free some, or set DATA_DIR to another disk."
        )
    return path


def secrets_of(path: Path, *, with_s3: bool) -> dict[str, str]:
    """Return the secrets of this ``DATA_DIR``. Each is made on the first start that needs it, and kept.

    A configured S3 has its own credentials, so ours are left out.
    """
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {name: make for name, make in SECRETS.items() if name not in kept}
    if missing:
        kept |= {name: make() for name, make in missing.items()}
        environment.write_private(path, json.dumps(kept, indent=1) + "\n")
    return {name: value for name, value in kept.items() if with_s3 or not name.startswith("AWS_")}


def faces_network(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether other machines may reach the site: ``HOST`` is no loopback, or a proxy is configured."""
    host = environ.get("HOST") or "127.0.0.1"
    if host != "localhost":
        try:
            if not ip_address(host).is_loopback:
                return True
        except ValueError:
            return True
    behind_proxy = environ.get("HTTPS", "0"), environ.get("TRUSTED_PROXIES", "0")
    return any(is_on(value) for value in behind_proxy)


def demand_secure_media(environ: Mapping[str, str]) -> None:
    """Raise CannotStart if pages use TLS and their media do not: browsers refuse to load such media."""
    if not is_on(environ.get("HTTPS", "")):
        return
    # The URL is in a file, which this module does not read.
    if environ.get("S3_PUBLIC_URL_FILE"):
        return
    media = environ.get("S3_PUBLIC_URL") or environ.get("S3_ENDPOINT_URL", "")
    if urlsplit(media).scheme == "http":
        raise CannotStart(
            f"HTTPS is on, but media would come from {media}, and browsers block http content in https "
            "pages: forward an https address to S3 in your proxy, and set S3_PUBLIC_URL to it "
            "(docs/operations.md, Behind a TLS proxy)."
        )


def is_on(value: str) -> bool:
    """Return whether the value of a variable means true."""
    return value.lower() not in {"", "0", "false", "no", "off"}


def demand_credentials() -> None:
    """Raise CannotStart if a configured S3 has no credentials: neither both keys nor a role of the host."""
    missing = [
        name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not environment.is_set(name)
    ]
    if not missing or (len(missing) == 2 and boto3.Session().get_credentials()):
        return
    raise CannotStart(f"S3_ENDPOINT_URL is set, so {' and '.join(missing)} must be set as well.")


def allowed_hosts(host: str) -> list[str]:
    """Return the allowed host names of this machine, with its own addresses if ``HOST`` is a wildcard."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if host in LOOPBACK:
        return names
    if host not in WILDCARD:
        return [*names, f"[{host}]" if ":" in host else host]
    machine = socket.gethostname().lower()
    return [*names, machine, f"{machine}.local", *own_addresses()]


def own_addresses() -> list[str]:
    """Return the addresses of this machine on its outgoing interfaces. No packet is sent."""
    found = []
    # Documentation networks (RFC 5737, RFC 3849): any address beyond the local network
    # works.
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if probe.connect_ex((elsewhere, 9)) == 0:
                address = probe.getsockname()[0]
                found.append(f"[{address}]" if ":" in address else address)
    return found


def demand_ports(configuration: Configuration) -> None:
    """Raise CannotStart for the first port that is taken."""
    ports.demand_free(configuration.host, configuration.port, "PORT")
    ports.demand_free(configuration.host, configuration.rtmp_port, "RTMP_PORT")
    if configuration.embeds_s3:
        host = configuration.host if configuration.relays_s3 else "127.0.0.1"
        ports.demand_free(host, configuration.s3_port, "S3_PORT")
    if configuration.embeds_redis:
        ports.demand_free("127.0.0.1", configuration.redis_port, "REDIS_PORT")
