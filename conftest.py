"""What every test may ask for: real Redis and real S3, clean each time.

``bin/test`` starts both for the run; they are never a developer's own.
"""

import os

import pytest
import redis
from botocore.exceptions import ClientError
from django.conf import settings

from videoplatform import storage


@pytest.fixture(autouse=True)
def clean_redis() -> None:
    """Each test begins with an empty Redis: cache, broker, presence.

    Only on the server that bin/test started: elsewhere it may be somebody's.
    """
    if os.environ.get("TEST_SERVICES"):
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushdb()


@pytest.fixture
def redis_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix for keys that no other test uses."""
    return f"{request.node.nodeid}:"


@pytest.fixture(scope="session")
def run_bucket() -> str:
    """This worker's bucket, with the rules that production has."""
    storage.prepare_bucket()
    return str(settings.S3_BUCKET)


@pytest.fixture
def bucket(run_bucket: str) -> str:
    """The name of an empty bucket; ``videoplatform.storage`` writes to it."""
    client = storage.client()
    storage.delete_keys(storage.keys_under(""))
    for upload in client.list_multipart_uploads(Bucket=run_bucket).get("Uploads", []):
        try:
            client.abort_multipart_upload(Bucket=run_bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
    return run_bucket
