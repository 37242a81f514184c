"""Tests of descriptions as viewers read them: addresses, names, hashtags and times are links."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.tests.factories import UserFactory
from videos.templatetags.videos import description_html
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


@pytest.mark.redis
def test_names_hashtags_and_times_of_a_description_are_links(client: Client) -> None:
    UserFactory(username="Mara")
    UserFactory(username="gone", is_active=False)
    text = "With @mara, @gone and @nobody <b>\n#walk 0:05 9:59 https://sea.example/#top"
    video = VideoFactory(description=text, duration_s=60.0)

    html = client.get(video.get_absolute_url()).content.decode()

    assert '<a class="mention" href="/@Mara/">@mara</a>, @gone and @nobody &lt;b&gt;' in html
    assert '<a class="hashtag" href="/search/?q=walk">#walk</a>' in html
    assert 'data-seek="5">0:05</a> 9:59' in html
    assert "https://sea.example/#top</a>" in html


def test_description_without_names_takes_no_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    video = VideoFactory(description="#walk 0:05", duration_s=60.0)

    with django_assert_num_queries(0):
        assert "hashtag" in description_html(video)
