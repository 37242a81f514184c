"""What every test may ask for: real Redis and real S3, clean each time.

``bin/test`` starts both for the run; they are never a developer's own.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from botocore.exceptions import ClientError
from django.apps import apps
from django.conf import settings
from django.db.models.signals import post_migrate
from django.utils import translation
from hypothesis import settings as hypothesis_settings
from servestatic.middleware import ServeStaticMiddleware
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from videoplatform import storage

# How long something takes is asserted nowhere: benchmarks print it.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


class JourneysTogether(LoadFileScheduling):
    """Whole files side by side, but journeys one after the other: two browsers would starve each other."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "journeys" if path.endswith("_journeys.py") else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> JourneysTogether:
    return JourneysTogether(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run side by side: journeys begin, beside what is quick, and slow tests share the end."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (not item.path.stem.endswith("_journeys"), item.path in slow))


@pytest.fixture(autouse=True, scope="session")
def static_files_once() -> Iterator[None]:
    """Look at the static files once; to each test client's own middleware it is a third of a second."""
    found: dict[str, Any] = {}
    look = ServeStaticMiddleware.add_files_from_manifest

    def look_once(middleware: ServeStaticMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServeStaticMiddleware, "add_files_from_manifest", look_once)
        yield


@pytest.fixture(autouse=True)
def clean_redis() -> None:
    """Each test begins with an empty Redis: cache, broker, presence.

    Only on the server that bin/test started: elsewhere it may be somebody's.
    """
    if os.environ.get("TEST_SERVICES"):
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushdb()


@pytest.fixture(autouse=True)
def default_language() -> None:
    """Each test begins in the default language: a test client's request leaves its own active."""
    translation.deactivate()


@pytest.fixture
def redis_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix for keys that no other test uses."""
    return f"{request.node.nodeid}:"


@pytest.fixture(scope="session")
def run_bucket() -> str:
    """This worker's bucket, with the rules that production has."""
    storage.prepare_bucket()
    return str(settings.S3_BUCKET)


@pytest.fixture(autouse=True)
def storage_is_there(request: pytest.FixtureRequest) -> None:
    """Whoever is marked as needing storage finds this worker's bucket, whatever ran before."""
    if request.node.get_closest_marker("storage"):
        request.getfixturevalue("run_bucket")


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


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Keep the roles that migrations made: a transactional test empties every table behind itself.

    Django then makes content types and permissions anew, by ``post_migrate`` of
    each app; when the last of ours has its own, the groups get theirs back.
    """
    from django.contrib.auth.models import Group, Permission

    def named(permission: Permission) -> tuple[str, str, str]:
        return (permission.content_type.app_label, permission.content_type.model, permission.codename)

    with django_db_blocker.unblock():
        granted = {
            group.name: {named(one) for one in group.permissions.select_related("content_type")}
            for group in Group.objects.all()
        }

    def restore(**_kwargs: Any) -> None:
        known = {named(one): one for one in Permission.objects.select_related("content_type")}
        for name, names in granted.items():
            Group.objects.get_or_create(name=name)[0].permissions.set(known[one] for one in names)

    last = apps.get_app_config("live")
    post_migrate.connect(restore, sender=last, weak=False)
    yield
    post_migrate.disconnect(restore, sender=last)
