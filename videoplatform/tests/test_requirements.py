"""Tests of the lock: complete and installable without a compiler, on every supported Python and machine."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

# Debian 12 has 3.11.2, and markers change at 3.11.3.
PYTHONS = ("3.11.0", "3.11.2", "3.11.3", "3.12.0", "3.13.0", "3.14.0")
MACHINES = ("x86_64", "aarch64")
# Debian 12 has 2.36, Ubuntu 22.04 has 2.35.
GLIBC_MINOR = 35
# Each file with its groups of pyproject.toml, beside the dependencies.
FILES = {
    "requirements.txt": (),
    "requirements-test.txt": ("test",),
    "requirements-dev.txt": ("test", "dev"),
    "requirements-captions.txt": ("captions",),
    "requirements-imports.txt": ("imports",),
    "requirements-speech.txt": ("captions", "test", "speech"),
}
TARGETS = [(python, machine) for python in PYTHONS for machine in MACHINES]
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org"}


@dataclass(frozen=True, slots=True)
class InstallTarget:
    """A Python version on a machine architecture."""

    python: str
    machine: str

    @property
    def environment(self) -> dict[str, str]:
        """Return the values of environment markers (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "6.1.0",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.python,
            "python_version": self.python.rpartition(".")[0],
            "sys_platform": "linux",
            "extra": "",
        }

    def tags(self) -> set[Tag]:
        """Return the wheel tags that pip accepts on this target."""
        major, minor, _ = map(int, self.python.split("."))
        platforms = [f"manylinux_2_{glibc}_{self.machine}" for glibc in range(GLIBC_MINOR, 4, -1)]
        platforms += [
            f"manylinux2014_{self.machine}",
            f"manylinux1_{self.machine}",
            f"linux_{self.machine}",
        ]
        version = (major, minor)
        return {
            *cpython_tags(version, platforms=platforms),
            *compatible_tags(version, interpreter=f"cp{major}{minor}", platforms=platforms),
        }


@pytest.fixture(params=TARGETS, ids=lambda target: "-".join(target))
def target(request: pytest.FixtureRequest) -> InstallTarget:
    return InstallTarget(*request.param)


@cache
def read_toml(name: str) -> dict[str, Any]:
    return tomllib.loads((settings.BASE_DIR / name).read_text())


@cache
def locked_packages() -> dict[str, dict[str, Any]]:
    packages = read_toml("uv.lock")["package"]
    by_name = {package["name"]: package for package in packages}
    assert len(by_name) == len(packages), "one version of each package, for every Python"
    return by_name


def closure(packages: dict[str, dict[str, Any]], groups: tuple[str, ...], target: InstallTarget) -> set[str]:
    """Return the names of all packages that the dependencies and ``groups`` need on ``target``."""
    root = packages["zoetrope"]
    needed: set[tuple[str, str]] = set()
    waiting = list(root["dependencies"])
    named = root["dev-dependencies"] | root["optional-dependencies"]
    for group in groups:
        waiting += named[group]
    while waiting:
        dependency = waiting.pop()
        marker = dependency.get("marker")
        if marker and not Marker(marker).evaluate(target.environment):
            continue
        package = packages[dependency["name"]]
        for extra in ("", *dependency.get("extra", ())):
            if (dependency["name"], extra) not in needed:
                needed.add((dependency["name"], extra))
                waiting += package.get("optional-dependencies", {}).get(extra, ())
                waiting += () if extra else package.get("dependencies", ())
    return {name for name, _ in needed}


def pinned(file: Path) -> Iterator[tuple[Requirement, set[str]]]:
    """Yield each requirement of a file with its SHA-256 hashes."""
    for entry in re.sub(r"\\\n", " ", file.read_text()).splitlines():
        if entry and not entry.startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=sha256:", entry.strip())
            yield Requirement(requirement), set(hashes)


@pytest.mark.parametrize("name", FILES)
def test_file_pins_every_package_that_its_groups_need(name: str, target: InstallTarget) -> None:
    packages = locked_packages()
    expected = {found: packages[found]["version"] for found in closure(packages, FILES[name], target)}
    written = {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement, _ in pinned(settings.BASE_DIR / name)
        if requirement.marker is None or requirement.marker.evaluate(target.environment)
    }
    assert written == expected


@pytest.mark.parametrize("name", ["requirements-dev.txt", "requirements-speech.txt"])
def test_every_package_has_a_wheel_whose_hash_is_pinned(name: str, target: InstallTarget) -> None:
    packages = locked_packages()
    tags = target.tags()
    hashes = {
        canonicalize_name(requirement.name): found for requirement, found in pinned(settings.BASE_DIR / name)
    }
    missing = [
        package
        for package in sorted(closure(packages, FILES[name], target))
        if not any(
            wheel["hash"].removeprefix("sha256:") in hashes[canonicalize_name(package)]
            for wheel in packages[package].get("wheels", ())
            if parse_wheel_filename(wheel["url"].rpartition("/")[2])[3] & tags
        )
    ]
    assert missing == []


def test_uv_itself_has_a_wheel_whose_hash_is_pinned(target: InstallTarget) -> None:
    wheels = locked_packages()["uv"]["wheels"]
    fitting = {
        wheel["hash"].removeprefix("sha256:")
        for wheel in wheels
        if parse_wheel_filename(wheel["url"].rpartition("/")[2])[3] & target.tags()
    }
    [(requirement, hashes)] = pinned(settings.BASE_DIR / "bin" / "uv.txt")
    assert requirement.name == "uv"
    assert fitting & hashes


def test_lock_matches_pyproject() -> None:
    project = read_toml("pyproject.toml")
    root = locked_packages()["zoetrope"]["metadata"]

    def declared(lines: list[str]) -> set[tuple[str, str]]:
        requirements = map(Requirement, lines)
        return {(canonicalize_name(found.name), str(found.specifier)) for found in requirements}

    def locked(entries: list[dict[str, str]]) -> set[tuple[str, str]]:
        return {(entry["name"], entry["specifier"]) for entry in entries}

    optional = chain.from_iterable(project["project"]["optional-dependencies"].values())
    assert locked(root["requires-dist"]) == declared([*project["project"]["dependencies"], *optional])
    assert {name: locked(entries) for name, entries in root["requires-dev"].items()} == {
        name: declared(lines) for name, lines in project["dependency-groups"].items()
    }


def test_site_requirements_contain_no_test_or_developer_tools(target: InstallTarget) -> None:
    groups = read_toml("pyproject.toml")["dependency-groups"]
    tools = {
        canonicalize_name(Requirement(line).name)
        for name in ("test", "dev", "speech")
        for line in groups[name]
    }
    assert closure(locked_packages(), (), target) & tools <= {"packaging"}


def test_lock_contains_only_hosts_of_the_public_index() -> None:
    text = (settings.BASE_DIR / "uv.lock").read_text()
    for name in (*FILES, "bin/uv.txt"):
        text += (settings.BASE_DIR / name).read_text()
    assert set(re.findall(r"https?://([^/\"\s]+)", text)) == PUBLIC_HOSTS
