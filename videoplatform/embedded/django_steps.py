"""The steps of preparation that need Django: a process of their own, started by ``preparation``.

Its last line of output is the sentence that a person reads when a step fails.
"""

import os
import sys
import time
from collections.abc import Callable

import django
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError

PROBE_KEY = "probe/start"
PATIENCE_S = 40.0


def migrate() -> None:
    try:
        call_command("migrate", interactive=False)
    except DatabaseError as error:
        raise SystemExit(f"The database (DATABASE_URL) refused: {one_line(error)}") from error


def collectstatic() -> None:
    try:
        call_command("collectstatic", interactive=False, clear=True, verbosity=1)
    except (CommandError, ValueError) as error:
        raise SystemExit(f"The assets could not be built: {one_line(error)}") from error


def bucket() -> None:
    """Make the bucket and wait until it takes an object.

    SeaweedFS answers a moment before its volumes are known; a storage that never
    answers is named with the setting that leads to it.
    """
    from videoplatform import storage

    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            storage.prepare_bucket()
            client = storage.client()
            client.put_object(Bucket=settings.S3_BUCKET, Key=PROBE_KEY, Body=b"ready")
            client.delete_object(Bucket=settings.S3_BUCKET, Key=PROBE_KEY)
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"S3 (S3_ENDPOINT_URL) refused: {one_line(error)}") from error
            time.sleep(0.2)
        else:
            return


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


STEPS: dict[str, Callable[[], None]] = {"migrate": migrate, "collectstatic": collectstatic, "bucket": bucket}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoplatform.settings")
    django.setup()
    for step in sys.argv[1:]:
        STEPS[step]()
