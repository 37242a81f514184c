"""Installation of a requirements file into ``.venv``: ``python -m embedded.install FILE``.

The machine's Python runs this with its standard library only, so every import is relative:
the parent package would import Celery. uv, installed from a wheel, installs the packages;
pip does if uv fails (the same file, the same hashes).
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .failure import CannotStart
from .progress import Progress

UV_REQUIREMENTS = Path("bin/uv.txt")
REQUIREMENTS = ("requirements.txt", "requirements-test.txt", "requirements-dev.txt")
STAMP = ".installed"
# A mirror or a busy machine may stall for long within a large wheel.
HTTP_TIMEOUT_S = "300"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def main(requirements: Path) -> int:
    """Install ``requirements`` into ``.venv`` unless it is installed already; return the exit code."""
    venv = Path(".venv")
    venv.mkdir(exist_ok=True)
    with locked(venv):
        if digest(requirements) in installed(venv):
            return 0
        progress = Progress()
        try:
            install(requirements, venv, progress)
        except CannotStart as failure:
            progress.report(str(failure))
            return 1
        finally:
            progress.close()
    return 0


@contextmanager
def locked(venv: Path) -> Iterator[None]:
    """Hold a lock on ``.venv``, so that two starts in one clone install one after the other."""
    folder = os.open(venv, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def install(requirements: Path, venv: Path, progress: Progress) -> None:
    """Create the virtual environment and install uv in it, if missing; then install the packages."""
    python = venv / "bin" / "python"
    log = venv / "install.log"
    with progress.step("Virtual environment and uv"):
        if Path(sys.prefix).resolve() != venv.resolve():
            run((sys.executable, "-m", "venv", "--clear", "--without-pip", str(venv)), log)
        if not has_uv(venv):
            run((*pip(python, log), "--no-deps", "--requirement", str(UV_REQUIREMENTS)), log)
            mark_installed(venv, UV_REQUIREMENTS)
    with progress.step("Python packages", Unpacked(requirements).share):
        try:
            run(uv(venv, requirements), log, uv_environment(venv, log))
        except CannotStart:
            progress.report("uv could not install the packages; trying pip.")
            run((*pip(python, log), "--requirement", str(requirements)), log)
    mark_installed(venv, requirements)


def uv(venv: Path, requirements: Path) -> tuple[str, ...]:
    """Return the uv command. Byte code is not compiled, as most modules are never imported."""
    return (
        str(venv / "bin" / "uv"), "pip", "install",
        "--python", str(venv / "bin" / "python"),
        "--no-config",
        "--require-hashes",
        "--no-build",
        "--requirement", str(requirements),
    )  # fmt: skip


def pip(python: Path, log: Path) -> tuple[str, ...]:
    """Return pip's install command, run from the wheel of ``ensurepip`` if there is one.

    Unpacking and compiling pip takes seconds, and it installs only one package, uv.
    """
    wheel = pip_wheel()
    if wheel is None:
        run((str(python), "-m", "ensurepip"), log)
    program = ("-m", "pip") if wheel is None else (f"{wheel}/pip",)
    options = ("--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes")
    return (str(python), *program, "install", *options, "--only-binary", ":all:")


def pip_wheel() -> Path | None:
    """Return the pip wheel of ``ensurepip``, or of the distribution (Debian, Fedora)."""
    folders = (
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
        Path(sysconfig.get_path("stdlib")) / "ensurepip" / "_bundled",
        "/usr/share/python-wheels",
    )
    found = (wheel for folder in folders if folder for wheel in Path(folder).glob("pip-*.whl"))
    return next(found, None)


def has_uv(venv: Path) -> bool:
    return digest(UV_REQUIREMENTS) in installed(venv) and (venv / "bin" / "uv").exists()


def uv_environment(venv: Path, log: Path) -> dict[str, str]:
    """Return uv's environment, completed from pip's configuration, which uv does not read.

    On a machine behind a mirror or with its own certificates, pip is often configured
    already. uv's own settings take precedence.
    """
    values = {"UV_HTTP_TIMEOUT": HTTP_TIMEOUT_S, "UV_NO_PROGRESS": "1"}
    configured = pip_configuration(venv, log)
    if "index-url" in configured:
        values["UV_DEFAULT_INDEX"] = configured["index-url"]
    if "proxy" in configured:
        values["ALL_PROXY"] = configured["proxy"]
    if "cert" in configured:
        values["SSL_CERT_FILE"] = configured["cert"]
    elif SYSTEM_CERTIFICATES.exists():
        values["UV_SYSTEM_CERTS"] = "1"
    return values | os.environ


def pip_configuration(venv: Path, log: Path) -> dict[str, str]:
    """Return pip's settings by their short names, from its files and its environment."""
    wheel = pip_wheel()
    if wheel is None:
        return {}
    command = (str(venv / "bin" / "python"), f"{wheel}/pip", "config", "list")
    asked = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
    log.write_text(asked.stderr)
    found = re.findall(r"^[^=\s]*\.([a-z-]+)='(.*)'$", asked.stdout, flags=re.MULTILINE)
    return dict(found)


def run(command: tuple[str, ...], log: Path, environment: dict[str, str] | None = None) -> None:
    """Run a command with its output in ``log``. Raises CannotStart with the last line of the output."""
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=clean_environment(environment), check=False,
        )  # fmt: skip
    if done.returncode:
        lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
        raise CannotStart(
            f"The Python packages could not be installed: {lines[-1].strip()} (full log: {log})"
        )


def clean_environment(environment: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment without the path that leads Python to this package."""
    values = os.environ if environment is None else environment
    return {name: value for name, value in values.items() if name != "PYTHONPATH"}


class Unpacked:
    """A count of the packages of a file that uv has unpacked into its cache since the start."""

    def __init__(self, requirements: Path) -> None:
        self.total = len(re.findall(r"^[A-Za-z0-9._-]+==", requirements.read_text(), flags=re.MULTILINE))
        self.before = self.archives()

    def archives(self) -> int:
        """Return the number of unpacked wheels; 0 if the cache is elsewhere or has another layout."""
        home = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME") or "/nonexistent") / ".cache"
        cache = Path(os.environ.get("UV_CACHE_DIR") or Path(home) / "uv")
        return sum(1 for _ in cache.glob("archive-v*/*"))

    def share(self) -> str:
        return f"{min(self.archives() - self.before, self.total)}/{self.total}"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def installed(venv: Path) -> set[str]:
    """Return the digests of the requirements files that are completely installed in this ``.venv``."""
    stamp = venv / STAMP
    return set(stamp.read_text().split()) if stamp.exists() else set()


def mark_installed(venv: Path, requirements: Path) -> None:
    """Record a file as installed, and keep the records of other files that have not changed since."""
    current = {digest(Path(name)) for name in (*REQUIREMENTS, UV_REQUIREMENTS)}
    kept = (installed(venv) & current) | {digest(requirements)}
    (venv / STAMP).write_text("\n".join(sorted(kept)) + "\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
