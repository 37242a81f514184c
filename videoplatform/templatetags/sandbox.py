"""A template tag for the admin's first page: the layers of FFmpeg's sandbox on each host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
from django import template
from django.utils.translation import gettext as _

from common.heartbeat import read_hosts
from videos.transcoding.layers import OLD_KERNEL, UNKNOWN_PROCESSOR, Layer

register = template.Library()


@dataclass(frozen=True, slots=True)
class HostLayer:
    """One layer on one host: its name, and why it is missing; an active one has no reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConfinedHost:
    """A host that runs FFmpeg, and the layers of its sandbox."""

    name: str
    layers: list[HostLayer]


@register.simple_tag
def confined_hosts(user: Any) -> list[ConfinedHost] | None:
    """Return the hosts that run FFmpeg for an administrator; None for others and without Redis."""
    if not user.is_superuser:
        return None
    try:
        states = read_hosts()
    except redis.RedisError:
        return None
    names = {Layer.FILES: _("Files"), Layer.CALLS: _("System calls"), Layer.NETWORK: _("Network")}
    return [
        ConfinedHost(host, [HostLayer(names[layer], _explained(state["sandbox"][layer])) for layer in Layer])
        for host, state in states.items()
        if set(state.get("sandbox", ())) >= set(Layer)
    ]


def _explained(reason: str) -> str:
    """Return the kernel's word for a refusal as a sentence that names its cause."""
    return {
        OLD_KERNEL: _("The kernel is older than Linux 5.9."),
        UNKNOWN_PROCESSOR: _("Not available for this processor."),
        "Function not implemented": _("The kernel lacks it, or the container hides it."),
        "Operation not permitted": _("The container forbids it."),
        "Operation not supported": _("The kernel has it, but did not enable it at boot."),
        "Device or resource busy": _("The container already uses it for itself."),
    }.get(reason, reason)
