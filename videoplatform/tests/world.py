"""Six people, and one object of every kind: the names in braces of the permission tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.contrib.auth.models import Group
from django.test.client import Client, ClientHandler
from django.utils import timezone
from pytest_django import Settings

from accounts import moderation, tokens
from accounts import services as account_services
from accounts.models import MODERATORS, Decision, Follow, Invitation, OutboxEntry, SweepFailure, User
from accounts.services import Role
from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory, DanmakuFactory
from common import storage
from common.models import Discrepancy, PendingDeletion
from live import ingest_presence
from live import services as live_services
from live.models import Broadcast, ChatRestriction
from live.tests.factories import BroadcastFactory, ChatMessageFactory, StreamFactory
from videoplatform.tests.askers import Asker
from videos import services as video_services
from videos.models import (
    CaptionTrack,
    ChannelImport,
    Clip,
    ImportItem,
    Job,
    Playlist,
    PlaylistItem,
    Transcription,
    Video,
)
from videos.services import recordings
from videos.services.access import password_fields
from videos.tests.factories import VideoFactory, add_track

A_DAY = timedelta(days=1)
VIDEO_PASSWORD = "lamps and bridges"
RECORDED = recordings.RecordedRendition("r0", 640, 360, 30.0, 800_000, "avc1.64001e,mp4a.40.2")
HEALTH = {
    "bitrate_bps": 1, "fps": 30.0, "width_px": 640, "height_px": 360, "keyframe_interval_s": 2.0,
    "dropped_frames": 0, "verdict": "good", "advice": [],
}  # fmt: skip


@dataclass(slots=True)
class World:
    """The objects of the tables: ``rows`` by their name in the tables, ``words`` for names without a row."""

    rows: dict[str, Any] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    # Shared by all clients: creating its middleware takes longer than most requests.
    handler: ClientHandler = field(default_factory=partial(ClientHandler, enforce_csrf_checks=False))

    @property
    def names(self) -> dict[str, str]:
        return {name: _name_of(row) for name, row in self.rows.items()} | self.words

    def person(self, name: str) -> User:
        user: User = self.rows[name]
        return user

    def suspend(self, name: str) -> None:
        moderation.decide_about(
            self.person(name), by=self.person("chief"), action="suspend", reason="spam", duration=A_DAY
        )

    def token_of(self, name: str) -> str:
        return tokens.create_token(user=self.person(name))[1]

    def client(self, asker: Asker) -> Client:
        """Return a client signed in as ``asker``. SUSPENDED also suspends the owner permanently."""
        client = Client()
        client.handler = self.handler
        if asker is Asker.SUSPENDED:
            client.force_login(self.person("owner"))
            self.suspend("owner")
        elif asker is not Asker.ANONYMOUS:
            client.force_login(self.person(asker))
        return client


def _name_of(row: Any) -> str:
    return str(getattr(row, "public_id", "") or getattr(row, "username", "") or row.pk)


@pytest.fixture
def world(bucket: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world whose objects belong to ``owner``, unless their name or creating function differs."""
    # The slow hash is meant to stop guessing; it takes a quarter of a second for each
    # password.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A fast machine asks for a whole table within the minute of an address's limit.
    settings.RATE_LIMITS = False
    # The health reported by an ingest would expire during a table.
    monkeypatch.setattr(ingest_presence, "HEALTH_FOR_S", 3600)
    world = World()
    for make in (_people, _videos, _conversations, _broadcasts, _moderation, _accounts):
        make(world)
    return world


def _people(world: World) -> None:
    """Create the people. ``guest`` writes comments, ``colleague`` moderates, ``chief`` administrates."""
    long_ago = timezone.now() - timedelta(days=30)
    for name in ("owner", "person", "moderator", "administrator", "guest", "colleague", "chief"):
        world.rows[name] = UserFactory(username=name, date_joined=long_ago)
    for name in ("moderator", "colleague"):
        account_services.grant_role(user=world.person(name), role=Role.MODERATOR)
    for name in ("administrator", "chief"):
        account_services.grant_role(user=world.person(name), role=Role.ADMINISTRATOR)
    world.secrets.add(world.person("owner").password)


