"""Tests of mail: its links, its language, and its delivery outside of requests."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import mail, moderation, services
from accounts.adapter import AccountAdapter
from accounts.models import OutboxEntry, User
from accounts.tests.factories import PASSWORD, UserFactory
from common.site import site_url

pytestmark = pytest.mark.django_db

Letters = Callable[[], list[EmailMessage]]
CHINESE = {"HTTP_ACCEPT_LANGUAGE": "zh-hans"}


def ask_for_reset(client: Client, email: str, **headers: str) -> None:
    client.post(reverse("account_reset_password"), {"email": email}, **headers)  # type: ignore[arg-type]


@pytest.mark.parametrize("hosts", [["*"], [".example.org", "video.example.org"]])
def test_reset_link_ignores_the_host_header_if_any_host_is_allowed(
    client: Client, settings: Settings, letters: Letters, hosts: list[str]
) -> None:
    settings.ALLOWED_HOSTS = hosts
    UserFactory(email="mara@example.org")

    ask_for_reset(client, "mara@example.org", HTTP_HOST="evil.example.org")

    body = str(letters()[0].body)
    assert "evil" not in body
    assert f"{site_url()}/accounts/password/reset/key/" in body


def test_mail_has_a_page_in_the_readers_language_with_a_button(client: Client, letters: Letters) -> None:
    person = UserFactory(email="mara@example.org")
    services.remember_language(user=person, language="zh-hans")

    ask_for_reset(client, "mara@example.org")

    (letter,) = letters()
    assert isinstance(letter, EmailMultiAlternatives)
    ((content, kind),) = letter.alternatives
    page = str(content)
    (link,) = [line for line in str(letter.body).splitlines() if "/reset/key/" in line]
    assert kind == "text/html"
    assert '<html lang="zh-hans">' in page
    assert re.search(rf'<a class="button" href="{re.escape(link)}"[^>]*>打开链接</a>', page)


def test_page_of_a_mail_escapes_the_words_of_others() -> None:
    page = mail.in_html(
        "Your account", 'Regarding: <b>javascript:alert(1)</b>\n\nhttps://a.example/?a=1&b="2'
    )

    assert "&lt;b&gt;javascript:alert(1)&lt;/b&gt;" in page
    assert 'href="https://a.example/?a=1&amp;b=&quot;2"' in page


def test_mail_that_an_older_version_left_is_sent_as_text(mailoutbox: list[EmailMessage]) -> None:
    mail.deliver("Subject", "Words", "from@example.org", ["mara@example.org"])

    assert (mailoutbox[0].body, getattr(mailoutbox[0], "alternatives", [])) == ("Words", [])


def test_links_in_mail_use_the_public_url(client: Client, settings: Settings, letters: Letters) -> None:
    settings.PUBLIC_URL = "https://video.example.org/"
    UserFactory(email="mara@example.org")

    ask_for_reset(client, "mara@example.org")

    assert "https://video.example.org/accounts/password/reset/key/" in str(letters()[0].body)


@pytest.mark.parametrize(
    ("hosts", "public_url", "https", "url"),
    [
        (["localhost", "127.0.0.1"], "", False, "http://127.0.0.1:9000"),
        (["*"], "", False, "http://localhost:8000"),
        (["*", "video.example.org"], "", True, "https://video.example.org"),
        (["*"], "https://video.example.org/", False, "https://video.example.org"),
    ],
)
def test_site_url_uses_the_request_only_if_hosts_are_exact(
    settings: Settings, hosts: list[str], public_url: str, https: bool, url: str
) -> None:
    settings.ALLOWED_HOSTS, settings.PUBLIC_URL, settings.HTTPS = hosts, public_url, https
    settings.PORT = 8000

    assert site_url(RequestFactory().get("/", HTTP_HOST="127.0.0.1:9000")) == url


def test_decision_is_mailed_in_the_language_of_the_sign_up(letters: Letters) -> None:
    Client().post(
        reverse("account_signup"),
        {"username": "mara", "email": "mara@example.org", "password1": PASSWORD},
        **CHINESE,  # type: ignore[arg-type]
    )
    mara = User.objects.get()
    chief = UserFactory(is_superuser=True)

    moderation.decide_about(mara, by=chief, action="suspend", reason="spam", duration=timedelta(days=1))

    assert mara.language == "zh-hans"
    assert letters()[-1].subject == "你的 Zoetrope 账号"


def test_mail_is_in_its_reader_s_language(client: Client, letters: Letters) -> None:
    UserFactory(email="mara@example.org", language="zh-hans")
    UserFactory(email="noor@example.org", language="en")

    ask_for_reset(client, "mara@example.org", HTTP_ACCEPT_LANGUAGE="en")
    ask_for_reset(client, "noor@example.org", **CHINESE)

    assert [letter.subject for letter in letters()] == [
        "重设你的 Zoetrope 密码",
        "Reset your Zoetrope password",
    ]


# Mails of features that are switched off, and templates that others extend.
NOT_SENT = ("login_code", "password_reset_code", "webauthn", "phone")


@pytest.mark.parametrize("app", ["account", "mfa"])
def test_every_allauth_mail_and_message_is_overridden(app: str) -> None:
    spec = find_spec("allauth")
    assert spec is not None
    assert spec.origin is not None
    theirs = Path(spec.origin).parent / "templates"

    texts = [path for folder in ("email", "messages") for path in (theirs / app / folder).glob("*.txt")]
    ours = settings.BASE_DIR / "templates"
    wanted = {path.relative_to(theirs) for path in texts if not path.name.startswith(NOT_SENT)}

    assert {path for path in wanted if not (ours / path).exists()} == set()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_mail_is_complete_in_both_languages(
    rf: RequestFactory, letters: Letters, language: str
) -> None:
    mara = UserFactory(username="mara", email="mara@example.org", language=language)
    subjects = [*(settings.BASE_DIR / "templates").glob("*/email/*_subject.txt")]
    adapter = AccountAdapter(rf.get("/", HTTP_USER_AGENT="Browser"))
    links = {f"{name}_url": f"http://testserver/{name}/" for name in ("activate", "password_reset", "signup")}
    context = {**links, "user": mara, "ip": "192.0.2.1", "user_agent": "Browser", "timestamp": timezone.now()}

    for path in subjects:
        name = path.stem.removesuffix("_subject")
        adapter.send_mail(f"{path.parts[-3]}/email/{name}", mara.email, context)

    assert len(letters()) == len(subjects) == 14
    for letter in letters():
        text = f"{letter.subject}\n{letter.body}"
        assert re.search(r"http://\S+/\n", str(letter.body))
        assert "mara" in letter.body
        assert "&" not in text
        assert bool(re.search(r"[a-z]+ [a-z]+ [a-z]+", text)) == (language == "en"), text
        is_chinese = [re.search(r"[\u4e00-\u9fff]", str(part)) for part in (letter.subject, letter.body)]
        assert all(is_chinese) == (language != "en")


def test_account_change_is_mailed_in_the_person_s_language(client: Client, letters: Letters) -> None:
    mara = services.register(username="mara", email="mara@example.org", password=PASSWORD)
    services.remember_language(user=mara, language="zh-hans")
    client.force_login(mara)

    new = {"oldpassword": PASSWORD, "password1": "a new sentence", "password2": "a new sentence"}
    client.post(reverse("account_change_password"), new, headers={"accept-language": "en"})

    (letter,) = letters()
    assert letter.subject == "你的 Zoetrope 密码已修改"
    assert "mara，你好" in letter.body


def test_language_of_the_page_becomes_the_language_of_mail(client: Client) -> None:
    user = UserFactory(language="en")
    client.force_login(user)

    client.post(reverse("set_language"), {"language": "zh-hans"})
    client.post(reverse("set_language"), {"language": "tlh"})

    user.refresh_from_db()
    assert user.language == "zh-hans"


def test_requests_do_not_connect_to_the_mail_server(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("a request sends mail")

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", forbidden)
    UserFactory(username="mara", email="mara@example.org")

    ask_for_reset(client, "mara@example.org")
    ask_for_reset(client, "nobody@example.org")
    client.post(reverse("account_login"), {"login": "mara", "password": PASSWORD})
    new = {"oldpassword": PASSWORD, "password1": "a new sentence", "password2": "a new sentence"}
    client.post(reverse("account_change_password"), new)

    assert OutboxEntry.objects.filter(handler="accounts.mail.deliver").count() == 3


def test_refused_recipient_is_not_retried(monkeypatch: pytest.MonkeyPatch, letters: Letters) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise smtplib.SMTPRecipientsRefused({"gone@example.org": (550, b"no such user")})

    monkeypatch.setattr(EmailMessage, "send", refuse)
    mail.post(EmailMessage("Hello", "there", None, ["gone@example.org"]))

    letters()

    assert not OutboxEntry.objects.exists()


def test_address_changed_by_administrator_replaces_all_old_ones(
    client: Client, administrator: User, letters: Letters
) -> None:
    user = services.register(username="mara", email="old@example.org", password=PASSWORD)
    services.confirm_email(user=user)
    EmailAddress.objects.create(user=user, email="pending@example.org")
    client.force_login(administrator)
    page = reverse("admin:accounts_user_change", args=[user.pk])
    channel = {
        "channel-TOTAL_FORMS": "1",
        "channel-INITIAL_FORMS": "1",
        "channel-0-owner": str(user.pk),
        "channel-0-id": str(user.channel.pk),
    }

    answer = client.post(page, {"username": "mara", "email": "New@example.org", **channel})
    for email in ("old@example.org", "pending@example.org", "new@example.org"):
        ask_for_reset(Client(), email)

    assert answer.status_code == 302
    addresses = EmailAddress.objects.filter(user=user)
    assert list(addresses.values_list("email", "verified", "primary")) == [("new@example.org", False, True)]
    assert [letter.to for letter in letters() if "/reset/key/" in letter.body] == [["new@example.org"]]


def test_address_pending_for_another_account_is_refused() -> None:
    EmailAddress.objects.create(user=UserFactory(), email="taken@example.org")

    with pytest.raises(ValidationError):
        services.change_email(user=UserFactory(), email="taken@example.org")
