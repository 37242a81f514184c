"""The check of ``manage.py check --deploy`` that names the missing layers of FFmpeg's sandbox."""

from __future__ import annotations

from typing import Any

from django.core.checks import Info

from videos.transcoding.layers import layer_reasons


def check_sandbox(**_options: Any) -> list[Info]:
    """Return a message for each layer that this machine lacks; FFmpeg runs without it."""
    return [
        Info(
            f"FFmpeg's sandbox lacks the layer “{layer}” on this machine: {reason}.",
            hint="docs/operations.md, “The sandbox of FFmpeg”, says how to get it.",
            id="videoplatform.I001",
        )
        for layer, reason in layer_reasons().items()
        if reason
    ]