def _videos(world: World) -> None:
    channel = world.person("owner").channel
    states: dict[str, dict[str, Any]] = {
        "public": {},
        "unlisted": {"visibility": "unlisted"},
        "private": {"visibility": "private"},
        # The password of "locked" is in the bodies; "person" follows the owner.
        "locked": {"visibility": "password"} | password_fields(VIDEO_PASSWORD),
        "followed": {"visibility": "followers"},
        "downloadable": {"downloads": "source"},
        "unclippable": {"clipping": "nobody"},
        "scheduled": {"visibility": "private", "publish_at": timezone.now() + A_DAY},
        "premiere": {"publish_at": timezone.now() + A_DAY, "is_premiere": True},
        "failed": {"status": "failed", "failure_code": "encode_failed", "is_playable": False},
        "processing": {"status": "processing"},
        "hidden": {},
        "removed": {},
    }
    for name, fields in states.items():
        video: Video = VideoFactory(channel=channel, **fields)
        world.rows[name], world.words[f"{name}_key"] = video, video.encode_key
        video.storyboard_key = f"{video.encode_prefix}storyboard-1/index.vtt"
        video.poster_times_s = [1.0]
        video.save(update_fields=["storyboard_key", "poster_times_s"])
        storage.client().put_object(Bucket=settings.S3_BUCKET, Key=video.source_key, Body=b"a source")
        storage.put_bytes(video.storyboard_key, b"WEBVTT\n")
        storage.put_bytes(video.poster_choices[0][0], b"a still")
    world.words["track"] = add_track(world.rows["public"], "track-1").name
    private: Video = world.rows["private"]
    token, secret = video_services.create_playback_token(
        private, domains=["example.org"], expires_at=timezone.now() + A_DAY
    )
    world.words["tomorrow"] = (timezone.now() + A_DAY).isoformat()
    world.rows["playback_token"], world.words["frame_token"] = token, secret
    times = {"start_s": 1.0, "end_s": 7.0, "maker": world.person("guest")}
    for name, of in [
        *((name, name) for name in ("public", "private", "locked", "followed")),
        ("hidden", "public"),
    ]:
        world.rows[f"{name}_clip"] = Clip.objects.create(video=world.rows[of], title="Moment", **times)
    for name, visibility in (("playlist", "public"), ("private_playlist", "private")):
        world.rows[name] = Playlist.objects.create(
            owner=world.person("owner"), title=name, visibility=visibility
        )
        PlaylistItem.objects.create(playlist=world.rows[name], video=world.rows["public"], position=0)
    world.rows["owners_clip"] = Clip.objects.create(
        video=VideoFactory(), title="Other", **(times | {"maker": world.person("owner")})
    )
    world.rows["orphaned_clip"] = Clip.objects.create(video=None, title="Of nothing", **times)
    CaptionTrack.objects.create(video=world.rows["public"], language="en", key="captions", cue_count=1)
    world.rows["hearing"] = Transcription.objects.create(
        video=world.rows["public"], encode_key=world.rows["public"].encode_key
    )
    of_encode = {"video": world.rows["public"], "encode_key": world.rows["public"].encode_key}
    world.rows["waiting_job"] = Job.objects.create(**of_encode, kind=Job.Kind.MP4)
    world.rows["hopeless_job"] = Job.objects.create(
        **of_encode, kind=Job.Kind.LOUDNESS, status=Job.Status.DONE, error_code="encode_failed"
    )
    world.rows["channel_import"] = ChannelImport.objects.create(
        channel=channel, kind="peertube", address="walks@video.example", status=ChannelImport.Status.DONE
    )
    world.rows["import_item"] = ImportItem.objects.create(
        channel_import=world.rows["channel_import"], source_id="peertube:video.example/1", position=0,
        title="Walk", visibility="public",
        details={"media_url": "https://v.example/1.mp4", "description": "", "category": "other", "tags": []},
    )  # fmt: skip
    upload = video_services.start_upload(channel=channel, title="On its way", filename="a.mp4", size_bytes=5)
    part = storage.client().upload_part(
        Bucket=settings.S3_BUCKET,
        Key=upload.video.source_key,
        UploadId=upload.multipart_id,
        PartNumber=1,
        Body=b"bytes",
    )
    world.rows["uploading"], world.words["etag"] = upload.video, part["ETag"].strip('"')


