"""Factories of comments and danmaku, without the checks of the services."""

from __future__ import annotations

from typing import Any

import factory
import factory.django

from accounts.tests.factories import UserFactory
from comments.models import Comment, Danmaku, target_columns
from comments.ranking import score


class CommentFactory(factory.django.DjangoModelFactory[Comment]):
    """Factory of comments; it needs a ``target`` or a ``parent``."""

    class Meta:
        model = Comment

    author = factory.SubFactory(UserFactory)
    text = factory.Sequence("Comment {}".format)

    @classmethod
    def _create(cls, model_class: type[Comment], *_args: Any, **fields: Any) -> Comment:
        target = fields.pop("target", None) or fields["parent"].target
        comment: Comment = super()._create(model_class, **target_columns(target), **fields)
        comment.score = score(
            likes=comment.like_count,
            replies=0,
            has_heart=comment.has_heart,
            created_at=comment.created_at,
        )
        comment.save(update_fields=["score"])
        comment.target = target
        return comment


class DanmakuFactory(factory.django.DjangoModelFactory[Danmaku]):
    class Meta:
        model = Danmaku

    author = factory.SubFactory(UserFactory)
    text = factory.Sequence("Danmaku {}".format)
    offset_ms = 1000

    @classmethod
    def _create(cls, model_class: type[Danmaku], *_args: Any, **fields: Any) -> Danmaku:
        target = fields.pop("target")
        danmaku: Danmaku = super()._create(model_class, **target_columns(target), **fields)
        danmaku.target = target
        return danmaku
