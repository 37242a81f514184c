"""Tests that real answers of the API conform to its OpenAPI document, for any request and user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.generation import GenerationMode

from accounts.models import Channel, User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tokens import create_token
from comments.models import Comment
from comments.tests.factories import CommentFactory, DanmakuFactory
from common import storage
from live import ingest_presence
from live.tests.factories import BroadcastFactory, ChatMessageFactory, StreamFactory
from videoplatform.tests.askers import undone
from videos.models import ChannelImport, Clip, Playlist, PlaylistItem, Video
from videos.services import create_playback_token, request_transcription, start_upload
from videos.services.access import password_fields
from videos.tests.factories import VideoFactory, add_track

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ACTORS = ["anonymous", "impostor", "owner", "administrator"]
OPERATIONS = [
    f"{method} {path}"
    for path, _regex, method, _view in EndpointEnumerator().get_api_endpoints()  # type: ignore[no-untyped-call]
    if path.startswith("/api/v1/")
]
EXAMPLES = 10  # for each operation, besides its boundary cases
# The objects that an operation names, where its path says something else.
RESOURCES = {"history": "videos"}
CAPTIONS = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n"


@cache
def document() -> Any:
    """Return the OpenAPI document, whose calls reach the application in this process and transaction."""
    loaded = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))  # type: ignore[no-untyped-call]
    loaded.app = get_wsgi_application()
    return loaded


def operation_of(label: str) -> Any:
    method, path = label.split()
    return document()[path][method]


@dataclass
class ApiWorld:
    """The existing objects as path parameters: the owner's first, then another person's."""

    tokens: dict[str, str] = field(default_factory=dict)
    usernames: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    danmaku: list[str] = field(default_factory=list)
    clips: list[str] = field(default_factory=list)
    playlists: list[str] = field(default_factory=list)
    channel_imports: list[str] = field(default_factory=list)
    playback_token: str = ""
    trimmed: str = ""

    def known(self, label: str) -> dict[str, Any]:
        """Return the values that an operation's body needs in order to succeed."""
        bodies: dict[str, dict[str, Any]] = {
            "POST /api/v1/accounts/register/": {
                "username": "newcomer",
                "email": "newcomer@example.org",
                "password": PASSWORD,
            },
            "POST /api/v1/accounts/token/": {"username": "owner", "password": PASSWORD},
            "POST /api/v1/reports/": {"target_type": "comment", "target_id": self.comments[1]},
            "POST /api/v1/channel-imports/": {"address": "walks@video.example"},
            "POST /api/v1/playlists/": {"title": "A list"},
            "POST /api/v1/videos/import/": {"url": "https://example.org/film.mp4"},
            "POST /api/v1/videos/{id}/edition/import/": {"url": "https://example.org/film.mp4"},
            "POST /api/v1/videos/{id}/edition/trim/": {"parts": [{"start_s": 1, "end_s": 4}]},
            "POST /api/v1/videos/{id}/edition/upload/": {"filename": "b.mp4", "size_bytes": 5},
            "POST /api/v1/videos/{id}/audio-tracks/": {
                "filename": "a.m4a",
                "size_bytes": 5,
                "language": "fr",
            },
            "PUT /api/v1/videos/{id}/audio-tracks/{track}/": {"language": "fr"},
            "POST /api/v1/videos/{id}/clips/": {"start_s": 1, "end_s": 7},
            "POST /api/v1/videos/{id}/unlock/": {"password": PASSWORD},
            "POST /api/v1/videos/{id}/playback-tokens/": {
                "domains": ["example.org"],
                "expires_at": (timezone.now() + timedelta(days=1)).isoformat(),
            },
            "PUT /api/v1/videos/{id}/captions/{language}/": {"webvtt": CAPTIONS.decode(), "based_on": ""},
            "PATCH /api/v1/videos/{id}/poster/": {"choice": 0},
            "POST /api/v1/videos/{id}/transcription/": {"language": "fr"},
            "POST /api/v1/videos/{id}/captions/": {"language": "fr", "file": CAPTIONS},
            "POST /api/v1/videos/{id}/comments/": {"text": "Hello", "parent": self.comments[0]},
            "POST /api/v1/videos/{id}/danmaku/": {"text": "Hello", "offset_ms": 1000},
        }
        return bodies.get(label, {})

    def targets(self, path: str) -> list[dict[str, str]]:
        if "{username}" in path:
            return [{"username": username} for username in self.usernames]
        if "{video_id}" in path:
            return [{"id": one, "video_id": video} for one in self.playlists for video in self.videos[:2]]
        if "{language}" in path:
            return [{"id": video, "language": language} for video in self.videos for language in ("en", "de")]
        if "{track}" in path:
            return [{"id": video, "track": "track-1"} for video in self.videos]
        if "{token_id}" in path:
            return [{"id": video, "token_id": self.playback_token} for video in self.videos]
        if path.endswith("/restore/"):
            return [{"id": self.trimmed}, *({"id": video} for video in self.videos)]
        if path.endswith("/unlock/"):
            return [{"id": video} for video in self.videos[-2:]]
        if "{id}" in path:
            resource = path.removeprefix("/api/v1/").split("/")[0].replace("-", "_")
            return [{"id": one} for one in getattr(self, RESOURCES.get(resource, resource))]
        return [{}]


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Keep requests on the test's connection, as Django's own client does, so that they see its rows."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(db: None, one_connection: None, bucket: str, settings: Any) -> ApiWorld:
    settings.RATE_LIMITS = False
    # The slow hash is meant to stop guessing; it takes a quarter of a second for each
    # password.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    owner, somebody = UserFactory(username="owner"), UserFactory(username="somebody")
    administrator = UserFactory(username="administrator", is_staff=True, is_superuser=True)
    people = {"owner": owner, "administrator": administrator}
    tokens = {name: create_token(user=user)[1] for name, user in people.items()}
    world = ApiWorld(tokens | {"impostor": "0" * 64}, usernames=[owner.username, somebody.username])
    own, others = VideoFactory(channel=owner.channel), VideoFactory(channel=somebody.channel)
    second = VideoFactory(channel=owner.channel)
    offer_poster(own)
    add_track(own, "track-1")
    storage.client().put_object(Bucket=settings.S3_BUCKET, Key=own.source_key, Body=b"a source")
    VideoFactory(
        edition_of=own,
        edition_kind=Video.EditionKind.REPLACEMENT,
        channel=owner.channel,
        status=Video.Status.FAILED,
        failure_code="encode_failed",
        encoded=False,
    )
    settings.CAPTIONS_MODEL = "base"
    request_transcription(own)
    upload = start_upload(channel=owner.channel, title="On its way", filename="a.mp4", size_bytes=3)
    failed = VideoFactory(channel=owner.channel, status=Video.Status.FAILED, failure_code="not_media")
    secret = VideoFactory(channel=somebody.channel, visibility=Video.Visibility.PRIVATE)
    locked = VideoFactory(
        channel=somebody.channel, visibility=Video.Visibility.PASSWORD, **password_fields(PASSWORD)
    )
    times = {"title": "Moment", "start_s": 1.0, "end_s": 7.0}
    clips = [(own, owner), (others, somebody), (locked, somebody), (None, owner)]
    world.clips = [Clip.objects.create(video=video, maker=maker, **times).public_id for video, maker in clips]
    for person in (owner, somebody):
        playlist = Playlist.objects.create(owner=person, title="A list", visibility="public")
        PlaylistItem.objects.create(playlist=playlist, video=own, position=0)
        world.playlists.append(playlist.public_id)
    world.channel_imports = [
        listed_channel(person.channel, status).public_id
        for person, status in [(owner, "done"), (owner, "waiting"), (somebody, "done")]
    ]
    cut = VideoFactory(channel=owner.channel, kept_parts=[[1, 9]])
    storage.client().put_object(Bucket=settings.S3_BUCKET, Key=cut.source_key, Body=b"a source")
    world.trimmed = cut.public_id
    world.videos = [video.public_id for video in (own, second, upload.video, failed, others, secret, locked)]
    in_a_day = timezone.now() + timedelta(days=1)
    token, _secret = create_playback_token(own, domains=["example.org"], expires_at=in_a_day)
    world.playback_token = token.public_id
    for video in (own, others):
        video.captions.create(language="en", key=f"{video.prefix}captions/en.vtt", cue_count=1)
        talk_about(video, owner, somebody, world)
    for person in (owner, somebody):
        ChatMessageFactory(stream=StreamFactory(channel=person.channel), user=person)
    ingest_presence.record_health(BroadcastFactory(stream=owner.channel.stream).public_id, HEALTH)
    return world