def _conversations(world: World) -> None:
    owner, guest = world.person("owner"), world.person("guest")
    public, private = world.rows["public"], world.rows["private"]
    world.rows |= {
        "comment": CommentFactory(target=public, author=guest),
        "own_comment": CommentFactory(target=public, author=owner),
        "held_comment": CommentFactory(target=public, author=guest, is_held=True),
        "hidden_comment": CommentFactory(target=public, author=guest),
        "private_comment": CommentFactory(target=private, author=owner),
        "locked_comment": CommentFactory(target=world.rows["locked"], author=owner),
        "danmaku": DanmakuFactory(target=public, author=guest),
        "hidden_danmaku": DanmakuFactory(target=public, author=guest),
        "locked_danmaku": DanmakuFactory(target=world.rows["locked"], author=owner),
        "private_danmaku": DanmakuFactory(target=private, author=owner),
    }


def _broadcasts(world: World) -> None:
    """Put the owner on air; everybody else gets a stream without a broadcast."""
    everyone = [row for row in world.rows.values() if isinstance(row, User)]
    streams = {user.username: live_services.stream_of(user.channel) for user in everyone}
    stream = streams["owner"]
    key = live_services.rotate_stream_key(stream)
    # More than any viewer count of a test, so that heartbeats change only Redis, not the
    # peak in SQL.
    broadcast: Broadcast = BroadcastFactory(
        stream=stream, recording=_recording(world.person("owner")), peak_viewer_count=1000
    )
    ingest_presence.record_health(broadcast.public_id, HEALTH)
    guest = world.person("guest")
    world.rows |= {
        "stream": stream,
        "suspended": StreamFactory(is_suspended=True),
        "broadcast": broadcast,
        "message": ChatMessageFactory(stream=stream, broadcast=broadcast, user=guest),
        "restriction": ChatRestriction.objects.create(stream=stream, user=guest),
    }
    world.words["access_key"] = broadcast.access_key
    world.secrets |= {key, str(stream.key_digest)}


def _recording(owner: User) -> Video:
    video = recordings.start_recording(
        channel=owner.channel, title="Live", category="other", visibility="public"
    )
    recordings.record_renditions(video, [RECORDED])
    run = recordings.open_run(video, is_continuous=False, began_at=timezone.now())
    recordings.append_segment(run, duration_s=4.0, size_bytes=1)
    return video


def _moderation(world: World) -> None:
    """Create an open case and decided ones, and time out the guest."""
    by = world.person("colleague")
    report, _is_new = moderation.report(
        by=world.person("person"),
        target_type="comment",
        target_id=_name_of(world.rows["comment"]),
        reason="spam",
    )

    def decided(kind: str, name: str, action: str) -> Decision:
        return moderation.act(kind, _name_of(world.rows[name]), by=by, action=action, reason="spam")

    decided("video", "hidden", "hide")
    decided("video", "removed", "remove")
    decided("danmaku", "hidden_danmaku", "hide")
    decided("clip", "hidden_clip", "hide")
    hiding = decided("comment", "hidden_comment", "hide")
    time_out = moderation.decide_about(
        world.person("guest"), by=by, action="time_out", reason="spam", duration=A_DAY
    )
    world.rows |= {
        "report": report,
        "case": report.case,
        "decided_case": hiding.case,
        "decision": hiding,
        "sanction": time_out.sanction,
    }


def _accounts(world: World) -> None:
    owner, guest = world.person("owner"), world.person("guest")
    token, secret = tokens.create_token(user=owner)
    totp_secret = generate_totp_secret()
    world.rows |= {
        "channel": owner.channel,
        "token": token,
        "pending": PendingDeletion.objects.create(path="videos/gone/", last_pass_at=timezone.now()),
        "discrepancy": Discrepancy.objects.create(kind=Discrepancy.Kind.NO_ROW, path="videos/nobody/"),
        "factor": TOTP.activate(guest, totp_secret).instance,
        "address": EmailAddress.objects.create(user=guest, email="guest@example.org", primary=True),
        "group": Group.objects.get(name=MODERATORS),
        "follow": Follow.objects.create(follower=world.person("person"), channel=owner.channel),
        "invitation": Invitation.objects.create(note="guests"),
        "entry": OutboxEntry.objects.create(handler="accounts.mail.mail_decision", arguments=[0]),
        "failure": SweepFailure.objects.create(sweep="complete", row_pk=1, error="LookupError"),
    }
    world.words["token_digest"] = token.digest
    world.secrets |= {secret, totp_secret}
