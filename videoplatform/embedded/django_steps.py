"""The preparation steps that need Django, as a process of its own, started by ``preparation``.

On failure, the last line of its output is the error message for a person.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count

import django
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from videoplatform.staticfiles import AssetStorage

PROBE_KEY = "probe/start"
# A busy machine may need long for each try, so both limits must be exceeded.
PATIENCE_S = 40.0
LEAST_TRIES = 20
IDLE_NICENESS = 15


def migrate() -> None:
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        # preparation parses this line to show the progress of the migrations.
        print(f"Migrations to apply: {len(plan)}", flush=True)
        call_command("migrate", interactive=False)
        administrators = get_user_model().objects.filter(is_superuser=True, is_active=True)
        # preparation parses this line, too.
        print(f"Administrators: {administrators.count()}", flush=True)
    except DatabaseError as error:
        raise SystemExit(f"The database (DATABASE_URL) refused the connection: {one_line(error)}") from error
    except CommandError as error:
        raise SystemExit(one_line(error)) from error


def collectstatic() -> None:
    """Collect the assets with gzip only. Brotli takes twenty times as long and runs after the start."""
    assets = asset_storage()
    if assets is not None:
        assets.uses_brotli = False
    try:
        call_command("collectstatic", interactive=False, verbosity=1)
    except (CommandError, ValueError, OSError) as error:
        raise SystemExit(f"The assets could not be built: {one_line(error)}") from error


def compress() -> None:
    """Compress the collected assets with Brotli. Processes that start afterwards serve these files."""
    os.nice(IDLE_NICENESS)
    assets = asset_storage()
    if assets is not None:
        assets.add_brotli()


def asset_storage() -> AssetStorage | None:
    """Return the storage that fingerprints assets, or None while DEBUG is on."""
    storage = storages["staticfiles"]
    return storage if isinstance(storage, AssetStorage) else None


def bucket(patience_s: float = PATIENCE_S) -> None:
    """Create the bucket and wait until it accepts an object.

    SeaweedFS answers shortly before its volumes are ready. If the storage never accepts
    one, the error names the setting to check.
    """
    from common import storage
    from videoplatform.bucket import prepare_bucket

    began = time.monotonic()
    for tries in count(1):
        try:
            prepare_bucket()
            client = storage.client()
            client.put_object(Bucket=settings.S3_BUCKET, Key=PROBE_KEY, Body=b"ready")
            client.delete_object(Bucket=settings.S3_BUCKET, Key=PROBE_KEY)
        except (BotoCoreError, ClientError) as error:
            print(f"S3 does not accept objects yet: {one_line(error)}", flush=True)
            if time.monotonic() - began > patience_s and tries >= LEAST_TRIES:
                raise SystemExit(f"S3 (S3_ENDPOINT_URL) refused the request: {one_line(error)}") from error
            time.sleep(0.2)
        else:
            return


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


STEPS: dict[str, Callable[[], None]] = {
    "migrate": migrate,
    "collectstatic": collectstatic,
    "compress": compress,
    "bucket": bucket,
    # The supervisor reports an S3 server that keeps exiting; until then it is only slow.
    "embedded-bucket": partial(bucket, patience_s=math.inf),
}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoplatform.settings")
    django.setup()
    for step in sys.argv[1:]:
        STEPS[step]()
