"""Tests of the queue of transcriptions, its chunks, its ends, and the requests of owners."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.tests.factories import UserFactory
from common import storage
from videos import services, transcribing, transcriptions
from videos.models import CaptionTrack, TranscribedChunk, Transcription, Upload, Video
from videos.queue import this_host
from videos.services.errors import TranscriptionOff, TranscriptionRuns, UnheardLanguage
from videos.services.uploads import _queue_plan
from videos.tests.factories import VideoFactory
from videos.transcription.cues import Word
from videos.transcription.listening import Heard, RecognitionFailed, read_answer
from videos.transcription.weights import ModelMissing, folder_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model(settings: Any) -> None:
    settings.CAPTIONS_MODEL = "base"


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace the model and storage: each chunk is heard as one sentence; return the calls."""
    calls: list[dict[str, Any]] = []

    def listen(sound: Path, **asked: Any) -> Heard:
        calls.append(asked)
        start_s = asked["starts_at_s"]
        words = (Word(int(start_s * 1000), int(start_s * 1000) + 900, f" Sentence {len(calls)}."),)
        return Heard("en", words, start_s + 4)

    stored: dict[str, bytes] = {}
    monkeypatch.setattr(transcribing, "listen", listen)
    monkeypatch.setattr(transcribing, "decode_sound", mock.Mock())
    monkeypatch.setattr(transcribing, "folder_of", mock.Mock(return_value=Path("/model")))
    monkeypatch.setattr(transcribing, "CHUNK_S", 4.0)
    monkeypatch.setattr(storage, "read_range", mock.Mock(return_value=b""))
    monkeypatch.setattr(storage, "put_bytes", lambda key, data: stored.update({key: data}))
    monkeypatch.setattr(transcriptions, "wake", mock.Mock())
    return calls


def requested(video: Video | None = None, **fields: Any) -> Transcription:
    video = video or VideoFactory()
    transcriptions.request(video)
    Transcription.objects.filter(video=video).update(**fields)
    return Transcription.objects.get(video=video)


def work_to_the_end() -> int:
    count = 0
    while transcribing.work():
        count += 1
    return count


def test_chunks_are_heard_one_after_the_other_and_become_captions(heard: list[dict[str, Any]]) -> None:
    row = requested()

    assert work_to_the_end() == 2

    row.refresh_from_db()
    assert (row.status, row.error_code, row.heard_s) == ("done", "", 8.0)
    assert [(call["starts_at_s"], call["is_last"]) for call in heard] == [(0, False), (4, True)]
    assert [call["language"] for call in heard] == ["", "en"]
    track = row.video.captions.get()
    assert (track.language, track.label, track.cue_count) == ("en", "English (automatic)", 2)
    assert not TranscribedChunk.objects.exists()


def test_killed_worker_loses_its_chunk_alone(heard: list[dict[str, Any]]) -> None:
    row = requested()
    transcribing.work()
    killed = transcriptions.claim("killed:1")
    assert killed is not None
    assert not transcribing.work()
    Transcription.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert work_to_the_end() == 1

    row.refresh_from_db()
    assert (row.status, row.losses) == ("done", 0)
    assert [call["starts_at_s"] for call in heard] == [0, 4]


def test_returning_worker_of_a_lost_lease_stores_nothing(heard: list[dict[str, Any]]) -> None:
    row = requested()
    late = transcriptions.claim("late:1")
    assert late is not None
    Transcription.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    transcriptions.claim("next:1")

    transcribing.run(late)

    row.refresh_from_db()
    assert (row.worker, row.heard_s) == ("next:1", 0)
    assert not TranscribedChunk.objects.exists()


