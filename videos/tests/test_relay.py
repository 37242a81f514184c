"""The relay, the only network of a confined program: hostile programs and the real FFmpeg behind it."""

from __future__ import annotations

import re
import socket
import sys
import threading
from pathlib import Path

import pytest

from videos.tests.clips import make_clip
from videos.tests.object_server import Bucket, bucket_url
from videos.transcoding import relay
from videos.transcoding.inputs import input_args, probe_input_args
from videos.transcoding.layers import Layer, missing_layers
from videos.transcoding.processes import STORAGE_TROUBLE, run_short, start
from videos.transcoding.sandbox import probing
from videos.transcoding.tools import ffmpeg_path, ffprobe_path

__all__ = ["bucket_url"]  # a fixture
pytestmark = pytest.mark.skipif(
    Layer.NETWORK in missing_layers(), reason=missing_layers().get(Layer.NETWORK, "")
)

ASK = """
import socket, sys
host, port, request = sys.argv[1:4]
asked = socket.create_connection((host, int(port)))
asked.sendall(request.encode())
answer = b""
while data := asked.recv(4096):
    answer += data
head, _, body = answer.decode().partition(chr(13) + chr(10) + chr(13) + chr(10))
print(head.split()[1], body)
"""


def ask(url: str, path: str, *, method: str = "GET", span: str = "", at: str = "127.0.0.1:80") -> str:
    """Return the status and the body of the answer to a hostile program in FFmpeg's place."""
    fields = f"Range: {span}\r\n" if span else ""
    request = f"{method} {path} HTTP/1.1\r\nHost: {at}\r\n{fields}\r\n"
    finished = run_short([sys.executable, "-c", ASK, *at.split(":"), request, "-i", url], timeout_s=60)
    return finished.stdout.decode() + finished.stderr


def test_program_reads_its_input_by_number(bucket_url: str) -> None:
    assert ask(f"{bucket_url}/own?signature=f00", "/0") == "200 0123456789\n"


def test_program_reads_a_range_of_its_input(bucket_url: str) -> None:
    assert ask(f"{bucket_url}/own?signature=f00", "/0", span="bytes=3-5") == "206 345\n"


@pytest.mark.parametrize("path", ["/other", "/own?signature=f00", "/1", "/0/../other", "/", "/00000000000"])
def test_other_objects_of_the_storage_are_out_of_reach(path: str, bucket_url: str) -> None:
    assert ask(f"{bucket_url}/own?signature=f00", path, at=bucket_url[7:]) == "404 \n"
    assert Bucket.asked == []


@pytest.mark.parametrize("at", ["169.254.169.254:80", "10.0.0.1:5432", "127.0.0.1:6379"])
def test_every_address_leads_to_the_relay(at: str, bucket_url: str) -> None:
    assert ask(f"{bucket_url}/own?signature=f00", "/latest/meta-data/", at=at) == "404 \n"


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST", "HEAD", "CONNECT"])
def test_request_other_than_get_is_refused(method: str, bucket_url: str) -> None:
    assert ask(f"{bucket_url}/own?signature=f00", "/0", method=method) == "404 \n"
    assert Bucket.asked == []


@pytest.mark.parametrize("family", ["AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"])
def test_program_with_a_relay_has_no_other_sockets(family: str, bucket_url: str) -> None:
    code = f"import socket; socket.socket(socket.{family}, socket.SOCK_STREAM)"
    argv = [sys.executable, "-c", code, "-i", f"{bucket_url}/own?signature=f00"]

    assert "PermissionError" in run_short(argv, timeout_s=60).stderr


def test_program_cannot_send_datagrams(bucket_url: str) -> None:
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    argv = [sys.executable, "-c", code, "-i", f"{bucket_url}/own?signature=f00"]

    assert "PermissionError" in run_short(argv, timeout_s=60).stderr


