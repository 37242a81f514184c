"""New versions of videos, on rows alone: the take-over, its interruptions, failures and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Notification
from accounts.tests.factories import UserFactory
from common.models import PendingDeletion
from videos import cleaning, ends, room, services, sweeping
from videos.models import CaptionTrack, Job, Rendition, RetiredEncode, SegmentRun, Video
from videos.publishing import Encode
from videos.services.errors import (
    CannotRetry,
    EditionRuns,
    EnoughForToday,
    NoEdition,
    NoOriginal,
    NotReadyYet,
)
from videos.tests.factories import VideoFactory, make_encode
from videos.tests.kills import after_the_sweep, killed_at_every_write
from videos.transcoding.errors import NotMedia, StorageFailed

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.redis,
    pytest.mark.storage,
    pytest.mark.usefixtures("bucket"),
]


@pytest.fixture(autouse=True)
def storage_answers() -> Iterator[mock.Mock]:
    """Let storage take playlists and have every source, unless a test changes that."""
    with (
        mock.patch("common.storage.put_text") as put_text,
        mock.patch("common.storage.size_of", return_value=1),
    ):
        yield put_text


def reencoded(video: Video, status: str = Job.Status.DONE) -> Video:
    """Return the edition of ``video`` whose jobs have this status."""
    edition = services.reencode(video)
    edition.jobs.all().delete()
    make_encode(edition, status=status)
    return edition


def replaced(video: Video, **fields: Any) -> Video:
    """Return an edition of another file, with all jobs done."""
    edition = Video(
        edition_of=video,
        edition_kind=Video.EditionKind.REPLACEMENT,
        channel=video.channel,
        status=Video.Status.PROCESSING,
        visibility=Video.Visibility.PRIVATE,
        source_filename="second.mp4",
        source_size_bytes=7,
        width_px=640,
        height_px=360,
        **fields,
    )
    edition.source_key = f"{video.prefix}source-{edition.encode_key}"
    edition.save()
    make_encode(edition)
    return edition


def test_finished_edition_becomes_the_encode_of_its_video() -> None:
    video = VideoFactory(view_count=7)
    old_key = video.encode_key
    edition = reencoded(video)

    ends.complete(edition.pk)

    video.refresh_from_db()
    assert (video.status, video.encode_key, video.view_count) == ("ready", edition.encode_key, 7)
    assert Encode.of(video).is_complete
    assert not Video.objects.filter(pk=edition.pk).exists()
    assert RetiredEncode.objects.get(video=video).encode_key == old_key
    assert Notification.objects.get(kind=Notification.Kind.EDITION_READY).data == {"title": video.title}


def test_unfinished_edition_leaves_its_video_as_it_is() -> None:
    video = VideoFactory()
    edition = reencoded(video, status=Job.Status.WAITING)

    ends.complete(edition.pk)

    video.refresh_from_db()
    assert video.encode_key != edition.encode_key
    assert Encode.of(video).is_complete


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_take_over_that_is_killed_at_any_write_is_completed_by_the_sweep(storage_answers: mock.Mock) -> None:
    def make() -> Callable[[], object]:
        Video.objects.all().delete()
        edition = reencoded(VideoFactory())
        return lambda: ends.complete(edition.pk)

    for _ in killed_at_every_write(make, storage_answers):
        video = Video.objects.get(edition_of=None)
        assert Encode.of(video).is_complete
        assert video.status == Video.Status.READY
        after_the_sweep()
        video.refresh_from_db()
        assert video.retired_encodes.count() == 1
        assert Encode.of(video).is_complete
        assert Video.objects.count() == 1


def test_worker_that_finishes_the_last_job_after_the_take_over_changes_nothing() -> None:
    edition = reencoded(VideoFactory())
    ends.complete(edition.pk)

    ends.record_playable(edition.pk)

    assert not ends.complete(edition.pk)


@pytest.mark.parametrize("has_own_poster", [True, False])
def test_automatic_poster_is_replaced_and_a_chosen_one_stays(has_own_poster: bool) -> None:
    video = VideoFactory()
    Video.objects.filter(pk=video.pk).update(
        poster_key=f"{video.posters_prefix if has_own_poster else video.encode_prefix}a.jpg"
    )
    video.refresh_from_db()
    edition = reencoded(video)
    Video.objects.filter(pk=edition.pk).update(poster_key=f"{edition.encode_prefix}poster-1.jpg")

    ends.complete(edition.pk)

    before, edition_poster = video.poster_key, f"{edition.encode_prefix}poster-1.jpg"
    video.refresh_from_db()
    assert video.poster_key == (before if has_own_poster else edition_poster)


def test_storyboard_and_loudness_of_the_new_encode_are_queued() -> None:
    video = VideoFactory(loudness=[[-20.0, -3.0]])
    edition = reencoded(video)

    ends.complete(edition.pk)

    video.refresh_from_db()
    after = video.jobs.filter(encode_key=video.encode_key, lane=Job.Lane.AFTER)
    assert set(after.values_list("kind", flat=True)) == {"storyboard", "loudness"}
    assert (video.storyboard_key, video.loudness) == ("", [[-20.0, -3.0]])


def test_old_playlists_answer_until_no_player_can_hold_them(client: Client) -> None:
    video = VideoFactory()
    old = reverse("hls-media", args=[video.public_id, video.encode_key, "720p"])
    ends.complete(reencoded(video).pk)

    cleaning.delete_retired_encodes()
    held = client.get(old)
    RetiredEncode.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    cleaning.delete_retired_encodes()

    assert held.status_code == 200
    assert video.encode_prefix.encode() in held.content
    assert client.get(old).status_code == 404
    pending = PendingDeletion.objects.get()
    assert pending.path == video.encode_prefix
    assert pending.next_try_at > timezone.now() + timedelta(hours=6)
    assert not Rendition.objects.filter(encode_key=video.encode_key).exists()
    assert not SegmentRun.objects.filter(encode_key=video.encode_key).exists()


def test_old_playlists_of_a_private_video_answer_nobody_else(client: Client) -> None:
    video = VideoFactory()
    old = reverse("hls-media", args=[video.public_id, video.encode_key, "720p"])
    ends.complete(reencoded(video).pk)
    Video.objects.filter(pk=video.pk).update(visibility=Video.Visibility.PRIVATE)

    assert client.get(old).status_code == 404


def test_failed_edition_keeps_the_old_encode_and_says_why() -> None:
    video = VideoFactory()
    edition = reencoded(video, status=Job.Status.WAITING)

    ends.fail_video(edition, NotMedia("text"))

    video.refresh_from_db()
    edition.refresh_from_db()
    assert (video.status, edition.status) == ("ready", "failed")
    assert edition.failure_sentence == str(Video.Failure.NOT_MEDIA.label)
    told = Notification.objects.get(person=video.channel.owner)
    assert told.kind == Notification.Kind.EDITION_FAILED
    assert told.url == reverse("studio-edition", args=[video.public_id])


def test_failed_edition_is_tried_again_under_another_key() -> None:
    video = VideoFactory()
    edition = reencoded(video, status=Job.Status.WAITING)
    ends.fail_video(edition, StorageFailed("away"))

    again = services.retry_edition(video)

    assert again.encode_key != edition.encode_key
    assert again.jobs.get().kind == Job.Kind.PLAN
    assert PendingDeletion.objects.get().path == edition.encode_prefix


def test_edition_that_failed_by_its_file_is_not_tried_again() -> None:
    video = VideoFactory()
    ends.fail_video(reencoded(video, status=Job.Status.WAITING), NotMedia("text"))

    with pytest.raises(CannotRetry):
        services.retry_edition(video)


def test_failed_edition_gives_way_to_another() -> None:
    video = VideoFactory()
    failed = reencoded(video, status=Job.Status.WAITING)
    ends.fail_video(failed, NotMedia("text"))

    edition = services.reencode(video)

    assert services.edition_of(video) == edition
    assert PendingDeletion.objects.get().path == failed.encode_prefix


def test_failed_edition_is_deleted_after_a_week() -> None:
    video = VideoFactory()
    edition = reencoded(video, status=Job.Status.WAITING)
    ends.fail_video(edition, NotMedia("text"))
    Video.objects.filter(pk=edition.pk).update(created_at=timezone.now() - timedelta(days=8))

    cleaning.clean_up()

    assert list(Video.objects.all()) == [video]


def test_cancelled_edition_leaves_the_video_and_its_source() -> None:
    video = VideoFactory()
    edition = reencoded(video, status=Job.Status.WAITING)

    services.cancel_edition(video)

    video.refresh_from_db()
    assert (video.status, Encode.of(video).is_complete) == ("ready", True)
    assert [row.path for row in PendingDeletion.objects.all()] == [edition.encode_prefix]
    with pytest.raises(NoEdition):
        services.cancel_edition(video)


def test_administrator_stops_a_new_version_or_the_encode_itself() -> None:
    ready, processing = VideoFactory(), VideoFactory(status=Video.Status.PROCESSING, is_playable=False)
    services.reencode(ready)

    services.stop_encode(ready)
    services.stop_encode(processing)

    processing.refresh_from_db()
    assert not Video.objects.filter(edition_of=ready).exists()
    assert processing.status == Video.Status.FAILED


def test_steps_of_a_new_version_are_shown_to_its_owner_alone(client: Client) -> None:
    video = VideoFactory()
    edition = reencoded(video, status=Job.Status.WAITING)
    address = reverse("studio-jobs", args=[edition.public_id])

    client.force_login(UserFactory())
    others = client.get(address).status_code
    client.force_login(video.channel.owner)
    page = client.get(address)

    assert (others, page.status_code) == (404, 200)
    assert video.get_absolute_url() in page.content.decode()


def test_cancel_after_the_take_over_deletes_nothing() -> None:
    video = VideoFactory()
    edition = reencoded(video)
    ends.complete(edition.pk)

    cleaning.delete_with_objects(edition)

    assert not PendingDeletion.objects.exists()
    assert Encode.of(Video.objects.get()).is_complete


def test_second_edition_is_refused_while_one_is_made() -> None:
    video = VideoFactory()
    services.reencode(video)

    with pytest.raises(EditionRuns):
        services.reencode(video)


def test_video_without_a_stored_source_is_not_encoded_again() -> None:
    video = VideoFactory()

    with mock.patch("common.storage.size_of", return_value=None), pytest.raises(NoOriginal):
        services.reencode(video)


def test_recording_is_not_encoded_again() -> None:
    with pytest.raises(NoOriginal):
        services.reencode(VideoFactory(source_key=""))


def test_video_that_is_not_ready_is_not_encoded_again() -> None:
    with pytest.raises(NotReadyYet):
        services.reencode(VideoFactory(status=Video.Status.PROCESSING))


def test_deleted_video_takes_its_edition_along() -> None:
    video = VideoFactory()
    edition = reencoded(video, status=Job.Status.WAITING)

    services.delete_video(video)
    sweeping.sweep()

    assert not Video.objects.exists()
    assert not ends.complete(edition.pk)
    assert PendingDeletion.objects.get().path == video.prefix


def test_edition_is_in_no_list_and_has_no_page(client: Client) -> None:
    owner = UserFactory()
    video = VideoFactory(channel=owner.channel)
    edition = reencoded(video, status=Job.Status.WAITING)
    client.force_login(owner)

    assert client.get(f"/watch/{edition.public_id}/").status_code == 404
    assert client.get(f"/studio/{edition.public_id}/").status_code == 404
    assert client.get(f"/api/v1/videos/{edition.public_id}/").status_code == 404
    assert list(Video.objects.kept()) == [video]
    Video.objects.filter(pk=edition.pk).update(visibility=Video.Visibility.PUBLIC, is_playable=True)
    assert list(Video.objects.listed()) == [video]


def test_reencode_counts_against_the_daily_limit_of_its_owner(settings: Settings) -> None:
    settings.RATE_LIMITS, settings.MAX_UPLOAD_BYTES_PER_DAY = True, 1500
    video = VideoFactory(source_size_bytes=1000)
    services.reencode(video)
    services.cancel_edition(video)

    with pytest.raises(EnoughForToday):
        services.reencode(video)

    assert services.reencode(video, counts=False).edition_kind == Video.EditionKind.REENCODE


def test_source_of_an_edition_counts_once_against_the_storage_limit() -> None:
    video = VideoFactory(source_size_bytes=1000, encoded=False)
    services.reencode(video)

    assert room.kept_bytes(video.channel) == 1000


def test_take_over_of_another_file_replaces_the_source_and_the_captions_made_of_it() -> None:
    video = VideoFactory(source_filename="first.mp4", loudness=[[-20.0, -3.0]])
    old_source = video.source_key
    for language, origin in (("en", "automatic"), ("fr", "embedded"), ("de", "owner")):
        CaptionTrack.objects.create(
            video=video, language=language, key=f"{language}.vtt", cue_count=1, origin=origin
        )
    edition = replaced(video)

    ends.complete(edition.pk)

    video.refresh_from_db()
    assert (video.source_filename, video.source_key, video.source_size_bytes) == (
        "second.mp4", edition.source_key, 7,
    )  # fmt: skip
    assert (video.width_px, video.loudness) == (640, None)
    assert list(video.captions.values_list("language", flat=True)) == ["de"]
    RetiredEncode.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    cleaning.delete_retired_encodes()
    assert old_source in set(PendingDeletion.objects.values_list("path", flat=True))
