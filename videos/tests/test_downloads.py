"""Downloads of the original file, and of an MP4 that a worker joins."""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from accounts import sweeps
from accounts.tests.factories import UserFactory
from accounts.viewers import Viewer
from common import deletion, disk, storage
from common.models import PendingDeletion
from videos import cleaning, joining, pipeline, queue, services
from videos.models import Job, Video
from videos.publishing import Encode
from videos.services import downloads
from videos.services.errors import Mp4TooLarge, NoDownload, StorageFull, TooManyMp4s
from videos.tests.clips import make_clip
from videos.tests.factories import VideoFactory
from videos.transcoding.tools import ffprobe_path

pytestmark = pytest.mark.django_db

NOBODY = AnonymousUser()
# URLs are signed for the host of the request, which must be one that answers.
AT_HOST = {"Host": "127.0.0.1"}


def path_of(video: Video) -> str:
    return f"/watch/{video.public_id}/download/"


def disposition_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["response-content-disposition"][0]


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        # The kinds of file for a viewer, a moderator and the owner.
        ({}, ("off", "off", "source")),
        ({"downloads": "mp4"}, ("mp4", "mp4", "source")),
        ({"downloads": "source"}, ("source", "source", "source")),
        ({"downloads": "source", "visibility": "private"}, ("off", "source", "source")),
        ({"downloads": "source", "visibility": "followers"}, ("off", "source", "source")),
        ({"downloads": "source", "source_key": ""}, ("mp4", "mp4", "mp4")),
        ({"downloads": "mp4", "status": "processing"}, ("off", "off", "source")),
        ({"downloads": "source", "status": "failed"}, ("off", "source", "source")),
        ({"downloads": "source", "status": "uploading"}, ("off", "off", "off")),
        ({"downloads": "source", "withheld": "hidden"}, ("off", "source", "source")),
        ({"downloads": "source", "withheld": "removed"}, ("off", "source", "off")),
    ],
)
def test_kind_of_download_depends_on_owner_viewer_and_state(
    fields: dict[str, Any], kinds: tuple[str, str, str]
) -> None:
    video: Video = VideoFactory(encoded=False, **fields)
    moderator = UserFactory(is_staff=True, is_superuser=True)

    found = tuple(video.download_for(user) for user in (NOBODY, moderator, video.channel.owner))

    assert found == kinds


def test_premiere_cannot_be_downloaded_before_it_begins() -> None:
    at = timezone.now() + timedelta(hours=1)
    video: Video = VideoFactory(downloads="source", publish_at=at, is_premiere=True)

    assert video.download_for(NOBODY) == "off"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Lamps", "Lamps.mp4"),
        ("夜里的灯 🏮", "夜里的灯 🏮.mp4"),
        ('a/b\\c:d*e?f"g<h>i|j%k', "a b c d e f g h i j k.mp4"),
        ("two\r\nSet-Cookie: x=1", "two Set-Cookie x=1.mp4"),
        ("..\u202etxt.exe", "txt.exe.mp4"),
        (" . ", "video.mp4"),
        ("x" * 150, f"{'x' * 100}.mp4"),
    ],
)
def test_name_of_a_file_is_safe_on_every_system(title: str, name: str) -> None:
    assert downloads.file_name(title, ".mp4") == name


@pytest.mark.storage
def test_source_is_saved_under_the_title_with_its_extension(client: Client, bucket: str) -> None:
    video: Video = VideoFactory(downloads="source", title='灯 "x"; a=b\r\nX: y', source_filename="IMG_1.MOV")
    storage.client().put_object(Bucket=settings.S3_BUCKET, Key=video.source_key, Body=b"<script>")

    answer = client.get(path_of(video), headers=AT_HOST)
    fetched = requests.get(answer["Location"], timeout=10)

    assert answer.status_code == 302
    assert fetched.content == b"<script>"
    assert fetched.headers["Content-Type"] == "application/octet-stream"
    assert fetched.headers["Content-Disposition"] == (
        "attachment; filename*=utf-8''%E7%81%AF%20x%20%3B%20a%3Db%20X%20y.mov"
    )
    assert "X" not in fetched.headers
    assert "no-store" in answer["Cache-Control"]


def test_extension_of_a_strange_file_name_is_left_out(client: Client) -> None:
    video: Video = VideoFactory(downloads="source", title="T", source_filename='a.m"\r\n4')

    assert disposition_of(client.get(path_of(video))["Location"]) == 'attachment; filename="T"'


