"""Tests of bin/run: its configuration, its files and its error messages."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from videoplatform.embedded import (
    configuration,
    environment,
    ports,
    preparation,
    run,
    servers,
)
from videoplatform.embedded.failure import CannotStart
from videoplatform.tests.valkey import free_port


def test_variables_round_trip_through_the_file(tmp_path: Path) -> None:
    values = {"A": "plain", "B": "with \"quotes\", 'others', \\n and spaces", "C": "redis://:p#1@h/0"}
    environment.write(tmp_path / "environment", values)
    assert environment.read(tmp_path / "environment") == values


def test_environment_file_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    environment.write(tmp_path / "environment", {"A": "1"})
    assert (tmp_path / "environment").stat().st_mode & 0o777 == 0o600


def test_set_variables_precede_dotenv_and_the_environment_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ENV_FILE", "DATA_DIR", "B", "C", "D"):
        monkeypatch.setenv(name, "")  # restored after the test; empty counts as unset
    monkeypatch.setenv("A", "set")
    (tmp_path / "state").mkdir()
    (tmp_path / ".env").write_text("DATA_DIR=state\nA=dotenv\nB=dotenv\n")
    environment.write(tmp_path / "state" / "environment", {"A": "left", "B": "left", "C": "left"})
    environment.load(tmp_path)
    assert [os.environ[name] for name in "ABC"] == ["set", "dotenv", "left"]
    assert os.environ["DATA_DIR"] == str(tmp_path / "state")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_socket_accepts_only_after_its_server_listens(tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    before = ports.accepts(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        bound = ports.accepts(path)
        server.listen()

        assert (before, bound, ports.accepts(path)) == (False, False, True)


def test_taken_port_is_reported_with_its_setting(taken_port: int) -> None:
    with pytest.raises(CannotStart) as failure:
        ports.demand_free("127.0.0.1", taken_port, "S3_PORT")
    assert str(failure.value) == (
        f"Port {taken_port} on 127.0.0.1 is in use (Address already in use): stop the program that uses it, "
        "or set S3_PORT to a free port."
    )


def test_address_of_another_machine_is_reported() -> None:
    with pytest.raises(CannotStart, match=r"^HOST is '192\.0\.2\.77', which is not an address of this"):
        ports.demand_free("192.0.2.77", free_port(), "PORT")


def test_free_port_is_accepted(taken_port: int) -> None:
    ports.demand_free("127.0.0.1", free_port(), "PORT")


def test_internal_ports_are_kept_while_they_are_free(tmp_path: Path) -> None:
    first = ports.kept(tmp_path / "ports.json", ("master", "volume"))
    assert ports.kept(tmp_path / "ports.json", ("master", "volume")) == first
    with socket.create_server(("127.0.0.1", first["master"])):
        later = ports.kept(tmp_path / "ports.json", ("master", "volume"))
    assert (later["volume"], later["master"] != first["master"]) == (first["volume"], True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"PORT": "eighty"}, "PORT is 'eighty', which is not a port: choose a number from 1 to 65535."),
        ({"PORT": "70000"}, "PORT is '70000', which is not a port: choose a number from 1 to 65535."),
        (
            {"PORT": "8333", "S3_PORT": "8333"},
            "PORT and S3_PORT are both 8333: use different ports.",
        ),
    ],
)
def test_invalid_ports_are_reported(
    values: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in configuration.PORTS:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CannotStart) as failure:
        configuration.port_numbers()
    assert str(failure.value) == sentence


def test_secrets_are_made_once_and_readable_only_by_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = configuration.secrets_of(path, with_s3=True)
    assert configuration.secrets_of(path, with_s3=True) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(first) == {"SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "REDIS_PASSWORD"}


def test_secret_missing_in_an_older_data_dir_is_added(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"SECRET_KEY": "kept", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}')
    completed = configuration.secrets_of(path, with_s3=True)
    assert completed.pop("REDIS_PASSWORD")
    assert completed == {"SECRET_KEY": "kept", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}


def test_configured_s3_gets_none_of_our_credentials(tmp_path: Path) -> None:
    found = configuration.secrets_of(tmp_path / "secrets.json", with_s3=False)
    assert set(found) == {"SECRET_KEY", "REDIS_PASSWORD"}


@pytest.mark.redis
def test_embedded_valkey_refuses_clients_without_the_password() -> None:
    near = urlsplit(settings.REDIS_URL)
    assert near.password
    with (
        redis.Redis(host=str(near.hostname), port=near.port or 0, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


@pytest.mark.parametrize(
    ("environ", "refused"),
    [
        ({"HTTPS": "1", "S3_ENDPOINT_URL": "http://127.0.0.1:8333"}, "http://127.0.0.1:8333"),
        ({"HTTPS": "1", "S3_PUBLIC_URL": "http://media.example.org"}, "http://media.example.org"),
        ({"HTTPS": "0", "S3_ENDPOINT_URL": "http://127.0.0.1:8333"}, ""),
        ({"HTTPS": "1", "S3_ENDPOINT_URL": "https://s3.example.org"}, ""),
        ({"HTTPS": "on", "S3_ENDPOINT_URL": "http://a", "S3_PUBLIC_URL": "https://media.example.org"}, ""),
    ],
)
def test_pages_over_tls_with_media_over_http_are_refused(environ: dict[str, str], refused: str) -> None:
    with pytest.raises(CannotStart, match=refused) if refused else nullcontext():
        configuration.demand_secure_media(environ)


def test_https_with_the_embedded_s3_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S3_ENDPOINT_URL", "S3_PUBLIC_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS", "1")

    with pytest.raises(CannotStart, match="set S3_PUBLIC_URL"):
        configuration.configure(tmp_path)


def manage(*arguments: str, data_dir: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir), "ENV_FILE": os.devnull, **more}
    command = (sys.executable, "manage.py", *arguments)
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env=environ, capture_output=True, text=True, check=False
    )


def test_command_without_configuration_is_refused_in_a_sentence(tmp_path: Path) -> None:
    asked = manage("showmigrations", data_dir=tmp_path)

    assert asked.returncode == 1
    assert asked.stderr.startswith(f"There is no configuration in DATA_DIR {tmp_path}: start bin/run")
    assert asked.stderr.count("\n") == 1


def test_commands_are_listed_without_configuration(tmp_path: Path) -> None:
    asked = manage("--help", data_dir=tmp_path)

    assert asked.returncode == 0
    assert {"grant", "create_demo", "ingest", "publish_test"} <= set(asked.stdout.split())
    assert not [*tmp_path.iterdir()]


def test_invalid_configuration_is_reported_in_a_sentence(tmp_path: Path) -> None:
    asked = manage("check", data_dir=tmp_path, SECRET_KEY="x", S3_ADDRESSING_STYLE="round")

    assert asked.returncode == 1
    assert asked.stderr == (
        "The configuration is not complete: S3_ADDRESSING_STYLE is 'round': set path or virtual.\n"
    )


def test_secret_key_is_read_from_a_folder_without_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRET_KEY", "SECRET_KEY_FILE", "ENV_FILE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    kept = configuration.secrets_of(tmp_path / "secrets.json", with_s3=True)

    environment.load(tmp_path)

    assert os.environ["SECRET_KEY"] == kept["SECRET_KEY"]


@pytest.mark.parametrize(
    ("administrators", "wants_demo", "host", "expected"),
    [
        (0, False, "127.0.0.1", True),
        (0, True, "127.0.0.1", False),
        (0, True, "0.0.0.0", True),  # noqa: S104  (compared, not bound)
        (1, False, "127.0.0.1", False),
    ],
)
def test_start_without_administrator_explains_how_to_become_one(
    tmp_path: Path, administrators: int, wants_demo: bool, host: str, expected: bool
) -> None:
    made = replace(
        configuration.configure(tmp_path),
        data_dir=tmp_path,
        wants_demo=wants_demo,
        environment={"HOST": host},
    )
    made.log_dir.mkdir(exist_ok=True)
    preparation.prepare_log(made).write_text(f"Administrators: {administrators}\n")

    assert run.lacks_administrator(made) is expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"HOST": "localhost"}, False),
        ({"HOST": "127.0.0.2"}, False),
        ({"HOST": "::1", "HTTPS": "0"}, False),
        ({"HOST": "0.0.0.0"}, True),  # noqa: S104  (compared, not bound)
        ({"HOST": "::"}, True),
        ({"HOST": "video.example.org"}, True),
        ({"HTTPS": "1"}, True),
        ({"HTTPS": "true"}, True),
        ({"TRUSTED_PROXIES": "1"}, True),
    ],
)
def test_site_faces_the_network_on_a_wide_host_or_behind_a_proxy(
    environ: dict[str, str], expected: bool
) -> None:
    assert configuration.faces_network(environ) is expected


def test_descriptor_limit_is_raised_to_the_hard_one() -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512));"
        "from common.descriptors import raise_descriptor_limit;"
        "print(raise_descriptor_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["512", "512", "512"]


def test_unwritable_data_dir_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart) as failure:
        configuration.make_data_dir(tmp_path / "file" / "data")
    assert str(failure.value) == (
        f"DATA_DIR {tmp_path}/file/data is not writable (Not a directory): set DATA_DIR to a writable folder."
    )


def test_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "LEAST_FREE_BYTES", 1024**6)
    with pytest.raises(CannotStart, match=r"^The disk under DATA_DIR .* has \d+ MiB left"):
        configuration.make_data_dir(tmp_path)


def test_allowed_hosts_of_loopback_and_of_one_address() -> None:
    assert configuration.allowed_hosts("127.0.0.1") == ["localhost", "127.0.0.1", "[::1]"]
    assert configuration.allowed_hosts("192.0.2.7") == ["localhost", "127.0.0.1", "[::1]", "192.0.2.7"]


def test_valkey_config_has_limits_loopback_and_password() -> None:
    assert servers.valkey_config(6379, Path("/data/valkey"), "secret") == (
        "bind 127.0.0.1\n"
        "protected-mode yes\n"
        "port 6379\n"
        "requirepass secret\n"
        'dir "/data/valkey"\n'
        "appendonly yes\n"
        "appendfsync everysec\n"
        'save ""\n'
        "maxmemory 536870912\n"
        "maxmemory-policy noeviction\n"
        "client-output-buffer-limit pubsub 32mb 8mb 60\n"
    )


def configured(tmp_path: Path, *, wants_demo: bool = False) -> configuration.Configuration:
    return configuration.Configuration(
        base_dir=tmp_path,
        data_dir=tmp_path,
        host="192.0.2.7",
        port=1,
        rtmp_port=2,
        s3_port=3,
        redis_port=4,
        embeds_redis=True,
        embeds_s3=True,
        redis_password="",
        wants_demo=wants_demo,
        environment={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        seaweedfs_ports=dict.fromkeys(configuration.SEAWEEDFS_PORTS, 5),
    )


@pytest.mark.parametrize(("code", "outcome"), [(0, "created"), (1, "incomplete")])
def test_start_reports_when_demo_content_is_there(tmp_path: Path, code: int, outcome: str) -> None:
    chosen, printed = configured(tmp_path, wants_demo=True), list[str]()

    task = run.demo_task(chosen, printed.append)
    assert task
    task.end(code)

    assert ["in the background" in printed[0], outcome in printed[1]] == [True, True]
    # Content that is complete is not made again.
    assert (run.demo_task(chosen, printed.append) is None) == (code == 0)
