"""Tests of deletion, as seen in the bucket: deleted rows leave no object and no part."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.utils import timezone
from PIL import Image

from accounts.models import OutboxEntry, SweepFailure
from accounts.services import set_avatar
from accounts.tests.factories import UserFactory
from common import deletion, storage
from common.models import Discrepancy, PendingDeletion
from live import broadcasting
from live.models import Broadcast
from live.tests.factories import BroadcastFactory
from videos import cleaning, services
from videos.models import Upload, Video, VideoFolder
from videos.services import recordings
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

VTT = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n"


def test_admin_index_lists_failures() -> None:
    PendingDeletion.objects.create(path="a/", last_pass_at=timezone.now())
    PendingDeletion.objects.create(
        path="b/", last_pass_at=timezone.now(), attempts=3, last_error="AccessDenied"
    )
    OutboxEntry.objects.create(handler="fine")
    OutboxEntry.objects.create(handler="bad", attempt=2, error="SMTPServerDisconnected: gone")
    for row in range(2):
        SweepFailure.objects.create(sweep="complete videos", row_pk=row, error="ValueError: no")
    Discrepancy.objects.create(kind=Discrepancy.Kind.NO_OBJECT, path="videos/a/source")
    administrator, moderator = Client(), Client()
    administrator.force_login(UserFactory(is_superuser=True, is_staff=True))
    moderator.force_login(UserFactory(is_staff=True))

    page = administrator.get("/admin/").content.decode()

    warnings = dict(re.findall(r'<li class="warning"><a href="(.+?)">(.+?)</a>', page))
    assert warnings == {
        "/admin/common/pendingdeletion/?attempts__gt=0": "1 deletion from storage is failing.",
        "/admin/accounts/outboxentry/?error__gt=": "1 email or notification was not delivered.",
        "/admin/accounts/sweepfailure/": "2 rows cannot be processed by a sweep.",
        "/admin/common/discrepancy/": "1 difference between storage and database.",
    }
    for address, count in zip(warnings, (1, 1, 2, 1), strict=True):
        assert administrator.get(address).context["cl"].result_count == count
    assert "troubles" not in moderator.get("/admin/").content.decode()


def put(*keys: str) -> None:
    for key in keys:
        storage.client().put_object(Bucket=settings.S3_BUCKET, Key=key, Body=b"x")


def parts_in(bucket: str) -> list[str]:
    answer = storage.client().list_multipart_uploads(Bucket=bucket)
    return [one["Key"] for one in answer.get("Uploads", [])]


def begin_upload(**fields: Any) -> Upload:
    """Return an upload of which one part has arrived."""
    channel = fields.pop("channel", None) or UserFactory().channel
    upload = services.start_upload(channel=channel, title="A", filename="a.mp4", size_bytes=3, **fields)
    storage.client().upload_part(
        Bucket=settings.S3_BUCKET,
        Key=upload.video.source_key,
        UploadId=upload.multipart_id,
        PartNumber=1,
        Body=b"abc",
    )
    return upload


def finish_deletions() -> None:
    """Run the clean-up and both passes of every deletion."""
    cleaning.clean_up()
    deletion.delete_pending()
    past = timezone.now() - timedelta(seconds=1)
    PendingDeletion.objects.update(last_pass_at=past, next_try_at=past)
    deletion.delete_pending()
    assert not PendingDeletion.objects.exists()


def test_deleted_video_leaves_no_object(bucket: str) -> None:
    video, other = VideoFactory(), VideoFactory()
    put(video.source_key, f"{video.encode_prefix}720p/1.m4s", other.source_key)

    services.delete_video(video)
    finish_deletions()

    assert list(storage.keys_under("")) == [other.source_key]
    assert [*VideoFolder.objects.values_list("prefix", flat=True)] == [other.prefix]


def test_replaced_captions_leave_only_the_new_file_and_stop_nothing(bucket: str) -> None:
    video, gone = VideoFactory(), VideoFactory()
    put(gone.source_key)
    services.add_captions(video, language="en", file=ContentFile(VTT))
    track, _skipped = services.add_captions(video, language="en", file=ContentFile(VTT))
    services.delete_video(gone)

    finish_deletions()

    assert list(storage.keys_under("")) == [track.key]


def test_replaced_avatar_leaves_only_the_new_picture(bucket: str) -> None:
    channel = UserFactory().channel
    for colour in ("red", "blue"):
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), colour).save(picture, "PNG")
        picture.seek(0)
        set_avatar(channel=channel, file=picture)

    finish_deletions()

    assert list(storage.keys_under("")) == [channel.avatar.name]


def test_aborted_upload_leaves_no_part(bucket: str) -> None:
    upload = begin_upload()

    services.abort_upload(upload)
    finish_deletions()

    assert (parts_in(bucket), list(storage.keys_under(""))) == ([], [])


def test_expired_upload_leaves_no_part(bucket: str) -> None:
    begin_upload()
    Upload.objects.update(expires_at=timezone.now())

    finish_deletions()

    assert parts_in(bucket) == []
    assert not Video.objects.exists()


def test_video_deleted_in_the_admin_while_uploading_leaves_no_part(bucket: str, admin_client: Client) -> None:
    upload = begin_upload()

    admin_client.post(f"/admin/videos/video/{upload.video.pk}/delete/", {"post": "yes"})
    finish_deletions()

    assert not Video.objects.exists()
    assert parts_in(bucket) == []


def test_deleted_account_leaves_no_object(bucket: str) -> None:
    user = UserFactory()
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    picture.seek(0)
    set_avatar(channel=user.channel, file=picture)
    video = VideoFactory(channel=user.channel)
    put(video.source_key, f"{video.encode_prefix}720p/1.m4s")
    begin_upload(channel=user.channel)

    user.delete()
    finish_deletions()

    assert (parts_in(bucket), list(storage.keys_under(""))) == ([], [])
    assert not VideoFolder.objects.exists()


@pytest.mark.redis
def test_retried_encode_leaves_the_source_and_nothing_of_the_failed_attempt(bucket: str) -> None:
    video = VideoFactory(status=Video.Status.FAILED, is_playable=False)
    put(video.source_key, f"{video.encode_prefix}720p/1/1.m4s", f"{video.encode_prefix}multivariant.m3u8")

    services.retry_video(video)
    finish_deletions()

    assert list(storage.keys_under("")) == [video.source_key]


def test_failed_encode_leaves_nothing_once_its_video_is_deleted(bucket: str) -> None:
    video = VideoFactory(status=Video.Status.FAILED, is_playable=False)
    put(video.source_key, f"{video.encode_prefix}720p/1/1.m4s")

    services.delete_video(video)
    finish_deletions()

    assert list(storage.keys_under("")) == []


def test_recording_deleted_during_its_broadcast_leaves_nothing(bucket: str) -> None:
    channel = UserFactory().channel
    video = recordings.start_recording(channel=channel, title="Live", category="other", visibility="public")
    run = recordings.open_run(video, is_continuous=False, began_at=timezone.now())
    put(recordings.segment_key(run, "720p", 0))

    services.delete_video(video)
    deletion.delete_pending()
    put(recordings.segment_key(run, "720p", 1))  # the ingest did not know of the deletion yet
    finish_deletions()

    assert list(storage.keys_under("")) == []


def test_poster_of_a_broadcast_without_recording_is_deleted_at_its_end(bucket: str) -> None:
    broadcast = BroadcastFactory(poster_key="live/a/poster-7.jpg")
    put("live/a/poster-7.jpg")

    broadcasting.complete_recording(broadcast)
    finish_deletions()

    assert list(storage.keys_under("")) == []
    assert Broadcast.objects.get().poster_key == ""


def test_deletion_rolled_back_keeps_the_objects(bucket: str) -> None:
    video = VideoFactory()
    put(video.source_key)

    with transaction.atomic():
        services.delete_video(video)
        transaction.set_rollback(True)
    deletion.delete_pending()

    assert list(storage.keys_under("")) == [video.source_key]


def refusing(path: str, error: Exception) -> Any:
    """Return a stand-in for ``storage.abort_multiparts`` that refuses ``path`` and passes on the others."""
    real = storage.abort_multiparts

    def abort(asked: str) -> int:
        if asked == path:
            raise error
        return real(asked)

    return abort


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("videos/", id="refused by us"),
        pytest.param("videos/locked/", id="refused by the storage"),
        pytest.param("videos/slow/", id="no answer"),
    ],
)
def test_row_that_fails_does_not_stop_those_behind_it(
    bad: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = (
        EndpointConnectionError(endpoint_url="http://s3")
        if bad == "videos/slow/"
        else ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "ListMultipartUploads")
    )
    if bad != "videos/":
        monkeypatch.setattr(storage, "abort_multiparts", refusing(bad, error))
    good = VideoFactory()
    put(good.source_key)
    deletion.delete_later(bad)
    services.delete_video(good)

    deletion.delete_pending()

    assert list(storage.keys_under("")) == []
    failed = PendingDeletion.objects.get(path=bad)
    assert failed.attempts == 1
    assert failed.next_try_at > timezone.now()
    assert failed.last_error


def test_pause_between_tries_grows_and_has_a_bound(bucket: str) -> None:
    deletion.delete_later("videos/")
    pauses = []
    for _ in range(9):
        PendingDeletion.objects.update(next_try_at=timezone.now())
        before = timezone.now()
        deletion.delete_pending()
        pauses.append(round((PendingDeletion.objects.get().next_try_at - before) / timedelta(minutes=1)))

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_run_ends_after_a_few_failures_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def away(path: str) -> int:
        tried.append(path)
        raise EndpointConnectionError(endpoint_url="http://s3")

    monkeypatch.setattr(storage, "abort_multiparts", away)
    for number in range(deletion.FAILURES_IN_A_ROW + 3):
        deletion.delete_later(f"videos/{number}/")

    deletion.delete_pending()

    assert len(tried) == deletion.FAILURES_IN_A_ROW


def test_row_that_works_again_forgets_its_failures(bucket: str) -> None:
    deletion.delete_later("videos/x/")
    PendingDeletion.objects.update(attempts=3, last_error="No.")

    deletion.delete_pending()

    row = PendingDeletion.objects.get()
    assert (row.attempts, row.last_error, row.next_try_at) == (0, "", row.last_pass_at)


def test_large_folder_is_deleted_over_several_runs(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [["videos/x/1"], ["videos/x/2"]]
    monkeypatch.setattr(deletion, "OBJECTS_AT_ONCE", 1)
    monkeypatch.setattr(storage, "_pages_of_keys", lambda _prefix: iter(pages))
    put("videos/x/1", "videos/x/2")
    deletion.delete_later("videos/x/")
    PendingDeletion.objects.update(last_pass_at=timezone.now())

    deletion.delete_pending()
    left = storage.size_of("videos/x/2")
    pages.pop(0)
    deletion.delete_pending()
    pages.clear()
    deletion.delete_pending()

    assert left == 1
    assert (storage.size_of("videos/x/1"), storage.size_of("videos/x/2")) == (None, None)
    assert not PendingDeletion.objects.exists()


def test_admin_lists_failed_deletions_and_retries_them(admin_client: Client) -> None:
    deletion.delete_later("videos/locked/")
    later = timezone.now() + timedelta(hours=1)
    PendingDeletion.objects.update(attempts=4, last_error="AccessDenied: No.", next_try_at=later)
    address = "/admin/common/pendingdeletion/"

    page = admin_client.get(address).content.decode()
    chosen = {"action": "try_now", "_selected_action": [PendingDeletion.objects.get().pk]}
    answer = admin_client.post(address, chosen)

    assert "videos/locked/" in page
    assert "AccessDenied: No." in page
    assert answer.status_code == 302
    assert PendingDeletion.objects.get().next_try_at <= timezone.now()
