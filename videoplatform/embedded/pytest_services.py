"""A pytest plugin that ``bin/test`` names in ``PYTEST_PLUGINS``: each xdist worker has its own corner.

It must act before the settings are read, which is before any ``conftest.py``.
"""

import os

# gw0, gw1, … under xdist; the database of a run without it is 0.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

if WORKER and os.environ.get("TEST_SERVICES"):
    # A worker's Celery must not hear another's tasks, nor its cache be emptied under it.
    server = os.environ["REDIS_URL"].rpartition("/")[0]
    os.environ["REDIS_URL"] = f"{server}/{int(WORKER.removeprefix('gw')) + 1}"
    os.environ["S3_BUCKET"] = f"test-{WORKER}"
