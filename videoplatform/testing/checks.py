"""``bin/check``: checks of style, types, templates, scripts and migrations, run in parallel.

No server is started and no database is used, so it works in a bare clone.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from videoplatform.embedded import lineage, npm
from videoplatform.embedded.failure import CannotStart

# The settings require them; no check uses their values.
ENVIRONMENT = {"ENV_FILE": os.devnull, "SECRET_KEY": "check", "DATABASE_URL": "sqlite://:memory:"}


ESLINT = ("--config", "checks/eslint.config.js", "--max-warnings", "0")
BIOME = ("lint", "--config-path", "checks", "--error-on-warnings")


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    command: tuple[str, ...]


def every_check(base_dir: Path) -> list[Check]:
    """Return the checks, the slowest first."""
    templates = [*base_dir.glob("templates/**/*.html"), *base_dir.glob("*/templates/**/*.html")]
    djade = str(Path(sys.executable).with_name("djade"))
    return [
        Check("mypy", python("-m", "mypy", ".")),
        Check("migrations", python("manage.py", "makemigrations", "--check", "--dry-run")),
        Check("ruff check", python("-m", "ruff", "check", ".")),
        Check("ruff format", python("-m", "ruff", "format", "--check", ".")),
        Check("wording", python("-m", "videoplatform.testing.wording")),
        Check("djade", (djade, "--check", *map(str, sorted(templates)))),
    ]


def script_checks() -> list[Check]:
    """Return the checks of scripts and styles, which need the npm packages of ``checks/``."""
    modules = "checks/node_modules"
    return [
        Check("eslint", node(f"{modules}/eslint/bin/eslint.js", *ESLINT, "static/js", "checks")),
        Check("tsc", node(f"{modules}/typescript/bin/tsc", "--project", "checks/tsconfig.json")),
        Check("biome", node(f"{modules}/@biomejs/biome/bin/biome", *BIOME, "static/css")),
    ]


def main(base_dir: Path) -> int:
    """Run all checks in parallel, print each output as the check ends, and return the highest exit code."""
    data_dir = base_dir / "var" / "check"
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = os.environ | ENVIRONMENT | {"DATA_DIR": str(data_dir)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(run, check, base_dir, environment) for check in every_check(base_dir)]
        try:
            for folder in (base_dir, base_dir / "checks"):
                npm.install(folder, data_dir / "npm.log")
        except CannotStart as failure:
            print(failure, flush=True)
            return 1
        running += [pool.submit(run, check, base_dir, environment) for check in script_checks()]
        return max(report(*done.result()) for done in as_completed(running))


def run(check: Check, base_dir: Path, environment: dict[str, str]) -> tuple[Check, int, str]:
    """Return the check with its exit code and its output."""
    done = subprocess.run(
        check.command, cwd=base_dir, env=environment, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return check, done.returncode, done.stdout


def report(check: Check, code: int, output: str) -> int:
    print(f"--- {check.name}\n{output}", end="", flush=True)
    return code if code >= 0 else 1


def beside_us(base_dir: Path, log: Path) -> Callable[[], int]:
    """Start all checks in the background; see ``in_background``."""
    return in_background(python("-m", "videoplatform.testing", "check"), base_dir, log)


def in_background(command: tuple[str, ...], base_dir: Path, log: Path) -> Callable[[], int]:
    """Start a command with its output in ``log``.

    Return a function that waits for its end, prints the output and returns the exit code.
    """
    with log.open("w") as output:
        child = subprocess.Popen(
            lineage.dying_with_us(command), cwd=base_dir,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def finish() -> int:
        code = child.wait()
        print(log.read_text(errors="replace"), end="", flush=True)
        return code if code >= 0 else 1

    return finish


def node(*arguments: str) -> tuple[str, ...]:
    """Return a command for the node from PyPI: the machine's may be too old for the packages."""
    return (npm.PINNED_NODE, *arguments)


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)