def test_connections_of_a_program_are_bounded(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MAX_CONNECTIONS", 3)
    code = (
        "import socket\nheld = []\n"
        "try:\n    for _ in range(9): held.append(socket.socket())\n"
        "except OSError as error: print(len(held), error.strerror)\n"
        "held.pop().close()\n"
    )
    argv = [sys.executable, "-c", code, "-i", f"{bucket_url}/own?signature=f00"]

    assert run_short(argv, timeout_s=60).stdout == b"3 Too many open files\n"


def test_endless_request_is_cut(bucket_url: str) -> None:
    code = (
        "import socket; s = socket.create_connection(('127.0.0.1', 80));"
        "s.sendall(b'GET /0 HTTP/1.1\\r\\nA: ' + bytes(64 * 1024)); print(s.recv(99))"
    )
    argv = [sys.executable, "-c", code, "-i", f"{bucket_url}/own?signature=f00"]

    assert b"404" in run_short(argv, timeout_s=60).stdout
    assert Bucket.asked == []


def test_signed_url_is_not_in_the_command_line(bucket_url: str) -> None:
    url = f"{bucket_url}/own?signature=f00"
    code = "import sys; print(sys.argv[1:], flush=True); input()"

    with start([sys.executable, "-c", code, "-i", url], probing(30), stdin=-1) as popen:
        assert popen.stdout
        assert popen.stdout.readline() == b"['-i', 'http://127.0.0.1/0']\n"
        assert b"f00" not in Path(f"/proc/{popen.pid}/cmdline").read_bytes()
        popen.kill()


def test_relay_ends_with_its_program(bucket_url: str) -> None:
    ask(f"{bucket_url}/own?signature=f00", "/0")

    for thread in threading.enumerate():
        if thread.name in {"relay", "relayed"}:
            thread.join(20)
            assert not thread.is_alive()


@pytest.mark.ffmpeg
def test_ffprobe_and_ffmpeg_read_and_seek_through_the_relay(clips: Path, bucket_url: str) -> None:
    path = make_clip("landscape", clips, seconds=18)
    Bucket.objects["/clip.mp4"] = path.read_bytes()
    decode = ["-an", "-frames:v", "5", "-f", "framemd5", "-"]

    def decoded(url: str) -> bytes:
        argv = [ffmpeg_path(), "-v", "error", "-ss", "9", *input_args(url, "mov"), *decode]
        return run_short(argv, timeout_s=60).stdout

    remote = f"{bucket_url}/clip.mp4"
    argv = [ffprobe_path(), "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    probed = run_short([*argv, *probe_input_args(remote, "mov")], timeout_s=60)

    assert (probed.exit_code, probed.stderr) == (0, "")
    assert float(probed.stdout) == pytest.approx(18, abs=0.1)
    assert decoded(remote) == decoded(str(path))
    assert set(Bucket.asked) == {"/clip.mp4"}


@pytest.mark.ffmpeg
def test_storage_that_refuses_connections_is_trouble_of_the_storage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/clip.mp4"
    argv = [ffmpeg_path(), "-v", "error", *input_args(url, "mov"), "-f", "null", "-"]

    finished = run_short(argv, timeout_s=60)

    assert finished.exit_code != 0
    assert STORAGE_TROUBLE.search(finished.stderr)


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    "named",
    ["{folder}/db.sqlite3", "file:{folder}/db.sqlite3", "/proc/1/environ", "file:///proc/1/environ",
     "concat:{folder}/db.sqlite3|/proc/1/environ", "subfile,,start,0,end,9,,:{folder}/db.sqlite3",
     "http://169.254.169.254/latest/meta-data/", "{bucket}/other", "tcp://127.0.0.1:6379",
     "udp://127.0.0.1:53", "unix:/run/postgresql/.s.PGSQL.5432"],
)  # fmt: skip
def test_real_ffmpeg_opens_nothing_that_its_input_names(named: str, bucket_url: str, tmp_path: Path) -> None:
    """Even without our lists of protocols and formats."""
    (tmp_path / "db.sqlite3").write_bytes(b"SQLite format 3" + bytes(4096))
    script = tmp_path / "list.txt"
    script.write_text(
        "ffconcat version 1.0\nfile '" + named.format(folder=tmp_path, bucket=bucket_url) + "'\n"
    )
    every = "file,http,tcp,udp,unix,concat,subfile"
    argv = [ffmpeg_path(), "-v", "info", "-protocol_whitelist", every, "-f", "concat", "-safe", "0"]

    finished = run_short([*argv, "-i", str(script), "-f", "null", "-"], timeout_s=60)

    assert finished.exit_code != 0
    assert re.search("Permission denied|Operation not permitted", finished.stderr), finished.stderr
    assert Bucket.asked == []
