"""The preparation of a clone: browser packages, translations, tables, assets, the bucket.

Each step checks first whether it is needed, so that the second start is quick.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import redis
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from videoplatform.embedded import install, npm
from videoplatform.embedded.configuration import Configuration
from videoplatform.embedded.digests import digest
from videoplatform.embedded.failure import CannotStart
from videoplatform.embedded.lineage import dying_with_us
from videoplatform.embedded.progress import Progress

# Lines of Django's migrate, and the lines that django_steps prints around them.
PLANNED = re.compile(r"^Migrations to apply: (\d+)$", re.MULTILINE)
APPLYING = re.compile(r"^ {2}Applying ", re.MULTILINE)
NO_ADMINISTRATOR = re.compile(r"^Administrators: 0$", re.MULTILINE)
REDIS_WAIT_S = 20
EXTRAS = {"CAPTIONS_MODEL": "requirements-captions.txt", "IMPORT_PAGES": "requirements-imports.txt"}
"""Settings that switch something on, and the packages that it needs."""
OFF = {"", "0", "false", "no", "off"}


def prepare(configuration: Configuration, progress: Progress) -> None:
    """Run every step that is needed, in parallel if they are independent.

    Assets are made from the browser packages; tables and the bucket need neither.
    """
    compile_translations(configuration.base_dir)
    install_extras(configuration, progress)
    with tables_and_bucket(configuration, progress):
        install_browser_packages(configuration, progress)
        build_assets(configuration, progress)


def install_browser_packages(configuration: Configuration, progress: Progress) -> None:
    """Install the packages that pages load, if their lock has changed since the last time."""
    if npm.is_installed(configuration.base_dir):
        return
    with progress.step("Browser packages"):
        npm.install(configuration.base_dir, configuration.log_dir / "npm.log")


def install_extras(configuration: Configuration, progress: Progress) -> None:
    """Install the packages of settings that are switched on, unless they are installed already."""
    venv = configuration.base_dir / ".venv"
    for setting, requirements in EXTRAS.items():
        if configuration.environment.get(setting, "").lower() in OFF or not venv.exists():
            continue
        if install.digest(configuration.base_dir / requirements) in install.installed(venv):
            continue
        with beside_us(
            (sys.executable, "-m", "embedded.install", requirements),
            progress.step("Speech recognition" if setting == "CAPTIONS_MODEL" else "yt-dlp"),
            cwd=configuration.base_dir,
            log=configuration.log_dir / f"{Path(requirements).stem}.log",
            environment=configuration.environment | {"PYTHONPATH": "videoplatform"},
            failure=f"The packages of {setting} could not be installed",
        ):
            pass


def compile_translations(base_dir: Path) -> None:
    """Compile each catalogue that is newer than its compiled file, by Babel, as msgfmt may be missing."""
    for source in base_dir.glob("locale/*/LC_MESSAGES/*.po"):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as file:
            catalog = read_po(file, locale=source.parent.parent.name)
        with compiled.open("wb") as file:
            write_mo(file, catalog)


def demand_redis(configuration: Configuration) -> None:
    """Raise CannotStart if the configured Redis does not answer."""
    url = configuration.environment.get("REDIS_URL") or secret_file(configuration, "REDIS_URL")
    options = {"socket_connect_timeout": REDIS_WAIT_S, "socket_timeout": REDIS_WAIT_S}
    try:
        with redis.Redis.from_url(url, **options) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise CannotStart(f"Redis (REDIS_URL) does not answer: {error}") from error


def secret_file(configuration: Configuration, name: str) -> str:
    return Path(configuration.environment[f"{name}_FILE"]).read_text().strip()


def tables_and_bucket(configuration: Configuration, progress: Progress) -> AbstractContextManager[None]:
    """Migrate and create the bucket while the block runs; wait for both at the end of the block."""
    log = prepare_log(configuration)
    bucket = "embedded-bucket" if configuration.embeds_s3 else "bucket"
    return beside_us(
        django_steps("migrate", bucket),
        progress.step("Database and storage", partial(migrations_applied, log)),
        cwd=configuration.base_dir,
        log=log,
        environment=configuration.environment,
        failure="The data could not be prepared",
    )


def prepare_log(configuration: Configuration) -> Path:
    return configuration.log_dir / "prepare.log"


def has_administrator(configuration: Configuration) -> bool:
    """Return whether the site has an administrator, according to the log of the preparation."""
    return NO_ADMINISTRATOR.search(prepare_log(configuration).read_text(errors="replace")) is None


def migrations_applied(log: Path) -> str:
    """Return the progress of the migrations ("31/88"), or an empty string if there are none to apply."""
    text = log.read_text(errors="replace") if log.exists() else ""
    planned = PLANNED.search(text)
    return f"{len(APPLYING.findall(text))}/{planned[1]}" if planned and planned[1] != "0" else ""


def build_assets(configuration: Configuration, progress: Progress) -> None:
    """Collect the assets if their sources have changed since the last time."""
    stamp = configuration.data_dir / "static" / ".collected"
    wanted = digest(asset_sources(configuration.base_dir))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    with beside_us(
        django_steps("collectstatic"),
        progress.step("Assets"),
        cwd=configuration.base_dir,
        log=configuration.log_dir / "assets.log",
        environment=configuration.environment,
        failure="The assets could not be built",
    ):
        pass
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(wanted)


def is_compressed(static: Path) -> bool:
    """Return whether the collected assets have all their compressed forms."""
    collected, compressed = static / ".collected", static / ".compressed"
    return compressed.exists() and compressed.read_text() == collected.read_text()


def mark_compressed(static: Path) -> None:
    (static / ".compressed").write_text((static / ".collected").read_text())


def django_steps(*names: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "videoplatform.embedded.django_steps", *names)


def asset_sources(base_dir: Path) -> list[Path]:
    """Return the files from which the assets are made. Packages are represented by their locks."""
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


@contextmanager
def beside_us(
    command: tuple[str, ...],
    step: AbstractContextManager[None],
    *,
    cwd: Path,
    log: Path,
    failure: str,
    environment: dict[str, str] | None = None,
) -> Iterator[None]:
    """Run a command while the block runs, with its output in ``log``, and wait for its end.

    Raises CannotStart with the last line of its output if it fails. There is no timeout: a
    busy machine is only slow.
    """
    with step:
        with log.open("w") as output:
            child = subprocess.Popen(
                dying_with_us(command), cwd=cwd, env=environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        yield
        if child.wait():
            lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
            raise CannotStart(f"{failure}: {lines[-1]} (full log: {log})")
