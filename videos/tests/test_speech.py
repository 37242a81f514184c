"""Automatic captions by the real model, on speech with known words."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from common import storage
from videos import pipeline, transcribing, transcriptions
from videos.models import Job, Transcription, Video
from videos.tests import speech
from videos.tests.factories import VideoFactory
from videos.tests.processes import kill, start
from videos.transcoding.captions import read_captions
from videos.transcoding.tools import ffmpeg_path
from videos.transcription.listening import decode_sound, listen

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ffmpeg,
    pytest.mark.skipif(bool(speech.MISSING), reason=speech.REASON),
]


@pytest.fixture(scope="session")
def whisper() -> Path:
    return speech.whisper_folder(Path(settings.DATA_DIR))


def heard_text(video: Video) -> str:
    data = storage.read_range(video.captions.get().key, 0, 10**6)
    return " ".join(cue.text for cue in read_captions(data, language="en").cues).replace("\n", " ")


def encoded(path: Path) -> Video:
    """Return the ready video of an upload."""
    video = VideoFactory(
        status=Video.Status.PROCESSING,
        is_playable=False,
        duration_s=None,
        encoded=False,
        source_filename=path.name,
        source_size_bytes=path.stat().st_size,
    )
    storage.client().upload_file(str(path), settings.S3_BUCKET, video.source_key)
    Job.objects.create(video=video, encode_key=video.encode_key, kind="plan", lane=Job.Lane.FIRST)
    while pipeline.work(Job.Lane.BULK):
        pass
    video.refresh_from_db()
    assert video.status == "ready"
    return video


@pytest.mark.django_db
@pytest.mark.storage
def test_english_film_gets_captions_of_its_words(
    bucket: str, whisper: Path, clips: Path, tmp_path: Path, settings: Any
) -> None:
    settings.CAPTIONS_MODEL = str(whisper)
    sound = speech.speech("en", speech.ENGLISH, clips)
    video = encoded(speech.film([sound], tmp_path / "film.mp4"))
    transcriptions.request(video)

    while transcribing.work():
        pass

    row = Transcription.objects.get(video=video)
    assert (row.status, row.error_code, row.found_language) == ("done", "", "en"), row.error_detail
    assert speech.error_rate(speech.ENGLISH, heard_text(video)) < 0.15
    assert video.captions.get().label == "English (automatic)"


@pytest.mark.parametrize("source", ["anoisesrc=color=pink:amplitude=0.2", "sine=frequency=330", "anullsrc"])
def test_noise_tones_and_silence_have_no_words(source: str, whisper: Path, tmp_path: Path) -> None:
    media, sound = tmp_path / "sound.mp4", tmp_path / "sound.raw"
    command = [ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-t", "12", str(media)]
    subprocess.run(command, check=True)
    decode_sound(media, sound)

    heard = listen(sound, model=whisper, starts_at_s=0, skip_s=0, language="", tag="", is_last=True)

    assert heard.words == ()
    assert heard.until_s == pytest.approx(12, abs=0.2)


def test_chinese_is_written_in_simplified_characters_with_marks(
    whisper: Path, clips: Path, tmp_path: Path
) -> None:
    media = speech.film([speech.speech("zh", speech.CHINESE, clips)], tmp_path / "film.mp4")
    decode_sound(media, tmp_path / "sound.raw")

    heard = listen(
        tmp_path / "sound.raw",
        model=whisper,
        starts_at_s=0,
        skip_s=0,
        language="zh",
        tag="zh-Hans",
        is_last=True,
    )

    text = "".join(word.text for word in heard.words)
    assert heard.language == "zh"
    assert "视频平" in text or "字幕" in text or "文件" in text
    assert not set(text) & set("們視頻學習選擇檔標題謝週見來")
    assert "。" in text


@pytest.mark.django_db(transaction=True)
@pytest.mark.storage
@pytest.mark.redis
def test_killed_worker_costs_one_chunk_and_leaves_no_recogniser(
    bucket: str, whisper: Path, clips: Path, tmp_path: Path, settings: Any
) -> None:
    settings.CAPTIONS_MODEL = str(whisper)
    sound = speech.speech("en", speech.ENGLISH, clips)
    video = encoded(speech.film([sound] * 6, tmp_path / "film.mp4"))
    transcriptions.request(video)
    environment = {"CAPTIONS_MODEL": str(whisper), "ENCODE_LEASE_S": "6"}
    command = ["celery", "-A", "videoplatform", "worker", "-Q", "captions", "-c", "1", "-n", "speech@%h"]
    worker = start([*command, "--without-gossip", "--without-mingle"], bucket, tmp_path, **environment)
    try:
        wait_until(lambda: Transcription.objects.filter(heard_s__gt=0, status="running").exists())
        before = Transcription.objects.get()
        kill(worker)
        wait_until(lambda: not recognisers(str(whisper)))
    finally:
        kill(worker)
    Transcription.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    while transcribing.work():
        pass

    row = Transcription.objects.get()
    assert (row.status, row.error_code) == ("done", ""), row.error_detail
    assert row.heard_s > before.heard_s > 0
    assert speech.error_rate(" ".join([speech.ENGLISH] * 6), heard_text(video)) < 0.15


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while not is_true():
        assert time.monotonic() < deadline, list(Transcription.objects.values())
        transcriptions.wake()
        time.sleep(1)


def recognisers(model: str) -> list[int]:
    """Return the processes of recognisers with this model."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if "transcription.recogniser" in command and model in command:
            found.append(int(folder.name))
    return found