def listed_channel(channel: Channel, status: str) -> ChannelImport:
    """Return a channel import with one video that was found."""
    row = ChannelImport.objects.create(
        channel=channel, kind="peertube", address="walks@video.example", status=status
    )
    details = {"media_url": "https://video.example/1.mp4", "description": "", "category": "other", "tags": []}
    row.items.create(source_id="1", position=0, title="Walk", visibility="public", details=details)
    return row


def offer_poster(video: Video) -> None:
    """Store one still that the owner of ``video`` may choose."""
    video.storyboard_key = f"{video.encode_prefix}storyboard-1/index.vtt"
    video.poster_times_s = [1.0]
    video.save(update_fields=["storyboard_key", "poster_times_s"])
    storage.put_bytes(video.poster_choices[0][0], b"a still")


def talk_about(video: Video, owner: User, somebody: User, world: ApiWorld) -> None:
    comment = CommentFactory(target=video, author=owner)
    comments: list[Comment] = [
        comment,
        CommentFactory(target=video, author=somebody, parent=comment),
        CommentFactory(target=video, author=somebody, is_held=True),
    ]
    world.comments += [comment.public_id for comment in comments]
    world.danmaku += [DanmakuFactory(target=video, author=one).public_id for one in (owner, somebody)]


HEALTH: dict[str, Any] = {
    "bitrate_bps": 3_000_000,
    "fps": 30.0,
    "width_px": 1280,
    "height_px": 720,
    "keyframe_interval_s": None,
    "dropped_frames": 0,
    "verdict": "good",
    "advice": [],
}


