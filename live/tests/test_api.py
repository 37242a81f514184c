"""Tests of the live API's documented answers."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import UserFactory
from live import ingest_presence
from live.ingest import turns
from live.ingest_presence import Awaited
from live.models import Broadcast, Stream
from live.tests.factories import BroadcastFactory, ChatMessageFactory, ReplayedFactory, StreamFactory
from videos.models import Video

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

STATE = {
    "username",
    "status",
    "title",
    "started_at",
    "viewer_count",
    "playback",
    "chat",
    "category",
    "latency",
}
HEALTH = {
    "bitrate_bps": 3_000_000,
    "fps": 30.0,
    "width_px": 1280,
    "height_px": 720,
    "keyframe_interval_s": 1.0,
    "dropped_frames": 0,
    "verdict": "good",
    "advice": [],
}


def path_of(stream: Stream, rest: str = "") -> str:
    return f"/api/v1/live/{stream.username}/{rest}"


def signed_in(user: User | None) -> APIClient:
    client = APIClient()
    if user:
        client.force_authenticate(user)
    return client


def test_channel_that_never_went_live_is_offline() -> None:
    user = UserFactory()

    state = APIClient().get(f"/api/v1/live/{user.username}/").json()

    assert set(state) >= STATE
    assert (state["status"], state["playback"], state["started_at"]) == ("offline", None, None)
    assert state["chat"] == {"websocket_path": f"/ws/live/{user.username}/chat/"}


def test_broadcast_has_playback_urls() -> None:
    broadcast = BroadcastFactory()

    state = APIClient().get(path_of(broadcast.stream)).json()

    assert state["status"] == "live"
    assert state["playback"] == {
        "hls_url": f"http://testserver/live-media/{broadcast.public_id}/open/multivariant.m3u8",
        "dvr_url": None,
        "poster_url": None,
    }


def test_ended_broadcast_names_its_replay() -> None:
    replayed = ReplayedFactory()

    state = APIClient().get(path_of(replayed.stream)).json()

    assert (state["status"], state["replay_id"]) == ("offline", replayed.recording.public_id)
    assert state["replay_broadcast_id"] == replayed.public_id


def test_withheld_replay_is_not_named() -> None:
    replayed = ReplayedFactory()
    Video.objects.filter(pk=replayed.recording_id).update(withheld=Video.Withheld.HIDDEN)

    assert APIClient().get(path_of(replayed.stream)).json()["replay_id"] is None


@pytest.mark.parametrize(("visibility", "is_named"), [("public", False), ("unlisted", True)])
def test_unlisted_replay_is_named_only_by_an_unlisted_page(visibility: str, is_named: bool) -> None:
    replayed = ReplayedFactory(stream__visibility=visibility)
    Video.objects.filter(pk=replayed.recording_id).update(visibility="unlisted")

    state = APIClient().get(path_of(replayed.stream)).json()

    assert (state["replay_id"] is not None) is is_named


@pytest.mark.parametrize("asker", ["stranger", "somebody", "owner", "moderator"])
def test_private_stream_is_found_only_by_owner_and_moderators(asker: str) -> None:
    broadcast = BroadcastFactory(stream__visibility="private")
    people = {
        "stranger": None,
        "somebody": UserFactory(),
        "owner": broadcast.stream.channel.owner,
        "moderator": UserFactory(is_superuser=True),
    }

    answer = signed_in(people[asker]).get(path_of(broadcast.stream))

    assert answer.status_code == (200 if asker in {"owner", "moderator"} else 404)
    if asker == "owner":
        assert broadcast.access_key in answer.json()["playback"]["hls_url"]


def test_list_shows_public_streams_on_air() -> None:
    shown = BroadcastFactory()
    BroadcastFactory(stream__visibility="unlisted")
    BroadcastFactory(stream__is_suspended=True)
    ReplayedFactory()
    StreamFactory()

    listed = APIClient().get("/api/v1/live/").json()

    assert [state["username"] for state in listed["results"]] == [shown.stream.username]
    assert set(listed) == {"results", "next", "previous"}


@pytest.mark.parametrize("count", [1, 3])
def test_query_count_of_the_list_is_the_same_for_one_and_three(
    count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        BroadcastFactory()

    with django_assert_num_queries(2):
        APIClient().get("/api/v1/live/")


def test_channel_has_a_live_flag() -> None:
    broadcast = BroadcastFactory()

    on_air = APIClient().get(f"/api/v1/channels/{broadcast.stream.username}/").json()["live"]
    off_air = APIClient().get(f"/api/v1/channels/{StreamFactory().username}/").json()["live"]

    assert (on_air, off_air) == (True, False)


def test_owner_changes_title_and_category() -> None:
    stream = StreamFactory()

    answer = signed_in(stream.channel.owner).patch(path_of(stream), {"title": "夜聊", "category": "music"})

    stream.refresh_from_db()
    assert answer.status_code == 200
    assert (stream.title, stream.category) == ("夜聊", "music")


CHANGES = [
    ("patch", ""),
    ("post", "stream-key/"),
    ("delete", "stream-key/"),
    ("post", "end/"),
    ("get", "health/"),
]


@pytest.mark.parametrize(("method", "rest"), CHANGES)
def test_strangers_cannot_act_on_a_stream(method: str, rest: str) -> None:
    stream = BroadcastFactory().stream

    stranger = getattr(APIClient(), method)(path_of(stream, rest))
    somebody = getattr(signed_in(UserFactory()), method)(path_of(stream, rest))

    assert (stranger.status_code, somebody.status_code) == (401, 403)


def test_key_is_shown_once_and_not_cached() -> None:
    stream = StreamFactory()
    owner = signed_in(stream.channel.owner)

    answer = owner.post(path_of(stream, "stream-key/"))

    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    assert answer.json()["ingest_url"].startswith("rtmp://testserver:")
    assert answer.json()["ingest_url"].endswith("/live")
    assert answer.json()["stream_key"] not in owner.get(path_of(stream)).content.decode()
    assert answer.json()["key_id"] == Stream.objects.get(pk=stream.pk).key_id


def test_revocation_removes_the_key() -> None:
    stream = StreamFactory(key="right")

    answer = signed_in(stream.channel.owner).delete(path_of(stream, "stream-key/"))

    stream.refresh_from_db()
    assert (answer.status_code, stream.key_digest) == (204, None)


@pytest.mark.parametrize(("who", "ending"), [("owner", "stopped"), ("moderator", "suspended")])
def test_broadcast_is_ended_once(who: str, ending: str) -> None:
    stream = BroadcastFactory().stream
    client = signed_in(stream.channel.owner if who == "owner" else UserFactory(is_superuser=True))

    first, second = (client.post(path_of(stream, "end/")) for _ in range(2))

    assert (first.status_code, second.status_code) == (204, 409)
    assert second.json()["errors"][0]["code"] == "not_on_air"
    assert Broadcast.objects.get().ending == ending


def test_heartbeats_count_a_viewer_once() -> None:
    stream = BroadcastFactory().stream
    client = APIClient()

    first = client.post(path_of(stream, "heartbeat/"), {}).json()
    again = client.post(path_of(stream, "heartbeat/"), {"session": first["session"]}).json()
    other = client.post(path_of(stream, "heartbeat/"), {"session": "made up"}).json()

    assert (first["viewer_count"], again["viewer_count"], other["viewer_count"]) == (1, 1, 2)
    assert client.get(path_of(stream)).json()["viewer_count"] == 2


def test_heartbeat_off_air_is_a_conflict() -> None:
    answer = APIClient().post(path_of(StreamFactory(), "heartbeat/"), {})
    assert answer.status_code == 409


def test_ticket_requires_signing_in() -> None:
    stream = StreamFactory()

    refused = APIClient().post(path_of(stream, "chat/ticket/"))
    given = signed_in(UserFactory()).post(path_of(stream, "chat/ticket/"))

    assert (refused.status_code, given.status_code) == (401, 200)
    assert set(given.json()) == {"ticket", "expires_at"}


def test_health_is_available_only_with_a_signal() -> None:
    broadcast = BroadcastFactory()
    owner = signed_in(broadcast.stream.channel.owner)
    silent = owner.get(path_of(broadcast.stream, "health/"))

    ingest_presence.record_health(broadcast.public_id, HEALTH)
    heard = owner.get(path_of(broadcast.stream, "health/"))

    assert silent.status_code == 409
    assert (heard.status_code, heard.json()) == (200, HEALTH)


@pytest.mark.parametrize(
    ("awaited", "code"),
    [
        (None, "not_on_air"),
        (Awaited.VIDEO, "awaits_video"),
        (Awaited.KEYFRAME, "awaits_keyframe"),
    ],
)
def test_health_names_the_frame_that_a_connected_encoder_has_not_sent(
    awaited: Awaited | None, code: str
) -> None:
    stream = StreamFactory()
    if awaited:
        ingest_presence.record_awaited(stream.pk, awaited)

    answer = signed_in(stream.channel.owner).get(path_of(stream, "health/"))

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, code)


def test_health_reports_a_second_encoder_with_the_same_key() -> None:
    broadcast = BroadcastFactory(connection_id="one")
    ingest_presence.record_health(broadcast.public_id, HEALTH | {"verdict": "good", "advice": ["b_frames"]})
    turns.check(broadcast.stream, {"one": True})

    health = signed_in(broadcast.stream.channel.owner).get(path_of(broadcast.stream, "health/")).json()

    assert (health["verdict"], health["advice"]) == ("rival_encoder", ["rival_encoder", "b_frames"])


def test_chat_history_is_paged_by_seq_without_deleted_messages() -> None:
    stream = StreamFactory()
    messages = [ChatMessageFactory(stream=stream, seq=seq) for seq in range(1, 61)]
    ChatMessageFactory(stream=stream, seq=61, deleted_at=messages[0].sent_at)

    newest = APIClient().get(path_of(stream, "chat/")).json()
    oldest = APIClient().get(newest["next"]).json()

    assert [message["seq"] for message in newest["results"]] == list(range(60, 10, -1))
    assert [message["seq"] for message in oldest["results"]] == list(range(10, 0, -1))
    assert oldest["next"] is None
    assert set(newest["results"][0]) == {"id", "seq", "user", "text", "sent_at"}


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "%00"])
def test_invalid_before_parameter_is_a_bad_request(before: str) -> None:
    assert APIClient().get(path_of(StreamFactory(), f"chat/?before={before}")).status_code == 400


@pytest.mark.parametrize("name", ["nobody", "a" * 300, "%00"])
def test_unknown_username_is_not_found(name: str) -> None:
    assert APIClient().get(f"/api/v1/live/{name}/").status_code in {400, 404}
