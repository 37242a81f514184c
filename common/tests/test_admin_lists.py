"""Tests of admin lists: counts and searches are bounded."""

import pytest
from django.contrib import admin
from django.test import RequestFactory

from accounts.models import User
from accounts.tests.factories import UserFactory
from comments.models import Comment
from comments.tests.factories import CommentFactory
from common import admin_lists
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db


def found(words: str, rf: RequestFactory) -> set[Comment]:
    comments = admin.site.get_model_admin(Comment)
    rows, may_have_duplicates = comments.get_search_results(rf.get("/"), Comment.objects.all(), words)
    assert not may_have_duplicates
    return set(rows)


def test_list_counts_up_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_lists, "MOST_COUNTED", 2)
    UserFactory.create_batch(3)
    pages = admin_lists.BoundedPaginator(User.objects.order_by("pk"), 1)
    assert (pages.count, pages.num_pages) == (2, 2)


def test_lists_of_libraries_are_bounded_as_well() -> None:
    assert {one.paginator for one in admin.site._registry.values()} == {admin_lists.BoundedPaginator}


def test_search_finds_text_author_and_id(rf: RequestFactory) -> None:
    video, author = VideoFactory(), UserFactory(username="Somebody")
    by_text = CommentFactory(target=video, text="Look at this WATERFALL")
    by_author = CommentFactory(target=video, author=author)
    assert found("waterfall", rf) == {by_text}
    assert found("somebod", rf) == {by_author}
    assert found(by_text.public_id, rf) == {by_text}
    assert found("nothing-of-it", rf) == set()


def test_search_finds_rows_with_every_word(rf: RequestFactory) -> None:
    video, author = VideoFactory(), UserFactory(username="Somebody")
    CommentFactory(target=video, text="waterfall")
    both = CommentFactory(target=video, text="another waterfall", author=author)
    assert found("waterfall somebody", rf) == {both}


def test_text_of_old_rows_is_not_searched(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_lists, "NEWEST_SEARCHED", 1)
    video = VideoFactory()
    CommentFactory(target=video, text="waterfall")
    newest = CommentFactory(target=video, text="waterfall")
    assert found("waterfall", rf) == {newest}
