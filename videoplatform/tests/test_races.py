"""Tests of simultaneous equal requests: both are answered, and there is one row."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from django.core.files.base import File
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import moderation, services
from accounts.models import Case, Follow, Report, User
from accounts.tests.authenticator import code_of
from accounts.tests.factories import PASSWORD, UserFactory
from comments import services as comments
from comments.models import Comment, CommentLike
from comments.tests.factories import CommentFactory
from live.models import Stream
from live.services import stream_of
from videoplatform.tests.rivals import appears_after_the_look
from videos import services as video_services
from videos.models import CaptionTrack, Like, Video
from videos.tagging import set_tags
from videos.tests.factories import VideoFactory

pytestmark = pytest.mark.django_db

WEBVTT = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n"


@pytest.fixture
def video() -> Video:
    made: Video = VideoFactory(visibility="public")
    return made


@pytest.fixture
def person() -> User:
    return UserFactory()


def test_simultaneous_reports_make_one_report(
    video: Video, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = moderation.open_case("video", video.public_id, by=UserFactory(is_superuser=True))
    facts = {"case": case, "reporter": person, "reason": "spam", "title": case.title}
    appears_after_the_look(monkeypatch, Report, lambda: Report.objects.create(**facts))

    report, is_new = moderation.report(
        by=person, target_type="video", target_id=video.public_id, reason="spam"
    )

    assert (Report.objects.get(), is_new) == (report, False)


def test_simultaneous_reports_make_one_case(
    video: Video, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"target_type": "video", "target_id": video.public_id, "title": video.title}
    appears_after_the_look(monkeypatch, Case, lambda: Case.objects.create(**facts))

    moderation.report(by=person, target_type="video", target_id=video.public_id, reason="spam")

    assert Case.objects.get().report_count == 1


@pytest.mark.storage
def test_simultaneous_captions_leave_one_track(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    rival = {"video": video, "language": "en", "key": "rival.vtt", "cue_count": 1}
    appears_after_the_look(monkeypatch, CaptionTrack, lambda: CaptionTrack.objects.create(**rival))

    track, _skipped = video_services.add_captions(video, language="en", file=File(BytesIO(WEBVTT), "en.vtt"))

    assert CaptionTrack.objects.get() == track
    assert track.key != "rival.vtt"


def test_simultaneous_follows_likes_and_streams_make_one_row(
    video: Video, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, comment = video.channel, CommentFactory(target=video)
    races: list[tuple[type, Callable[[], object], Callable[[], object]]] = [
        (
            Follow,
            lambda: Follow.objects.create(follower=person, channel=channel),
            lambda: services.follow(user=person, channel=channel),
        ),
        (
            Like,
            lambda: Like.objects.create(video=video, user=person),
            lambda: video_services.like(video, person),
        ),
        (
            CommentLike,
            lambda: CommentLike.objects.create(comment=comment, user=person),
            lambda: comments.like(comment=comment, user=person),
        ),
        (Stream, lambda: Stream.objects.create(channel=channel), lambda: stream_of(channel)),
    ]

    for model, rival, act in races:
        with monkeypatch.context() as patch:
            appears_after_the_look(patch, model, rival)
            act()
        assert model.objects.count() == 1, model  # type: ignore[attr-defined]


def test_new_tags_are_inserted_in_alphabetical_order(video: Video) -> None:
    """Check the order, as transactions that insert the same rows in different orders deadlock."""
    with CaptureQueriesContext(connection) as queries:
        set_tags(video, ["pear", "apple", "fig"])

    insert = next(one["sql"] for one in queries if 'INTO "videos_tag"' in one["sql"])
    assert insert.index("apple") < insert.index("fig") < insert.index("pear")


def test_edit_of_a_stale_comment_does_not_pin_it_again(video: Video) -> None:
    author, creator = UserFactory(), video.channel.owner
    old, new = (CommentFactory(target=video, author=author) for _number in range(2))
    comments.pin(comment=old, by=creator)
    as_seen = Comment.objects.get(pk=old.pk)
    comments.pin(comment=new, by=creator)

    comments.edit(comment=as_seen, by=author, text="other words")

    pinned = Comment.objects.filter(is_pinned=True)
    assert list(pinned) == [new]


def test_simultaneous_totp_activations_make_one_factor(client: Client, person: User) -> None:
    client.force_login(person)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    code = code_of(secret)
    is_enabled = "allauth.mfa.totp.views.is_mfa_enabled"
    auth.TOTP.activate(person, secret)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(is_enabled, lambda *_args: False)
        patch.setattr("allauth.mfa.totp.forms.ActivateTOTPForm.clean", lambda form: form.cleaned_data)
        answer = client.post(reverse("mfa_activate_totp"), {"code": code})

    assert (answer.status_code, answer["Location"]) == (302, reverse("mfa_index"))
    assert Authenticator.objects.filter(user=person, type="totp").count() == 1


def test_address_confirmed_by_another_meanwhile_is_refused(
    client: Client, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = EmailAddress.objects.create(user=person, email="wanted@example.org")
    EmailAddress.objects.create(user=UserFactory(), email="wanted@example.org", verified=True)
    monkeypatch.setattr(EmailAddress, "can_set_verified", lambda _address: True)
    key = EmailConfirmationHMAC(mine).key

    answer = client.post(reverse("account_confirm_email", args=[key]), follow=True)

    assert answer.status_code == 200
    assert "This email address is already in use." in answer.content.decode()
    assert not EmailAddress.objects.get(pk=mine.pk).verified


def test_username_taken_meanwhile_is_reported_in_the_admin(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    person, page = UserFactory(username="old"), "admin:accounts_user_change"
    UserFactory(username="wanted")
    monkeypatch.setattr(User, "validate_constraints", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(User, "validate_unique", lambda *_args, **_kwargs: None)
    channel = {
        "channel-TOTAL_FORMS": "1",
        "channel-INITIAL_FORMS": "1",
        "channel-0-owner": str(person.pk),
        "channel-0-id": str(person.channel.pk),
    }

    form = {"username": "wanted", "email": person.email, **channel}
    answer = client.post(reverse(page, args=[person.pk]), form, follow=True)

    assert "was just taken" in answer.content.decode()
    assert User.objects.get(pk=person.pk).username == "old"
