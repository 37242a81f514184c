"""New versions of videos, with real FFmpeg and real S3."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.conf import settings as site
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.tests.factories import UserFactory
from common import deletion, reconciliation, storage
from videos import cleaning, pipeline, services
from videos.models import Job, Upload, UploadCharge, Video
from videos.publishing import Encode
from videos.services.errors import NoRoomLeft
from videos.tests.clips import make_clip
from videos.tests.test_importing import FileServer, server
from videos.tests.test_pipeline import Uploaded, uploaded, work_until_idle

__all__ = ["server", "uploaded"]  # fixtures
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.ffmpeg,
    pytest.mark.storage,
    pytest.mark.redis,
    pytest.mark.slow,
]


def begun(video: Video, body: bytes) -> Upload:
    """Return the upload of a file that replaces that of ``video``, with all bytes sent."""
    upload = services.replace_by_upload(video, filename="second.mp4", size_bytes=len(body))
    for number in upload.numbers:
        start = (number - 1) * upload.part_size_bytes
        storage.client().upload_part(
            Bucket=site.S3_BUCKET,
            Key=upload.video.source_key,
            UploadId=upload.multipart_id,
            PartNumber=number,
            Body=body[start : start + upload.part_size_bytes],
        )
    return upload


def complete(client: Client, upload: Upload) -> int:
    """Complete an upload by the API, as its owner; return the status of the answer."""
    client.force_login(upload.video.channel.owner)
    address = f"/api/v1/videos/{upload.video.public_id}/upload/"
    sent = client.get(address).json()["uploaded"]
    parts = [{"number": part["number"], "etag": part["etag"]} for part in sent]
    answer = client.post(f"{address}complete/", {"parts": parts}, content_type="application/json")
    return answer.status_code


def objects_of(video: Video) -> list[str]:
    """Return the keys of the segments in all playlists of the current encode."""
    encode = Encode.of(video)
    return [
        f"{video.encode_prefix}{segment.name}"
        for rendition in encode.renditions
        for segment in encode.segments(rendition)
    ]


@pytest.fixture
def ready(uploaded: Uploaded, clips: Path) -> Callable[[], Video]:
    """Return a function that encodes a short clip in one rung."""

    def make() -> Video:
        video = uploaded(make_clip("landscape", clips, seconds=9, size="426x240"))
        work_until_idle()
        video.refresh_from_db()
        return video

    return make


def test_reencode_keeps_the_old_encode_watchable_until_it_is_complete(
    ready: Callable[[], Video], client: Client
) -> None:
    video = ready()
    old, source_key, poster = objects_of(video), video.source_key, video.poster_key
    services.reencode(video)

    while Video.objects.filter(edition_of=video).exists():
        assert pipeline.work(Job.Lane.BULK)
        address = reverse("hls-multivariant", args=[video.public_id, video.encode_key])
        assert client.get(address).status_code == 200
    work_until_idle()

    stored = set(storage.keys_under(video.prefix))
    video.refresh_from_db()
    assert set(objects_of(video)).isdisjoint(old)
    assert {*objects_of(video), *old} <= stored
    assert video.source_key == source_key
    assert poster != video.poster_key
    assert video.poster_key in stored
    assert video.has_storyboard
    assert video.duration_s == pytest.approx(9, abs=0.1)
    multivariant = client.get(reverse("hls-multivariant", args=[video.public_id, video.encode_key]))
    assert b"240p" in multivariant.content


def test_every_address_of_the_old_playlist_answers_after_the_take_over(
    ready: Callable[[], Video], client: Client
) -> None:
    video = ready()
    video.captions.create(language="en", key=f"{video.prefix}captions/en.vtt", cue_count=1)
    old = reverse("hls-multivariant", args=[video.public_id, video.encode_key])
    before = client.get(old).content.decode()
    addresses = [*re.findall(r'URI="([^"]+)"', before), *re.findall(r"^[^#].*m3u8$", before, re.MULTILINE)]
    storyboard = reverse("hls-storyboard", args=[video.public_id, video.encode_key])
    services.reencode(video)
    work_until_idle()

    answers = {
        address: client.get(urljoin(old, address)).status_code for address in [*addresses, old, storyboard]
    }

    assert len(answers) == 6, answers  # a rung, its keyframes, audio, captions, and the two themselves
    assert set(answers.values()) == {200}, answers


def test_every_object_of_both_encodes_belongs_to_a_row(
    ready: Callable[[], Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "SETTLED_AFTER", timedelta(days=-1))
    video = ready()
    services.reencode(video)
    for _ in range(2):
        pipeline.work(Job.Lane.BULK)

    during = reconciliation.reconcile()
    work_until_idle()

    assert (during, reconciliation.reconcile()) == (0, 0)


def test_uploaded_file_replaces_the_old_one_once_it_is_encoded(
    ready: Callable[[], Video], clips: Path, client: Client
) -> None:
    video = ready()
    old, first_source = objects_of(video), video.source_key
    body = make_clip("landscape", clips, seconds=5, size="320x180").read_bytes()
    upload = begun(video, body)

    status = complete(client, upload)
    video.refresh_from_db()
    during_key, during_s = video.source_key, video.duration_s
    work_until_idle()

    video.refresh_from_db()
    assert status == 202
    assert during_key == first_source
    assert during_s == pytest.approx(9, abs=0.1)
    assert (video.source_filename, video.source_size_bytes) == ("second.mp4", len(body))
    assert video.duration_s == pytest.approx(5, abs=0.1)
    assert storage.size_of(video.source_key) == len(body)
    stored = set(storage.keys_under(video.prefix))
    # The old file goes with the old encode, when no player can hold its playlists.
    assert {first_source, *old, *objects_of(video)} <= stored
    assert UploadCharge.objects.filter(channel=video.channel, size_bytes=len(body)).exists()


def test_file_that_is_no_media_fails_with_its_sentence_and_the_video_stays(
    ready: Callable[[], Video], client: Client
) -> None:
    video = ready()
    old = objects_of(video)
    complete(client, begun(video, b"no media at all"))
    work_until_idle()

    video.refresh_from_db()
    edition = services.edition_of(video)
    assert (edition.status, edition.failure_code) == ("failed", "not_media")
    assert (video.status, objects_of(video)) == ("ready", old)
    page = client.get(reverse("studio-edition", args=[video.public_id]))
    assert "not a supported video file" in page.content.decode()


def test_cancelled_replacement_leaves_the_old_video_whole(ready: Callable[[], Video], client: Client) -> None:
    video = ready()
    before = set(storage.keys_under(video.prefix))
    upload = begun(video, b"half a file")
    client.force_login(video.channel.owner)

    answer = client.delete(f"/api/v1/videos/{video.public_id}/edition/")
    deletion.delete_pending()

    assert answer.status_code == 204
    assert not Upload.objects.filter(pk=upload.pk).exists()
    assert set(storage.keys_under(video.prefix)) == before
    assert Video.objects.get() == video


def test_upload_of_an_edition_is_its_owners_alone(ready: Callable[[], Video], client: Client) -> None:
    video = ready()
    upload = begun(video, b"half a file")
    client.force_login(UserFactory())

    answer = client.get(f"/api/v1/videos/{upload.video.public_id}/upload/")

    assert answer.status_code == 403


def test_expired_replacement_leaves_the_old_video_whole(ready: Callable[[], Video]) -> None:
    video = ready()
    before = set(storage.keys_under(video.prefix))
    upload = begun(video, b"half a file")
    Upload.objects.filter(pk=upload.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    cleaning.abandon_expired_uploads()
    deletion.delete_pending()

    assert Video.objects.get() == video
    assert set(storage.keys_under(video.prefix)) == before


def test_imported_file_replaces_the_old_one(
    ready: Callable[[], Video], clips: Path, server: FileServer
) -> None:
    video = ready()
    server.body = make_clip("landscape", clips, seconds=5, size="320x180").read_bytes()

    services.replace_by_import(video, url=server.url)
    work_until_idle()

    video.refresh_from_db()
    assert (video.source_filename, video.import_url) == ("My film.mp4", "")
    assert video.duration_s == pytest.approx(5, abs=0.1)
    assert storage.size_of(video.source_key) == len(server.body)


def test_replacement_counts_against_the_limits_of_its_owner(
    ready: Callable[[], Video], settings: Settings
) -> None:
    video = ready()
    settings.MAX_BYTES_KEPT_PER_PERSON = video.source_size_bytes + 1

    with pytest.raises(NoRoomLeft):
        services.replace_by_upload(video, filename="b.mp4", size_bytes=1000)

    assert not Video.objects.filter(edition_of=video).exists()
