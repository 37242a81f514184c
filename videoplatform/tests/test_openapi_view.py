"""Tests that the OpenAPI document is rendered once for each language and format."""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from videoplatform.asgi import schema_rendering
from videoplatform.openapi_view import document, render_ahead

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_rendered() -> None:
    schema_rendering.join(60)
    document.cache_clear()


def test_document_is_rendered_before_any_request(client: Client) -> None:
    render_ahead().join(60)
    renderers = ["application/vnd.oai.openapi", "application/yaml", "application/json"]

    with mock.patch.object(SchemaGenerator, "get_schema") as render:
        answers = [
            client.get("/api/schema/", headers={"Accept": accepted, "Accept-Language": language})
            for accepted in renderers
            for language, _name in settings.LANGUAGES
        ]

    assert [answer.status_code for answer in answers] == [200] * len(answers)
    render.assert_not_called()


def test_document_is_rendered_once_for_each_language_and_format(client: Client) -> None:
    render = mock.Mock(wraps=SchemaGenerator.get_schema)
    asked = ["", "?lang=en", "?format=json", "?lang=zh-hans", "?lang=nonsense", "?version=2"]

    with mock.patch.object(SchemaGenerator, "get_schema", autospec=True, side_effect=render):
        statuses = [client.get(f"/api/schema/{query}").status_code for query in asked * 2]

    assert statuses == [200] * 12
    assert render.call_count == 3


def test_rendering_does_not_look_for_geographic_libraries() -> None:
    render_ahead().join(60)

    assert "django.contrib.gis" not in sys.modules


def test_unchanged_document_is_answered_304(client: Client) -> None:
    first = client.get("/api/schema/?format=json")

    again = client.get("/api/schema/?format=json", headers={"If-None-Match": first.headers["ETag"]})
    other = client.get("/api/schema/", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert (other.status_code, first.headers["Content-Type"]) == (
        200,
        "application/vnd.oai.openapi+json; charset=utf-8",
    )


@pytest.mark.parametrize(("query", "header"), [("?lang=zh-hans", "en"), ("", "zh-CN")])
def test_document_is_in_the_requested_language(client: Client, query: Any, header: str) -> None:
    english = client.get("/api/schema/?lang=en").content

    assert client.get(f"/api/schema/{query}", headers={"Accept-Language": header}).content != english
