"""A pytest plugin, named in ``PYTEST_PLUGINS`` by ``bin/test``: a Redis server and bucket for each worker.

It must run before the settings are read, thus before any ``conftest.py``.
"""

import atexit
import os
from pathlib import Path
from urllib.parse import urlsplit

from videoplatform.tests.valkey import Valkey

# gw0, gw1, … under xdist; a run without xdist uses the server of bin/test.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

if WORKER and os.environ.get("TEST_SERVICES"):
    # A worker must not receive tasks of another worker, or have its cache cleared by it. A
    # database of its own is not enough: all databases of a server share the channels of pub/sub.
    directory = Path(os.environ["DATA_DIR"]) / f"valkey-{WORKER}"
    directory.mkdir(exist_ok=True)
    valkey = Valkey(directory, urlsplit(os.environ["REDIS_URL"]).password or "")
    valkey.start()
    atexit.register(valkey.stop)
    os.environ["REDIS_URL"] = valkey.url
    os.environ["S3_BUCKET"] = f"test-{WORKER}"
