from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.factories import UserFactory
from videos.models import DoomedPrefix, Job, Video
from videos.tests.factories import VideoFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


@pytest.fixture
def administrator(client: Client) -> User:
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_one_and_for_three(
    count: int, client: Client, administrator: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(count):
        VideoFactory()

    with django_assert_max_num_queries(8):
        answer = client.get(reverse("admin:videos_video_changelist"))

    assert answer.status_code == 200


def test_a_video_shows_its_work(client: Client, administrator: User) -> None:
    video = VideoFactory()
    Job.objects.filter(kind="audio").update(error_detail="out of luck")

    page = client.get(reverse("admin:videos_video_change", args=[video.pk]))

    assert "out of luck" in page.content.decode()


def test_a_failed_video_is_tried_again_from_the_list(client: Client, administrator: User) -> None:
    failed, ready = VideoFactory(status="failed", failure_code="encode_failed"), VideoFactory()

    client.post(
        reverse("admin:videos_video_changelist"),
        {"action": "retry", "_selected_action": [failed.pk, ready.pk]},
    )

    statuses = dict(Video.objects.values_list("pk", "status"))
    assert statuses == {failed.pk: "processing", ready.pk: "ready"}


def test_deleting_in_the_admin_dooms_the_objects_as_well(client: Client, administrator: User) -> None:
    video = VideoFactory()

    client.post(reverse("admin:videos_video_delete", args=[video.pk]), {"post": "yes"})

    assert not Video.objects.exists()
    assert DoomedPrefix.objects.get().prefix == video.prefix
