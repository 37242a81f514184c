"""The contract with other programs: paths, fields and codes never change; new ones may be added.

The OpenAPI document must match it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from accounts.tests.factories import PASSWORD, UserFactory
from live.tests.factories import BroadcastFactory
from videos.tests.factories import VideoFactory

VIDEO = (
    "id title description status progress_percent is_playable failure{code detail} visibility "
    "duration_s width_px height_px channel views likes created_at published_at "
    "playback{hls_url poster_url storyboard_url captions{language label url}}"
)
LIVE = "status title started_at viewer_count playback{hls_url poster_url} chat{websocket_path}"
COMMENT = "id author text created_at reply_count like_count is_pinned"
FLYING = "id offset_ms text mode color"
CAPTIONS = "language label url"
# Method and path: the inputs of query or body, optional ones in brackets; the status and
# the output fields. For a list, these are the fields of its items.
ENDPOINTS = {
    ("post", "accounts/register/"): ("username email password", 201, "username token"),
    ("post", "accounts/token/"): ("username password [code]", 200, "token"),
    ("get", "accounts/me/"): ("", 200, "username email display_name bio avatar_url is_moderator"),
    ("patch", "accounts/me/"): (
        "[display_name bio]",
        200,
        "username email display_name bio avatar_url is_moderator",
    ),
    ("get", "channels/{username}/"): ("", 200, "username display_name bio follower_count is_following live"),
    ("put", "channels/{username}/follow/"): ("", 204, ""),
    ("delete", "channels/{username}/follow/"): ("", 204, ""),
    ("post", "videos/"): (
        "title filename size_bytes [content_type description tags category visibility]",
        201,
        "id status upload{part_size_bytes part_count parts{number url} expires_at}",
    ),
    ("get", "videos/{id}/upload/"): ("", 200, "part_size_bytes part_count uploaded{number etag size_bytes}"),
    ("post", "videos/{id}/upload/parts/"): ("numbers", 200, "parts{number url}"),
    ("post", "videos/{id}/upload/complete/"): ("parts{number etag}", 202, VIDEO),
    ("delete", "videos/{id}/upload/"): ("", 204, ""),
    ("get", "videos/"): ("[q tag category channel ordering length cursor]", 200, VIDEO),
    ("get", "videos/{id}/"): ("", 200, VIDEO),
    ("patch", "videos/{id}/"): ("[title description tags category visibility]", 200, VIDEO),
    ("delete", "videos/{id}/"): ("", 204, ""),
    ("put", "videos/{id}/like/"): ("", 204, ""),
    ("delete", "videos/{id}/like/"): ("", 204, ""),
    ("post", "videos/{id}/views/"): ("position_s [session]", 200, "session"),
    ("get", "videos/{id}/captions/"): ("", 200, CAPTIONS),
    ("post", "videos/{id}/captions/"): ("language file", 201, CAPTIONS),
    ("delete", "videos/{id}/captions/{language}/"): ("", 204, ""),
    ("get", "videos/{id}/comments/"): ("[cursor]", 200, COMMENT),
    ("post", "videos/{id}/comments/"): ("text [parent]", 201, COMMENT),
    ("patch", "comments/{id}/"): ("[text]", 200, COMMENT),
    ("delete", "comments/{id}/"): ("", 204, ""),
    ("get", "videos/{id}/danmaku/"): ("[from_s to_s]", 200, FLYING),
    ("post", "videos/{id}/danmaku/"): ("offset_ms text [mode color]", 201, FLYING),
    ("post", "reports/"): ("target_type target_id reason [detail]", 201, "id"),
    ("get", "live/"): ("[cursor]", 200, LIVE),
    ("get", "live/{username}/"): ("", 200, LIVE),
    ("patch", "live/{username}/"): ("[title category latency record]", 200, LIVE),
    ("post", "live/{username}/stream-key/"): ("", 201, "ingest_url stream_key"),
    ("post", "live/{username}/end/"): ("", 204, ""),
    ("post", "live/{username}/heartbeat/"): ("[session]", 200, "session viewer_count"),
    ("post", "live/{username}/chat/ticket/"): ("", 200, "ticket expires_at"),
    ("get", "live/{username}/health/"): (
        "",
        200,
        "bitrate_bps fps width_px height_px keyframe_interval_s dropped_frames verdict",
    ),
    ("get", "live/{username}/chat/"): ("[before]", 200, "id user{username display_name} text sent_at"),
}
PAGES = {
    "/": 200,
    "/search/": 200,
    "/accounts/login/": 200,
    "/accounts/signup/": 200,
    "/upload/": 302,
    "/studio/": 302,
    "/live/": 200,
    "/admin/": 302,
    "/api/schema/": 200,
    "/api/docs/": 200,
    "/healthz": 200,
}
WORDS = {
    "visibility": {"public", "unlisted", "private"},
    "status": {"uploading", "processing", "ready", "failed"},
    "failure": {
        "empty_file", "not_media", "no_streams", "unsupported_codec", "encrypted", "limits_exceeded",
        "references_outside", "decode_failed", "storage_failed", "encode_failed",
    },
    "length": {"short", "medium", "long"},
    "ordering": {"-published_at", "-views", "-likes"},
    "reason": {
        "spam", "harassment", "hate", "sexual", "violence", "child_safety", "copyright", "privacy",
        "misinformation", "other",
    },
    "target_type": {"video", "comment", "danmaku", "chat_message", "channel"},
    "live status": {"offline", "live", "reconnecting"},
}  # fmt: skip


def keys(body: dict[str, Any]) -> set[str]:
    return set(body)


@pytest.fixture(scope="module")
def document() -> Any:
    return SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]


def schema_of(node: Any, document: Any) -> dict[str, Any]:
    """Return the object schema of ``node``: references and nullable types resolved, the items of a list."""
    while True:
        if "$ref" in node:
            node = document["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
        elif "allOf" in node:
            (node,) = node["allOf"]
        elif "items" in node:
            node = node["items"]
        elif "results" in node.get("properties", {}):
            assert set(node["properties"]) >= {"results", "next", "previous"}
            node = node["properties"]["results"]
        else:
            return dict(node)


def missing(fields: str, node: Any, document: Any) -> list[str]:
    """Return the ``fields`` that the schema does not require, nested ones with dots."""
    schema = schema_of(node, document)
    lost = []
    for name, inner in re.findall(r"(\w+)(?:\{((?:[^{}]|\{[^{}]*\})*)\})?", fields):
        if name not in schema.get("required", []):
            lost.append(name)
        elif inner:
            lost += [f"{name}.{one}" for one in missing(inner, schema["properties"][name], document)]
    return lost


def test_openapi_document_has_every_endpoint_of_the_contract(document: Any) -> None:
    documented = {(method, path) for path, methods in document["paths"].items() for method in methods}

    assert {(method, f"/api/v1/{path}") for method, path in ENDPOINTS} - documented == set()


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_endpoint_accepts_the_inputs_of_the_contract(method: str, path: str, document: Any) -> None:
    required, _, optional = ENDPOINTS[method, path][0].partition("[")
    operation = document["paths"][f"/api/v1/{path}"][method]
    (body, *_) = operation.get("requestBody", {}).get("content", {"none": {"schema": {}}}).values()
    schema = schema_of(body["schema"], document)
    queries = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}

    assert missing(required, body["schema"], document) == []
    assert set(schema.get("required", [])) == set(re.sub(r"\{.*\}", "", required).split())
    assert set(optional.strip("]").split()) - queries - set(schema.get("properties", {})) == set()


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_endpoint_answers_the_fields_of_the_contract(method: str, path: str, document: Any) -> None:
    """Check only the documented fields; ``test_openapi.py`` checks real answers against the document."""
    _, status, fields = ENDPOINTS[method, path]

    answer = document["paths"][f"/api/v1/{path}"][method]["responses"][str(status)]

    content = answer.get("content", {}).get("application/json")
    assert (content is None) == (status == 204)
    assert content is None or missing(fields, content["schema"], document) == []


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "status"), PAGES.items())
def test_page_has_its_address_and_status(path: str, status: int) -> None:
    assert APIClient().get(path).status_code == status


@pytest.mark.django_db
def test_pages_of_video_and_channel_have_their_addresses() -> None:
    video = VideoFactory()

    answers = {
        path: APIClient().get(path).status_code
        for path in (
            f"/watch/{video.public_id}/",
            f"/@{video.channel.username}/",
            f"/embed/{video.public_id}/",
            f"/oembed/?url=http://testserver/watch/{video.public_id}/",
        )
    }

    assert set(answers.values()) == {200}, answers


def test_enums_have_the_values_of_the_contract(document: Any) -> None:
    video, live, report = (
        document["components"]["schemas"][name] for name in ("Video", "Live", "ReportRequest")
    )
    failure = schema_of(video["properties"]["failure"], document)
    listing = {
        one["name"]: one["schema"] for one in document["paths"]["/api/v1/videos/"]["get"]["parameters"]
    }
    fields = {
        "visibility": video["properties"]["visibility"],
        "status": video["properties"]["status"],
        "failure": failure["properties"]["code"],
        "length": listing["length"],
        "ordering": listing["ordering"],
        "reason": report["properties"]["reason"],
        "target_type": report["properties"]["target_type"],
        "live status": live["properties"]["status"],
    }

    lost = {name: WORDS[name] - set(schema_of(field, document)["enum"]) for name, field in fields.items()}

    assert {name: words for name, words in lost.items() if words} == {}


@pytest.mark.django_db
@pytest.mark.redis
def test_person_registers_signs_in_and_reads_their_account() -> None:
    client = APIClient()
    registered = client.post(
        "/api/v1/accounts/register/",
        {"username": "alice", "email": "alice@example.org", "password": PASSWORD},
        format="json",
    )
    token = client.post("/api/v1/accounts/token/", {"username": "alice", "password": PASSWORD}, format="json")
    client.credentials(HTTP_AUTHORIZATION=f"Token {token.json()['token']}")
    me = client.get("/api/v1/accounts/me/")

    assert (registered.status_code, token.status_code, me.status_code) == (201, 200, 200)
    assert keys(registered.json()) >= {"username", "token"}
    assert keys(me.json()) >= {"username", "email", "display_name", "bio", "avatar_url", "is_moderator"}


@pytest.mark.django_db
@pytest.mark.redis
def test_channel_is_followed_and_unfollowed() -> None:
    UserFactory(username="alice")
    client = APIClient()
    client.force_authenticate(UserFactory())
    path = "/api/v1/channels/alice/"

    followed = client.put(f"{path}follow/").status_code
    channel = client.get(path).json()
    left = client.delete(f"{path}follow/").status_code

    assert (followed, left) == (204, 204)
    assert keys(channel) >= {"username", "display_name", "bio", "follower_count", "is_following", "live"}
    assert (channel["follower_count"], channel["is_following"]) == (1, True)


@pytest.mark.django_db
@pytest.mark.redis
def test_lists_and_errors_have_a_common_format() -> None:
    VideoFactory()
    client = APIClient()

    listed = client.get("/api/v1/videos/").json()
    missing = client.get("/api/v1/videos/nothing/")
    refused = client.post("/api/v1/videos/", {}, format="json")

    assert keys(listed) == {"results", "next", "previous"}
    assert (missing.status_code, refused.status_code) == (404, 401)
    for answer in (missing.json(), refused.json()):
        assert answer["type"] in {"validation_error", "client_error", "server_error"}
        assert keys(answer["errors"][0]) == {"code", "detail", "attr"}


@pytest.mark.django_db
def test_watch_page_has_a_player_with_a_video_element() -> None:
    video = VideoFactory()

    page = APIClient().get(reverse("watch", args=[video.public_id])).content.decode()

    assert "data-player" in page
    assert "<video" in page


@pytest.mark.django_db
@pytest.mark.redis
def test_times_are_iso_8601_in_utc() -> None:
    video = VideoFactory()

    body = APIClient().get(f"/api/v1/videos/{video.public_id}/").json()

    for name in ("created_at", "published_at"):
        assert body[name].endswith("Z")
        assert datetime.fromisoformat(body[name]) == getattr(video, name)


@pytest.mark.django_db
@pytest.mark.redis
def test_playable_video_has_a_playlist_before_it_is_ready() -> None:
    early = VideoFactory(status="processing", is_playable=True, published_at=None)
    too_early = VideoFactory(status="processing", is_playable=False, published_at=None)

    plays = APIClient().get(f"/api/v1/videos/{early.public_id}/").json()["playback"]
    waits = APIClient().get(f"/api/v1/videos/{too_early.public_id}/").json()["playback"]

    assert plays["hls_url"].endswith(".m3u8")
    assert waits is None


@pytest.mark.django_db
@pytest.mark.redis
@pytest.mark.usefixtures("slow_limits")
def test_throttled_answer_has_retry_after() -> None:
    body = {"username": "alice", "password": "wrong"}

    answers = [APIClient().post("/api/v1/accounts/token/", body, format="json") for _ in range(11)]

    assert (answers[0].status_code, answers[-1].status_code) == (401, 429)
    assert int(answers[-1]["Retry-After"]) > 0


@pytest.mark.django_db
@pytest.mark.redis
def test_stream_and_chat_are_found_by_username() -> None:
    BroadcastFactory(stream__channel=UserFactory(username="alice").channel)

    stream = APIClient().get("/api/v1/live/alice/").json()

    assert stream["chat"] == {"websocket_path": "/ws/live/alice/chat/"}
    assert stream["playback"]["hls_url"].endswith(".m3u8")
    assert APIClient().get("/@alice/live/").status_code == 200