def test_video_without_downloads_has_no_button_and_no_address(client: Client) -> None:
    video: Video = VideoFactory()

    assert client.get(path_of(video)).status_code == 404
    assert client.post(path_of(video)).status_code == 404
    assert path_of(video) not in client.get(f"/watch/{video.public_id}/").content.decode()
    refused = client.get(f"/api/v1/videos/{video.public_id}/download/")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "no_download")
    client.force_login(video.channel.owner)
    assert client.get(path_of(video)).status_code == 302
    assert path_of(video) in client.get(f"/studio/{video.public_id}/").content.decode()


def test_owner_chooses_the_download_in_the_studio_and_by_the_api(client: Client) -> None:
    video: Video = VideoFactory()
    client.force_login(video.channel.owner)
    form = {"title": "T", "category": "other", "visibility": "public", "comments_mode": "open"}

    client.post(f"/studio/{video.public_id}/", form | {"downloads": "mp4"})
    client.post(f"/studio/{video.public_id}/", form)
    video.refresh_from_db()
    chosen = video.downloads
    patched = client.patch(
        f"/api/v1/videos/{video.public_id}/", {"downloads": "source"}, content_type="application/json"
    )

    assert (chosen, patched.json()["downloads"]) == ("mp4", "source")


def test_mp4_is_prepared_once_and_only_on_request(client: Client) -> None:
    video: Video = VideoFactory(downloads="mp4")
    looked = client.get(path_of(video))

    pressed = client.post(path_of(video))
    client.post(path_of(video))
    waiting = client.get(f"{path_of(video)}?wait")

    assert (looked.status_code, looked["Location"]) == (302, f"/watch/{video.public_id}/")
    assert (pressed.status_code, pressed["Location"]) == (302, f"{path_of(video)}?wait")
    assert (waiting.status_code, waiting["Refresh"]) == (200, "3")
    assert Job.objects.filter(video=video, kind="mp4").count() == 1


def test_number_of_waiting_mp4s_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MAX_WAITING_MP4S", 1)
    first, second = VideoFactory(downloads="mp4"), VideoFactory(downloads="mp4")
    services.request_mp4(first, Viewer(NOBODY))

    with pytest.raises(TooManyMp4s):
        services.request_mp4(second, Viewer(NOBODY))
    with pytest.raises(NoDownload):
        services.request_mp4(VideoFactory(), Viewer(NOBODY))


def test_mp4_is_refused_on_a_full_disk(settings: Any) -> None:
    video: Video = VideoFactory(downloads="mp4")
    settings.S3_DATA_DIR, settings.UPLOAD_MIN_FREE_BYTES = "/", 1000

    with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=1000)), pytest.raises(StorageFull):
        services.request_mp4(video, Viewer(NOBODY))

    assert not Job.objects.filter(kind="mp4").exists()


@pytest.mark.storage
def test_joined_mp4_is_not_stored_on_a_disk_that_has_become_full(
    bucket: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def joined(_encode: Encode, folder: Path) -> Path:
        (folder / "joined.mp4").write_bytes(b"x" * 100)
        return folder / "joined.mp4"

    monkeypatch.setattr(joining, "join", joined)
    video: Video = VideoFactory(downloads="mp4")
    services.request_mp4(video, Viewer(NOBODY))
    settings.S3_DATA_DIR, settings.UPLOAD_MIN_FREE_BYTES = "/", 1000

    with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=1099)):
        work_until_idle()

    video.refresh_from_db()
    assert (video.status, video.mp4_key) == ("ready", "")
    assert list(storage.keys_under(video.prefix)) == []
    assert services.download_state(video, Viewer(NOBODY)) == "absent"


def test_best_rung_that_fits_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    video: Video = VideoFactory(downloads="mp4", duration_s=3600)
    encode = Encode.of(video)

    def chosen(most_bytes: int) -> list[str]:
        monkeypatch.setattr(joining, "MAX_MP4_BYTES", most_bytes)
        return [rendition.name for rendition in joining.renditions_of(encode)]

    assert chosen(4 * 1024**3) == ["720p", "audio-0"]
    assert chosen(500 * 1024**2) == ["360p", "audio-0"]
    assert chosen(1024**2) == []
    with pytest.raises(Mp4TooLarge):
        services.request_mp4(video, Viewer(NOBODY))