def aim(case: Any, target: dict[str, str], known: dict[str, Any]) -> None:
    """Point ``case`` at existing objects, in the fields that it already has."""
    case.path_parameters |= target
    if isinstance(case.body, dict):
        case.body |= {name: value for name, value in known.items() if name in case.body}


def ask(case: Any, actor: str, world: ApiWorld) -> int:
    """Send ``case``, check the answer against the document, and roll back all changes."""
    token = world.tokens.get(actor)
    headers = {"Authorization": f"Token {token}"} if token else None
    with undone():
        answer = case.call_and_validate(headers=headers, checks=CHECKS)
    return int(answer.status_code)


def test_document_is_valid_and_generated_without_warnings(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.parametrize("label", OPERATIONS)
def test_boundary_cases_of_an_operation_are_documented(label: str, world: ApiWorld) -> None:
    operation, known = operation_of(label), world.known(label)
    cases: Iterator[Any] = document().iter_coverage_cases(
        operation,
        generation_modes=list(GenerationMode),
        generation_config=document().config.generation,
    )
    succeeded = False

    for case, target in zip(cases, cycle(world.targets(operation.path)), strict=False):
        is_sensible = case.meta.generation.mode is GenerationMode.POSITIVE
        aim(case, target, known if is_sensible else {})
        status = ask(case, "owner", world)
        succeeded |= status < 300 and case.method == operation.method.upper()

    # Otherwise only refusals were checked against the document.
    assert succeeded


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.storage
@pytest.mark.parametrize("label", OPERATIONS)
def test_random_requests_to_an_operation_are_documented(label: str, world: ApiWorld) -> None:
    operation, known = operation_of(label), world.known(label)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=st.one_of([operation.as_strategy(mode) for mode in GenerationMode]),
        actor=st.sampled_from(ACTORS),
        target=st.sampled_from([*world.targets(operation.path), {}]),
        is_sensible=st.booleans(),
    )
    def answers(case: Any, actor: str, target: dict[str, str], is_sensible: bool) -> None:
        aim(case, target, known if is_sensible else {})
        ask(case, actor, world)

    answers()
