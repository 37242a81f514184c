"""Factories of people; each signs in with ``PASSWORD``."""

from __future__ import annotations

from functools import cache
from typing import Any

import factory
import factory.django
from django.contrib.auth.hashers import get_hasher, make_password

from accounts.models import User

PASSWORD = "correct horse battery staple"


@cache
def hashed(password: str, algorithm: str) -> str:
    """Return a hash that all people of a test run share: hashing takes a quarter of a second."""
    return make_password(password, hasher=algorithm)


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User

    username = factory.Sequence("person{}".format)
    email = factory.LazyAttribute(lambda person: f"{person.username}@example.org")
    password = PASSWORD

    @classmethod
    def _create(cls, model_class: type[User], *_args: Any, **fields: Any) -> User:
        fields["email"] = model_class.objects.normalize_email(fields["email"])
        fields["password"] = hashed(fields["password"], get_hasher().algorithm)
        user: User = super()._create(model_class, **fields)
        return user
