"""Failures, stored as codes and values and shown in the reader's language."""

from __future__ import annotations

import pytest
from django.utils import translation
from rest_framework.test import APIClient

from videos.ends import fail_video
from videos.failures import OF_LIMIT, sentence_of
from videos.models import Video
from videos.tests.factories import VideoFactory
from videos.transcoding.errors import LimitsExceeded, NotMedia

pytestmark = pytest.mark.django_db


def failed(error: Exception) -> Video:
    video: Video = VideoFactory(status=Video.Status.PROCESSING)
    fail_video(video, error)  # type: ignore[arg-type]
    return Video.objects.select_related("channel__owner").get(pk=video.pk)


@pytest.mark.redis
@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "This video is longer than 12 hours. Split it into parts and upload them separately."),
        ("zh-hans", "视频超过 12 小时，请剪成几段分别上传。"),
    ],
)
def test_failure_is_shown_in_the_language_of_the_request(language: str, sentence: str) -> None:
    video = failed(LimitsExceeded("43201 s", limit="duration_s", most=12 * 3600))
    client = APIClient()
    client.force_authenticate(video.channel.owner)

    answer = client.get(f"/api/v1/videos/{video.public_id}/", HTTP_ACCEPT_LANGUAGE=language)

    assert answer.json()["failure"] == {"code": "limits_exceeded", "detail": sentence}


@pytest.mark.redis
def test_failure_without_values_has_the_sentence_of_its_code() -> None:
    video = failed(NotMedia("nothing"))

    assert video.failure_sentence == str(Video.Failure.NOT_MEDIA.label)


@pytest.mark.parametrize("limit", OF_LIMIT)
def test_every_limit_has_a_sentence_of_its_own_in_both_languages(limit: str) -> None:
    sentences = set()
    for language in ("en", "zh-hans"):
        with translation.override(language):
            sentences.add(sentence_of({"limit": limit, "most": 1024**3}))

    assert len(sentences) == 2
    assert "%" not in "".join(sentences)


def test_values_of_a_later_version_have_no_sentence() -> None:
    assert sentence_of({"limit": "something_new", "most": 1}) == ""
