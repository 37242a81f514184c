"""``manage.py ingest``: take broadcasts over RTMP."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from common import garbage
from common.descriptors import raise_descriptor_limit
from common.heartbeat import show_host, show_life
from live.ingest.run import PortTaken, run
from videos.queue import this_host
from videos.transcoding.layers import layer_reasons


class Command(BaseCommand):
    help = "Receive broadcasts over RTMP, encode and serve them, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.RTMP_HOST, help="address to listen on (%(default)s)")
        parser.add_argument("--port", type=int, default=settings.RTMP_PORT, help="port (%(default)s)")

    def handle(self, *_args: Any, **options: Any) -> None:
        self.stdout.write(f"Limit of open files and connections: {raise_descriptor_limit()}.")
        garbage.settle()
        try:
            run(options["host"], options["port"], show_life=report)
        except PortTaken as taken:
            raise CommandError(f"{taken}. Choose another with RTMP_PORT.") from taken


def report() -> None:
    """Write the ingest's heartbeat, and the layers of FFmpeg's sandbox on this machine."""
    show_life("ingest")
    show_host(f"{this_host()} (ingest)", {"sandbox": layer_reasons()})
