"""Tests that sentences of libraries are Chinese on a Chinese page."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext, ngettext, npgettext, pgettext

from videoplatform.tests.test_translations import Message, messages_of

# Modules whose sentences reach people: errors of forms and of the API, mail, and the
# admin's sign-in page and index.
SOURCES = (
    "django.contrib.auth:password_validation.py",
    "django.contrib.auth:forms.py",
    "django.contrib.admin:forms.py",
    "django.contrib.admin:templates/admin/login.html",
    "django.contrib.admin:templates/admin/app_list.html",
    "django.forms:fields.py",
    "django.forms:models.py",
    "django.forms:formsets.py",
    "django.core:validators.py",
    "allauth.account:adapter.py",
    "allauth.account:forms.py",
    "allauth.mfa:adapter.py",
    "rest_framework:exceptions.py",
    "rest_framework:fields.py",
    "rest_framework:relations.py",
    "rest_framework:serializers.py",
    "rest_framework:validators.py",
    "knox:auth.py",
    "django_filters:fields.py",
)
THE_SAME_IN_BOTH = {"IPv4", "IPv6"}


def path_of(source: str) -> Path:
    package, _, name = source.partition(":")
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / name


def in_chinese(message: Message) -> str:
    context, singular, plural = message
    with translation.override("zh-hans"):
        if plural is not None:
            return npgettext(context, singular, plural, 8) if context else ngettext(singular, plural, 8)
        return pgettext(context, singular) if context else gettext(singular)


@pytest.mark.parametrize("source", SOURCES)
def test_sentences_of_libraries_are_translated(source: str) -> None:
    messages = {message for message in messages_of(path_of(source)) if message[1] not in THE_SAME_IN_BOTH}

    assert [message for message in messages if in_chinese(message) in message] == []


def test_password_error_is_chinese() -> None:
    with translation.override("zh-hans"), pytest.raises(ValidationError) as refused:
        validate_password("a")

    assert refused.value.messages[0] == "密码太短，至少需要 8 个字符。"
