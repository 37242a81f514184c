"""Root of all refusals: a code for programs and a sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import Promise


class Refusal(Exception):
    """Refusal of a request; pages show its sentence, ``common.api_errors`` turns it into the API's answer.

    ``status`` is the HTTP status, ``attr`` the wrong field, and ``retry_after_s`` the
    time after which the same request may succeed.
    """

    code = "invalid"
    status = 400
    sentence: str | Promise = _("Something went wrong.")
    attr: str | None = None
    retry_after_s: int | None = None

    def __init__(
        self,
        sentence: str | Promise | None = None,
        *,
        attr: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__()
        self.sentence = sentence or self.sentence
        self.attr = attr or self.attr
        self.retry_after_s = retry_after_s or self.retry_after_s

    def __str__(self) -> str:
        return str(self.sentence)