@pytest.fixture
def encoded(bucket: str, clips: Path) -> Video:
    """Return a video of 9 s that real workers have encoded."""
    path = make_clip("landscape", clips, seconds=9)
    video: Video = VideoFactory(
        status="processing",
        is_playable=False,
        encoded=False,
        downloads="mp4",
        title="Lamps",
        source_filename=path.name,
        source_size_bytes=path.stat().st_size,
    )
    storage.client().upload_file(str(path), settings.S3_BUCKET, video.source_key)
    Job.objects.create(video=video, encode_key=video.encode_key, kind="plan", lane=Job.Lane.FIRST)
    work_until_idle()
    video.refresh_from_db()
    return video


def work_until_idle() -> None:
    while pipeline.work(Job.Lane.BULK):
        pass


@pytest.mark.ffmpeg
@pytest.mark.storage
@pytest.mark.slow
def test_joined_mp4_holds_every_frame_and_the_audio(client: Client, encoded: Video, tmp_path: Path) -> None:
    client.post(path_of(encoded))
    work_until_idle()

    ready = client.get(f"{path_of(encoded)}?wait")
    answer = client.get(path_of(encoded), headers=AT_HOST)
    path = tmp_path / "joined.mp4"
    path.write_bytes(requests.get(answer["Location"], timeout=10).content)

    probed = json.loads(
        subprocess.check_output(
            [ffprobe_path(), "-v", "error", "-count_packets", "-show_streams", "-show_format", "-of", "json",
             str(path)]
        )
    )  # fmt: skip
    video, audio = probed["streams"]
    rate = eval_rate(video["r_frame_rate"])
    assert disposition_of(answer["Location"]) == 'attachment; filename="Lamps.mp4"'
    assert ready["Refresh"] == f"1;url={path_of(encoded)}"
    assert (video["codec_name"], audio["codec_name"]) == ("h264", "aac")
    assert int(video["nb_read_packets"]) == round((encoded.duration_s or 0) * rate)
    assert float(video["start_time"]) == pytest.approx(0, abs=0.001)
    assert float(audio["start_time"]) == pytest.approx(0, abs=0.03)
    assert float(probed["format"]["duration"]) == pytest.approx(encoded.duration_s or 0, abs=0.1)
    head = path.read_bytes()[:4096]
    assert head.index(b"moov") < 64, "the index comes first"
    assert Video.objects.get(pk=encoded.pk).status == "ready"


def eval_rate(text: str) -> float:
    numerator, denominator = text.split("/")
    return int(numerator) / int(denominator)


@pytest.mark.ffmpeg
@pytest.mark.storage
@pytest.mark.slow
def test_expired_mp4_is_deleted_and_can_be_made_again(client: Client, encoded: Video) -> None:
    client.post(path_of(encoded))
    work_until_idle()
    first = Video.objects.get(pk=encoded.pk).mp4_key
    Video.objects.update(mp4_expires_at=timezone.now() - timedelta(seconds=1))

    cleaning.delete_expired_mp4s()
    client.post(path_of(encoded))
    work_until_idle()

    assert list(PendingDeletion.objects.values_list("path", flat=True)) == [first]
    deletion.delete_pending()
    second = Video.objects.get(pk=encoded.pk).mp4_key
    assert list(storage.keys_under(encoded.mp4_prefix)) == [second]
    assert client.get(path_of(encoded)).status_code == 302


def test_mp4_that_was_made_again_meanwhile_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    past, future = (timezone.now() + timedelta(days=days) for days in (-1, 1))
    video: Video = VideoFactory(mp4_key="videos/v/download.mp4", mp4_expires_at=past)

    def prolong_first(_task: str, rows: QuerySet[Video], handle: Callable[[Video], None], **_: int) -> None:
        for row in list(rows):
            Video.objects.update(mp4_expires_at=future)
            handle(row)

    monkeypatch.setattr(sweeps, "each", prolong_first)

    cleaning.delete_expired_mp4s()

    video.refresh_from_db()
    assert (video.mp4_key, video.mp4_expires_at) == ("videos/v/download.mp4", future)
    assert not PendingDeletion.objects.exists()


