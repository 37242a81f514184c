"""Tests of comments and danmaku in the admin and at the desk."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Decision, User
from accounts.moderation import open_case
from comments import decisions
from comments.models import Comment, Danmaku
from comments.tests.factories import CommentFactory, DanmakuFactory
from videos.models import Video

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("model", ["comment", "danmaku"])
def test_list_query_count_is_constant(
    count: int, model: str, desk: Client, video: Video, django_assert_max_num_queries: Any
) -> None:
    for _ in range(count):
        {"comment": CommentFactory, "danmaku": DanmakuFactory}[model](target=video)

    # Session, person, groups and permissions; two counts, dates, the rows, their targets.
    with django_assert_max_num_queries(11):
        answer = desk.get(reverse(f"admin:comments_{model}_changelist"))

    assert answer.status_code == 200
    assert video.title in answer.content.decode()


def test_comment_and_danmaku_are_found_hidden_and_restored(desk: Client, video: Video) -> None:
    rude, fine = CommentFactory(target=video, text="so rude"), CommentFactory(target=video)
    flying = DanmakuFactory(target=video, text="rude too")

    found = desk.get(reverse("admin:comments_comment_changelist"), {"q": "rude"}).content.decode()
    for action, hidden in (("hide", True), ("undo_latest", False)):
        for model, row in (("comment", rude), ("danmaku", flying)):
            desk.post(
                reverse(f"admin:comments_{model}_changelist"),
                {"action": action, "reason": "harassment", "_selected_action": [row.pk]},
            )
            row.refresh_from_db()
        assert (rude.is_hidden, flying.is_hidden) == (hidden, hidden)

    assert set(Decision.objects.values_list("action", "reason")) == {
        ("hide", "harassment"),
        ("undo", "harassment"),
    }
    assert "so rude" in found
    assert fine.text not in found


def test_held_comments_are_approved(desk: Client, video: Video) -> None:
    CommentFactory(target=video, is_held=True)

    desk.post(
        reverse("admin:comments_comment_changelist"),
        {"action": "approve", "_selected_action": [*Comment.objects.values_list("pk", flat=True)]},
    )

    assert not Comment.objects.get().is_held


def test_admin_cannot_add_edit_or_delete(desk: Client, video: Video) -> None:
    comment, flying = CommentFactory(target=video), DanmakuFactory(target=video)

    for model, row in (("comment", comment), ("danmaku", flying)):
        page = desk.get(reverse(f"admin:comments_{model}_change", args=[row.pk]))
        assert row.text in page.content.decode()
        assert 'name="text"' not in page.content.decode()
        assert desk.get(reverse(f"admin:comments_{model}_add")).status_code == 403
        assert desk.post(reverse(f"admin:comments_{model}_delete", args=[row.pk])).status_code == 403
    assert (Comment.objects.count(), Danmaku.objects.count()) == (1, 1)


@pytest.mark.parametrize(("make", "kind"), [(CommentFactory, "comment"), (DanmakuFactory, "danmaku")])
def test_desk_says_if_the_author_deleted_the_text(
    make: Any, kind: str, desk: Client, video: Video, creator: User, moderator: User
) -> None:
    by_author, by_creator = make(target=video, text="first <b>"), make(target=video)
    for text, who in ((by_author, by_author.author), (by_creator, creator)):
        decisions.remove(text, who)

    pages = []
    for text in (by_author, by_creator):
        case = open_case(kind, text.public_id, by=moderator)
        pages.append(desk.get(reverse("admin:accounts_case_change", args=[case.pk])).content.decode())

    assert "first &lt;b&gt;" in pages[0]
    assert "Deleted by its author." in pages[0]
    assert "Deleted." in pages[1]
