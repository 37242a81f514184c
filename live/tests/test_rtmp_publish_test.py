"""Tests of ``manage.py publish_test``."""

import asyncio
import re
import signal
import sys
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from live import services
from live.ingest.server import RtmpServer
from live.management.commands import publish_test
from live.rtmp.session import MediaTag
from live.tests.doorkeeping import Doorkeeper, RecordingSink, listening
from live.tests.factories import StreamFactory

SOON_S = 30


async def start(server: RtmpServer, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "manage.py", "publish_test", "--size", "320x180",
        "--url", f"rtmp://127.0.0.1:{server.port}/live/", *options,
        cwd=settings.BASE_DIR, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.ffmpeg
async def test_command_publishes_for_the_given_seconds() -> None:
    door = Doorkeeper()
    async with listening(door) as server:
        process = await start(server, "--key", "good", "--seconds", "2", "--rate", "25")
        stdout, stderr = await asyncio.wait_for(process.communicate(), SOON_S)

    assert (process.returncode, stderr.decode()) == (0, "")
    assert "Publishing 320x180 at 25 fps" in stdout.decode()
    assert "good" not in stdout.decode().split()
    assert door.recorder.endings == [True]
    assert len([tag for tag in door.recorder.of("video") if tag.payload[1] == 1]) == 50


@pytest.mark.ffmpeg
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_command_unpublishes(number: signal.Signals) -> None:
    is_under_way = asyncio.Event()

    class ClosingSink(RecordingSink):
        async def on_tag(self, tag: MediaTag) -> None:
            await super().on_tag(tag)
            is_under_way.set()

    door = Doorkeeper()
    door.makes = ClosingSink
    async with listening(door) as server:
        process = await start(server, "--key", "good")
        await asyncio.wait_for(is_under_way.wait(), SOON_S)
        process.send_signal(number)
        stdout, _ = await asyncio.wait_for(process.communicate(), SOON_S)

    assert process.returncode == 0
    assert stdout.decode().endswith("Broadcast ended.\n")
    assert door.recorder.endings == [True]


@pytest.mark.ffmpeg
async def test_command_shows_the_reason_of_a_refusal() -> None:
    async with listening(Doorkeeper()) as server:
        process = await start(server, "--key", "wrong", "--seconds", "2")
        _, stderr = await asyncio.wait_for(process.communicate(), SOON_S)

    assert process.returncode == 1
    assert "This stream key is invalid." in stderr.decode()


@pytest.mark.django_db
def test_command_rotates_the_key_of_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StreamFactory()
    ran: list[list[str]] = []

    def run(argv: list[str]) -> int:
        ran.append(argv)
        return 0

    monkeypatch.setattr(publish_test, "run", run)
    out = StringIO()

    call_command("publish_test", "--user", stream.username.upper(), stdout=out)

    (argv,) = ran
    found = re.fullmatch(r"rtmp://127\.0\.0\.1:\d+/live/(live_\S+)", argv[-1])
    assert found
    assert services.owner_of_key(found[1]) == stream
    assert f"/@{stream.username}/live/" in out.getvalue()


@pytest.mark.django_db
def test_command_reports_a_missing_user() -> None:
    with pytest.raises(CommandError, match="User lumi not found"):
        call_command("publish_test")


@pytest.mark.django_db
def test_command_refuses_a_suspended_user() -> None:
    stream = StreamFactory(is_suspended=True)

    with pytest.raises(CommandError, match="suspended from going live"):
        call_command("publish_test", "--user", stream.username)
