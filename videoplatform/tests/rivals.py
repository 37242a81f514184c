"""Deterministic races: another transaction's row appears between a check and an insert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import models


def appears_after_the_look(
    monkeypatch: pytest.MonkeyPatch, model: type[models.Model], make: Callable[[], object]
) -> None:
    """Let the next ``get`` and ``exists`` on ``model`` find nothing, and call ``make`` after the ``get``.

    The following insert then conflicts with the row that ``make`` has created.
    """
    get, exists = models.QuerySet.get, models.QuerySet.exists
    state = {"is_made": False}

    def look(queryset: models.QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        if queryset.model is model and not state["is_made"]:
            state["is_made"] = True
            make()
            raise model.DoesNotExist
        return get(queryset, *args, **kwargs)

    def look_for_any(queryset: models.QuerySet[Any]) -> bool:
        return exists(queryset) if queryset.model is not model or state["is_made"] else False

    monkeypatch.setattr(models.QuerySet, "get", look)
    monkeypatch.setattr(models.QuerySet, "exists", look_for_any)
