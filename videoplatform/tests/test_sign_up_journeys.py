"""A journey of signing up from a network with many accounts: the browser solves the proof of work."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext

from accounts.models import User
from videoplatform.tests.test_journeys import sign_up

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow, pytest.mark.storage]


@pytest.fixture(autouse=True)
def priced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment of the site that the test starts."""
    monkeypatch.setenv("RATE_LIMITS", "1")
    monkeypatch.setenv("SIGN_UP_FREE_PER_HOUR", "1")
    monkeypatch.setenv("SIGN_UP_PROOF_BITS", "14")


def test_second_account_of_a_network_needs_a_proof(visitor: BrowserContext, own_site: str) -> None:
    page = visitor.new_page()
    sign_up(page, own_site, "first")
    visitor.clear_cookies()

    page.goto(f"{own_site}/accounts/signup/")
    page.locator("sign-up-proof [data-part=state]", has_text="Check complete").wait_for()
    sign_up(page, own_site, "second")

    assert set(User.objects.values_list("username", flat=True)) == {"first", "second"}