@pytest.fixture
def joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Return the function that joins an MP4, with an empty file in the place of FFmpeg and storage."""
    path = tmp_path / "joined.mp4"
    path.touch()
    join = mock.Mock(return_value=path)
    monkeypatch.setattr(joining, "join", join)
    monkeypatch.setattr(storage, "put_file", mock.Mock(return_value=0))
    return join


def make_mp4(video: Video) -> Video:
    """Request the MP4, let a worker make it and return the video's row."""
    services.request_mp4(video, Viewer(NOBODY))
    work_until_idle()
    return Video.objects.get(pk=video.pk)


@pytest.mark.redis
def test_mp4_that_a_newer_one_replaces_is_deleted_once_it_has_expired(joined: mock.Mock) -> None:
    video = make_mp4(VideoFactory(downloads="mp4"))
    expires_at = timezone.now() + timedelta(hours=3)
    Video.objects.update(mp4_expires_at=expires_at)

    newer = make_mp4(Video.objects.get())

    deleted = PendingDeletion.objects.get()
    assert newer.mp4_key != video.mp4_key
    assert deleted.path == video.mp4_key
    assert abs(deleted.next_try_at - expires_at) < timedelta(minutes=1)


@pytest.mark.redis
@pytest.mark.parametrize("change", [{"status": "processing"}, {"duration_s": 20.0}])
def test_mp4_of_a_video_that_changed_meanwhile_is_deleted(change: dict[str, Any], joined: mock.Mock) -> None:
    def go_on(_encode: Encode, _folder: Path) -> Path:
        Video.objects.update(**change)
        path: Path = joined.return_value
        return path

    joined.side_effect = go_on

    video = make_mp4(VideoFactory(downloads="mp4"))

    job = video.jobs.get(kind="mp4")
    assert (video.mp4_key, job.status) == ("", "done")
    assert PendingDeletion.objects.get().path == f"{video.mp4_prefix}{job.pk}-1.mp4"


@pytest.mark.redis
def test_mp4_of_a_recording_that_goes_on_is_not_joined(joined: mock.Mock) -> None:
    video: Video = VideoFactory(downloads="mp4")
    services.request_mp4(video, Viewer(NOBODY))
    Video.objects.update(status="processing")

    work_until_idle()

    assert video.jobs.get(kind="mp4").status == "done"
    assert not joined.called


def claim_ten_times(video: Video) -> Job:
    services.request_mp4(video, Viewer(NOBODY))
    for _ in range(10):
        Job.objects.update(not_before=timezone.now())
        pipeline.work(Job.Lane.BULK)
    return video.jobs.get(kind="mp4")


@pytest.mark.redis
@pytest.mark.parametrize("spare_bytes", [1, -1])
def test_mp4_is_joined_only_where_its_segments_and_the_file_fit(
    spare_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    video: Video = VideoFactory(downloads="mp4", duration_s=600)
    encode = Encode.of(video)
    needed = 2.2 * joining.size_bytes(encode, joining.renditions_of(encode))
    free_bytes = settings.WORK_FLOOR_BYTES + int(needed) + spare_bytes
    monkeypatch.setattr(disk, "measure", lambda: disk.Disk(free_bytes, None))
    client = mock.Mock(side_effect=OSError("fetched"))
    monkeypatch.setattr(storage, "client", client)

    job = claim_ten_times(video)

    assert client.called == (spare_bytes > 0)
    assert (job.status, job.losses) == ("done", queue.MAX_LOSSES - 1)
    assert ("fetched" in job.error_detail) == (spare_bytes > 0)
    assert Video.objects.get().status == "ready"
    assert services.download_state(video, Viewer(NOBODY)) == "absent"


@pytest.mark.redis
def test_mp4_that_fills_the_disk_is_given_up(joined: mock.Mock) -> None:
    joined.side_effect = OSError(errno.ENOSPC, "No space left on device")

    job = claim_ten_times(VideoFactory(downloads="mp4"))

    assert job.status == "done"
    assert joined.call_count == queue.MAX_LOSSES


@pytest.mark.ffmpeg
@pytest.mark.storage
@pytest.mark.slow
def test_failed_mp4_fails_nothing_else(encoded: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "remux_args", lambda *_args: ["/bin/false"])
    services.request_mp4(encoded, Viewer(NOBODY))

    for _ in range(10):
        Job.objects.filter(kind="mp4").update(not_before=timezone.now())
        work_until_idle()

    encoded.refresh_from_db()
    assert (encoded.status, encoded.mp4_key) == ("ready", "")
    assert services.download_state(encoded, Viewer(NOBODY)) == "absent"