def test_chunk_that_fails_three_times_ends_with_a_sentence(
    heard: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(sound: Path, **asked: Any) -> Heard:
        raise RecognitionFailed("Illegal instruction")

    monkeypatch.setattr(transcribing, "listen", crash)
    row = requested()
    for _ in range(transcriptions.MAX_CHUNK_FAILURES):
        Transcription.objects.update(not_before=timezone.now())
        assert transcribing.work()

    row.refresh_from_db()
    assert (row.status, row.error_code) == ("failed", "recognition_failed")
    assert "Illegal instruction" in row.error_detail
    assert not transcribing.work()


def test_missing_model_makes_it_wait_without_a_failure(
    heard: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribing, "folder_of", folder_of)
    monkeypatch.setattr("videos.transcription.weights.is_installed", lambda: False)
    row = requested()

    transcribing.work()

    row.refresh_from_db()
    assert (row.status, row.waits_for, row.failures) == ("waiting", "model", 0)
    assert row.not_before > timezone.now()


def test_row_whose_workers_die_again_and_again_is_given_up(heard: list[dict[str, Any]]) -> None:
    past = timezone.now() - timedelta(seconds=1)
    row = requested(status="running", losses=transcriptions.MAX_CHUNK_LOSSES, lease_until=past)

    assert transcriptions.claim() is None
    transcriptions.sweep()

    row.refresh_from_db()
    assert (row.status, row.error_code) == ("failed", "recognition_failed")


def test_captions_of_the_owner_stay(heard: list[dict[str, Any]]) -> None:
    row = requested()
    mine = CaptionTrack.objects.create(video=row.video, language="en", key="mine.vtt", cue_count=9)

    work_to_the_end()

    row.refresh_from_db()
    assert (row.status, row.error_code) == ("done", "kept_yours")
    assert row.video.captions.get() == mine
    assert row.video.captions.get().key == "mine.vtt"


def test_new_automatic_captions_replace_old_ones(heard: list[dict[str, Any]]) -> None:
    row = requested()
    old = CaptionTrack.objects.create(
        video=row.video, language="en", key="old.vtt", cue_count=9, origin=CaptionTrack.Origin.AUTOMATIC
    )

    work_to_the_end()

    new = row.video.captions.get()
    assert (new.pk, new.cue_count) == (old.pk, 2)
    assert new.key != "old.vtt"


def test_silent_video_gets_no_captions(heard: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribing, "listen", mock.Mock(return_value=Heard("", (), 8.0)))
    row = requested()

    work_to_the_end()

    row.refresh_from_db()
    assert (row.status, row.error_code) == ("done", "no_speech")
    assert not row.video.captions.exists()


def test_video_without_sound_ends_at_once(heard: list[dict[str, Any]]) -> None:
    row = requested()
    row.video.renditions.filter(kind="audio").delete()

    transcribing.work()

    row.refresh_from_db()
    assert (row.status, row.error_code) == ("failed", "no_audio")


def test_another_encode_begins_anew(heard: list[dict[str, Any]]) -> None:
    row = requested(encode_key="before", heard_s=4.0)
    TranscribedChunk.objects.create(transcription=row, start_s=0, words=[[0, 1, "old"]])

    work_to_the_end()

    assert [call["starts_at_s"] for call in heard] == [0, 4]


def test_chunks_of_channels_take_turns(heard: list[dict[str, Any]]) -> None:
    busy = UserFactory().channel
    for _ in range(3):
        requested(VideoFactory(channel=busy))
    other = requested()

    turns = [transcriptions.claim() for _ in range(2)]

    assert other in turns


def test_video_that_is_encoded_is_not_claimed(heard: list[dict[str, Any]]) -> None:
    row = requested(VideoFactory(status=Video.Status.PROCESSING))

    assert transcriptions.claim() is None
    assert transcriptions.state(row)["estimate_s"] is None


def test_estimate_counts_older_requests_and_the_measured_speed(heard: list[dict[str, Any]]) -> None:
    requested(heard_s=4.0)
    row = requested(heard_s=2.0, work_s=1.0)

    assert transcriptions.state(row)["estimate_s"] == round((4 + 6) * 0.5)
    assert transcriptions.state(row)["progress_percent"] == 25


def test_stopped_worker_releases_its_row_without_a_loss(heard: list[dict[str, Any]]) -> None:
    requested()
    row = transcriptions.claim(f"{this_host()}:77")
    assert row is not None

    assert transcriptions.release([77]) == 1

    row.refresh_from_db()
    assert (row.status, row.losses) == ("waiting", 0)


def test_canceled_request_takes_the_lease_from_its_worker(heard: list[dict[str, Any]]) -> None:
    row = requested()
    running = transcriptions.claim()
    assert running is not None

    services.cancel_transcription(row.video)
    transcribing.run(running)

    row.refresh_from_db()
    assert row.status == "cancelled"
    assert not row.video.captions.exists()
    assert services.request_transcription(row.video).status == "waiting"


def test_new_upload_is_transcribed_where_the_site_says_so(settings: Any) -> None:
    for automatic, count in ((False, 0), (True, 1)):
        settings.CAPTIONS_AUTOMATIC = automatic
        video = VideoFactory(status=Video.Status.UPLOADING, encoded=False)
        upload = Upload(video=video, size_bytes=1, part_size_bytes=1, part_count=1, expires_at=timezone.now())
        upload.save()

        _queue_plan(upload)

        assert Transcription.objects.filter(video=video).count() == count


def test_requests_are_refused_with_a_reason(settings: Any) -> None:
    video = VideoFactory()
    with pytest.raises(UnheardLanguage):
        services.request_transcription(video, language="tlh")
    services.request_transcription(video, language="zh")
    with pytest.raises(TranscriptionRuns):
        services.request_transcription(video)
    assert Transcription.objects.get().language == "zh-Hans"
    settings.CAPTIONS_MODEL = ""
    with pytest.raises(TranscriptionOff):
        services.request_transcription(VideoFactory())


def test_api_requests_follows_and_cancels(heard: list[dict[str, Any]]) -> None:
    video = VideoFactory()
    client = APIClient()
    client.force_authenticate(video.channel.owner)
    address = f"/api/v1/videos/{video.public_id}/transcription/"

    assert client.get(address).status_code == 404
    began = client.post(address, {"language": "en"}, format="json")
    assert (began.status_code, began.json()["status"], began.json()["language"]) == (202, "waiting", "en")
    assert client.get(address).json()["progress_percent"] == 0
    assert client.delete(address).status_code == 204
    assert client.delete(address).status_code == 409
    work_to_the_end()
    client.post(address, {}, format="json")
    work_to_the_end()
    assert client.get(address).json() | {"estimate_s": 0} == {
        "status": "done",
        "language": "en",
        "progress_percent": 100,
        "estimate_s": 0,
        "waiting_for": None,
        "outcome": None,
    }
    (caption,) = client.get(f"/api/v1/videos/{video.public_id}/captions/").json()["results"]
    assert (caption["label"], caption["is_automatic"]) == ("English (automatic)", True)


def test_studio_says_what_to_install_where_there_is_no_model(client: Client, settings: Any) -> None:
    video = VideoFactory()
    client.force_login(video.channel.owner)
    address = f"/studio/{video.public_id}/"

    assert "Detect the spoken language" in client.get(address).content.decode()
    settings.CAPTIONS_MODEL = ""
    assert "requirements-captions.txt" in client.get(address).content.decode()


def test_studio_shows_progress_and_cancels(client: Client, heard: list[dict[str, Any]]) -> None:
    video = VideoFactory()
    client.force_login(video.channel.owner)
    address = f"/studio/{video.public_id}/"

    client.post(f"{address}transcription/", {"language": ""})
    assert "<transcription-progress" in client.get(address).content.decode()
    client.post(f"{address}transcription/cancel/")

    assert Transcription.objects.get().status == "cancelled"


def test_answers_of_the_recogniser_are_checked() -> None:
    answer = b'{"language": "en", "heard_s": 2, "words": [[0.5, 1, " a --> b\\u0007"], [-3, 0.2, " x"]]}'

    read = read_answer(answer, starts_at_s=10)

    assert read == Heard("en", (Word(7000, 10200, " x"), Word(10500, 11000, " a → b ")), 12.0)
    for broken in (b"", b"[]", b'{"language": 1}', b'{"language": "en", "heard_s": 1, "words": [1]}'):
        with pytest.raises(RecognitionFailed):
            read_answer(broken, starts_at_s=0)


@pytest.mark.skipif(importlib.util.find_spec("faster_whisper") is None, reason="needs faster-whisper")
@pytest.mark.parametrize("name", ["/nowhere", "../../etc", "a b", "-x"])
def test_model_that_is_neither_a_name_nor_a_folder_is_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        folder_of(name, tmp_path)
