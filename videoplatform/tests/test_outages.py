"""Tests of outages: with an engine away, every address answers as usual or with 503, never with 500."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
import redis
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client, RequestFactory
from kombu.exceptions import OperationalError as BrokerError

from common.outages import RETRY_AFTER_S, is_outage, unavailable
from common.wakeups import send_soon
from live import ingest_presence
from live.models import Broadcast
from videoplatform.celery import app
from videoplatform.tests import test_permission_matrix_admin as admin_table
from videoplatform.tests import test_permission_matrix_api as api_table
from videoplatform.tests import test_permission_matrix_pages as pages_table
from videoplatform.tests.askers import Asker, Row, answers, expected, send, surprises
from videoplatform.tests.conftest import point_to
from videoplatform.tests.valkey import Valkey, free_port
from videoplatform.tests.world import HEALTH, World, world
from videos.models import Video
from videos.tasks import sweep

__all__ = ["world"]  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.storage]


@dataclass(frozen=True, slots=True)
class Table:
    """Requests of one person with their usual answers."""

    asker: Asker
    rows: tuple[Row, ...]
    bodies: dict[str, dict[str, Any]]

    @property
    def expected(self) -> dict[str, str]:
        return expected(self.rows, self.asker)


TABLES = [
    Table(Asker.OWNER, pages_table.PAGES, pages_table.BODIES),
    Table(Asker.OWNER, api_table.API, api_table.BODIES),
    Table(Asker.ADMINISTRATOR, admin_table.DESK, admin_table.BODIES),
]
# The ingest stores the signal's state only in Redis.
NEEDS_REDIS = {"GET /api/v1/live/{owner}/health/": "503, not 200"}


def surprising(world: World) -> dict[str, str]:
    """Return all answers that differ from the usual ones."""
    found: dict[str, str] = {}
    for table in TABLES:
        client = client_of(world, table)
        found |= surprises(answers(client, table.rows, names_of(world), table.bodies), table.expected)
    return found


def client_of(world: World, table: Table) -> Client:
    client = world.client(table.asker)
    client.raise_request_exception = False
    return client


def names_of(world: World) -> dict[str, str]:
    return world.names | {
        "video_type": str(ContentType.objects.get_for_model(Video).pk),
        "public_pk": str(world.rows["public"].pk),
        "person_pk": str(world.person("person").pk),
    }


@pytest.mark.slow
@pytest.mark.any_database
def test_requests_without_redis_are_answered_as_usual(world: World, settings: Any) -> None:
    point_to(settings, f"redis://127.0.0.1:{free_port()}/0")

    assert surprising(world) == NEEDS_REDIS


@pytest.mark.slow
@pytest.mark.any_database
def test_requests_with_a_full_redis_are_answered_as_usual(world: World, own_valkey: Valkey) -> None:
    (stream,) = Broadcast.objects.running().filter(stream=world.rows["stream"])
    ingest_presence.record_health(stream.public_id, HEALTH)
    own_valkey.fill()

    assert surprising(world) == {}


@pytest.mark.slow
@pytest.mark.any_database
def test_requests_without_database_are_never_a_500(world: World) -> None:
    names = names_of(world)
    clients = {table.asker: client_of(world, table) for table in TABLES}
    asked = [(table, row) for table in TABLES for row in table.rows]

    # The class, for a new error each time: the traceback of one that is raised again grows.
    with mock.patch.object(BaseDatabaseWrapper, "_cursor", side_effect=OperationalError):
        found = {
            row.request: send(clients[table.asker], row, names, table.bodies.get(row.request, {}))
            for table, row in asked
        }

    assert [request for request, answer in found.items() if answer.status_code == 500] == []
    refused = [answer for answer in found.values() if answer.status_code == 503]
    assert {answer.headers.get("Retry-After") for answer in refused} == {str(RETRY_AFTER_S)}


@pytest.mark.slow
@pytest.mark.any_database
def test_requests_without_storage_fail_only_if_they_store(world: World) -> None:

    def fail(*_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    with mock.patch.object(BaseClient, "_make_api_call", side_effect=fail):
        found = surprising(world)

    # A form comes back with the error message.
    assert {word.split(",")[0] for word in found.values()} <= {"503", "503!", "422"}
    # Only the storage knows the parts that have arrived, and the places of a storyboard's stills.
    read = [request for request in found if request.startswith("GET") and "storyboard.vtt" not in request]
    assert read == ["GET /api/v1/videos/{uploading}/upload/"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis.ConnectionError(), True),
        (redis.exceptions.OutOfMemoryError(), True),
        (redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"), True),
        (redis.ResponseError("Link with MASTER is down", status_code="MASTERDOWN"), True),
        (redis.ResponseError("Hash slot not served", status_code="CLUSTERDOWN"), True),
        (redis.ResponseError("No such key", status_code="NOSCRIPT"), False),
        (redis.ResponseError("WRONGTYPE"), False),
        (BrokerError(), True),
        (EndpointConnectionError(endpoint_url=""), True),
        (OperationalError(), True),
        (ValueError(), False),
        (None, False),
    ],
)
def test_outage_is_distinguished_from_a_bug(error: Exception | None, expected: bool) -> None:
    assert is_outage(error) is expected


def test_wrong_statement_is_no_outage() -> None:
    with pytest.raises(DatabaseError) as raised, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")

    assert not is_outage(raised.value)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "Nothing is lost. Try again in a few seconds."), ("zh-CN", "内容不会丢失，请几秒后再试。")],
)
def test_outage_page_is_in_the_reader_s_language(language: str, sentence: str) -> None:
    requests = [
        RequestFactory().get(path, headers={"Accept-Language": language}) for path in ("/", "/api/v1/")
    ]

    page, call = (unavailable(request) for request in requests)

    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert sentence in page.content.decode()
    body = json.loads(call.content)
    assert (body["type"], body["errors"][0]["code"]) == ("server_error", "unavailable")
    assert sentence in body["errors"][0]["detail"]


def test_broker_that_is_away_is_not_waited_for(dead_redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.conf, "broker_url", dead_redis)

    with mock.patch.object(app, "send_task") as sent:
        send_soon(sweep, queue="default")

    assert not sent.called


def test_full_broker_does_not_fail_a_request() -> None:
    with mock.patch.object(app, "send_task", side_effect=redis.exceptions.OutOfMemoryError) as sent:
        send_soon(sweep, queue="default")

    assert sent.called
