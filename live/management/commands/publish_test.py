"""``manage.py publish_test``: publish a test video with audio, to try the ingest without OBS."""

from __future__ import annotations

import signal
import subprocess
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from live import services
from live.errors import StreamSuspended
from videos.transcoding.tools import ffmpeg_path

DEMO_STREAMER = "lumi"


class Command(BaseCommand):
    help = (
        "Publish a moving test picture with audio, like an encoder, until Ctrl-C. "
        f"Without --key or --user it goes live as the demo streamer, {DEMO_STREAMER}. "
        "FFmpeg takes the stream key in its arguments, so other users of this machine can see it "
        "in the list of processes while it runs: rotate a key that matters afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url",
            default=f"rtmp://127.0.0.1:{settings.RTMP_PORT}/live",
            help="the server, without the key (default: %(default)s)",
        )
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--key", help="the stream key to publish with")
        who.add_argument(
            "--user",
            default=DEMO_STREAMER,
            help="rotate this user's stream key and use the new one (default: %(default)s)",
        )
        parser.add_argument("--seconds", type=int, help="stop after this number of seconds (default: never)")
        parser.add_argument("--size", default="1280x720", help="frame size (default: %(default)s)")
        parser.add_argument("--rate", type=int, default=30, help="frames a second (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        url, size, rate = options["url"].rstrip("/"), options["size"], options["rate"]
        key = options["key"] or self._new_key(options["user"])
        self.stdout.write(f"Publishing {size} at {rate} fps to {url}; Ctrl-C ends it.")
        self.stdout.flush()
        code = run(ffmpeg_args(f"{url}/{key}", size=size, rate=rate, seconds=options["seconds"]))
        if code:
            raise CommandError(f"FFmpeg exited with {code}. Check that an ingest listens at {url}.")
        self.stdout.write("Broadcast ended.")

    def _new_key(self, username: str) -> str:
        user = User.objects.filter(username__iexact=username).select_related("channel").first()
        if user is None:
            raise CommandError(
                f"User {username} not found. Run manage.py create_demo, or choose another user with --user."
            )
        stream = services.stream_of(user.channel)
        try:
            key = services.rotate_stream_key(stream)
        except StreamSuspended as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"A new stream key for {user.username}. Watch at {stream.get_absolute_url()}")
        return key


def ffmpeg_args(url: str, *, size: str, rate: int, seconds: int | None = None) -> list[str]:
    """Return FFmpeg's arguments to publish a test video to ``url`` in real time, a keyframe a second."""
    length = ["-t", str(seconds)] if seconds else []
    return [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error",
        "-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}",
        # A beep each second, to check that audio and video are in sync.
        "-re", "-f", "lavfi", "-i", "sine=frequency=220:beep_factor=4:sample_rate=48000",
        *length,
        "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
        "-g", str(rate), "-sc_threshold", "0", "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k",
        "-c:a", "aac", "-b:a", "128k", "-ac", "2",
        "-f", "flv", url,
    ]  # fmt: skip


def run(argv: list[str]) -> int:
    """Run FFmpeg until it ends or Ctrl-C stops it; return its exit code, 0 for Ctrl-C."""
    # A session of its own: the terminal's Ctrl-C reaches only us, and we forward it once.
    with subprocess.Popen(argv, start_new_session=True) as process:
        stop = _Stop(process)
        was = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            code = process.wait()
        finally:
            process.kill()
            for number, handler in was.items():
                signal.signal(number, handler)
    return 0 if stop.was_asked else code


class _Stop:
    """Signal handler that interrupts FFmpeg, and kills it on the second signal."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.was_asked = False
        self._process = process

    def __call__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGKILL if self.was_asked else signal.SIGINT)
        self.was_asked = True
