"""Tests of the sign-up policy and its price, on the page and by the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import proof, services, sign_up
from accounts.errors import EmailNotConfirmed
from accounts.models import Invitation, User
from accounts.proof import InvalidProof
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.redis]

REGISTER = "/api/v1/accounts/register/"
CHALLENGE = "/api/v1/accounts/register/challenge/"
HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def cheap(settings: Settings) -> None:
    settings.RATE_LIMITS = True
    settings.SIGN_UP_PROOF_BITS = 4


def person(number: int, **more: str) -> dict[str, str]:
    return {"username": f"new{number}", "email": f"new{number}@example.org", "password": PASSWORD, **more}


def register(number: int, *, address: str = HERE, **more: str) -> Any:
    return APIClient().post(REGISTER, person(number, **more), REMOTE_ADDR=address)


def code_of(response: Any) -> str:
    return str(response.json()["errors"][0]["code"])


def solved(challenge: str, bits: int) -> str:
    number = 0
    while proof.zero_bits(f"{challenge}:{number}") < bits:
        number += 1
    return f"{challenge}:{number}"


def solved_challenge(address: str = HERE) -> str:
    challenge = APIClient().get(CHALLENGE, REMOTE_ADDR=address).json()
    return solved(challenge["challenge"], challenge["bits"])


def test_first_accounts_of_a_network_are_free_and_the_next_cost_a_proof(settings: Settings) -> None:
    settings.SIGN_UP_FREE_PER_HOUR = 2

    free = [register(number).status_code for number in range(2)]
    asked = register(2)
    elsewhere = register(3, address="192.0.2.1")
    proved = register(2, proof=solved_challenge())

    assert free == [201, 201]
    assert (asked.status_code, code_of(asked)) == (403, "proof_required")
    assert CHALLENGE in asked.json()["errors"][0]["detail"]
    assert (elsewhere.status_code, proved.status_code) == (201, 201)


def test_ipv6_network_is_a_64_bit_prefix(settings: Settings) -> None:
    settings.SIGN_UP_FREE_PER_HOUR = 1

    answers = [register(n, address=f"2001:db8:0:1::{n + 1}").status_code for n in range(2)]

    assert answers == [201, 403]


def test_refused_name_costs_nothing(settings: Settings) -> None:
    settings.SIGN_UP_FREE_PER_HOUR = 1
    UserFactory(username="new1")

    assert [register(1).status_code for _attempt in range(3)] == [400] * 3
    assert register(2).status_code == 201


def test_proof_is_used_once_and_returned_after_a_refused_name(settings: Settings) -> None:
    settings.SIGN_UP_FREE_PER_HOUR = 1
    register(0)
    UserFactory(username="new1")
    given = solved_challenge()

    answers = [register(number, proof=given) for number in (1, 2, 3)]

    assert [answer.status_code for answer in answers] == [400, 201, 400]
    assert code_of(answers[2]) == "proof_invalid"


def test_proofs_get_harder_with_the_accounts_of_the_hour(settings: Settings) -> None:
    settings.SIGN_UP_FREE_PER_HOUR = 1

    asked = [sign_up.bits_now(HERE)]
    for number in range(4):
        register(number, proof=solved_challenge())
        asked.append(sign_up.bits_now(HERE))

    assert asked == [4, 4, 5, 5, 6]


def test_accounts_above_the_hourly_limit_are_refused(settings: Settings) -> None:
    settings.SIGN_UP_PER_HOUR = 1
    register(0)

    stopped = register(1)

    assert (stopped.status_code, code_of(stopped)) == (429, "too_many_sign_ups")
    assert int(stopped["Retry-After"]) > 60


def test_switched_off_proof_is_not_required(settings: Settings) -> None:
    settings.SIGN_UP_FREE_PER_HOUR, settings.SIGN_UP_PROOF_BITS = 0, 0

    assert [register(number).status_code for number in range(3)] == [201] * 3


@pytest.mark.parametrize("given", ["", ":", "x:1", "x:y", "a" * 500, "½:½", "challenge:٣"])
def test_malformed_proof_is_refused(given: str) -> None:
    with pytest.raises(InvalidProof):
        proof.redeem(given, network=HERE, bits=0)


def test_proof_for_another_network_or_with_fewer_bits_is_refused() -> None:
    challenge = proof.issue(HERE, 3)
    given = solved(challenge.text, 3)

    for wanted in ({"network": "192.0.2.1", "bits": 3}, {"network": HERE, "bits": 4}):
        with pytest.raises(InvalidProof):
            proof.redeem(given, **wanted)  # type: ignore[arg-type]
    assert proof.redeem(given, network=HERE, bits=3)


def test_page_has_a_challenge_if_a_proof_is_required(client: Client, settings: Settings) -> None:
    settings.SIGN_UP_FREE_PER_HOUR = 1
    page = reverse("account_signup")
    form = {"username": "mara", "email": "mara@example.org", "password1": PASSWORD}

    before = client.get(page).context["challenge"]
    register(0)
    challenge = client.get(page).context["challenge"]
    asked = client.post(page, form)
    done = client.post(page, {**form, "proof": solved(challenge.text, challenge.bits)})

    assert before is None
    assert "Your browser must complete a short check first." in asked.content.decode()
    assert f'data-challenge="{asked.context["challenge"].text}"' in asked.content.decode()
    assert (done.status_code, done["Location"]) == (302, "/")


def test_closed_policy_refuses_sign_ups(client: Client, settings: Settings) -> None:
    settings.SIGN_UP = "closed"

    answer = register(0)

    assert (answer.status_code, code_of(answer)) == (403, "sign_up_closed")
    assert "Sign-up is closed" in client.get(reverse("account_signup")).content.decode()
    assert not User.objects.exists()


def test_invitation_is_limited_to_its_number_of_uses(settings: Settings) -> None:
    settings.SIGN_UP = "invitation"
    code = Invitation.objects.create(most_uses=2).code

    answers = [register(number, invitation=code) for number in range(3)]
    without = register(4)

    assert [answer.status_code for answer in answers] == [201, 201, 400]
    assert without.json()["errors"][0]["attr"] == "invitation"
    assert code_of(without) == "invitation_invalid"


def test_refused_name_does_not_use_up_the_invitation(settings: Settings) -> None:
    settings.SIGN_UP = "invitation"
    UserFactory(username="new0")
    code = Invitation.objects.create().code

    assert [register(number, invitation=code).status_code for number in (0, 1)] == [400, 201]


def test_expired_invitation_is_refused(settings: Settings) -> None:
    settings.SIGN_UP = "invitation"
    over = Invitation.objects.create(expires_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(ValidationError):
        sign_up.redeem_invitation(over.code)


def test_page_requires_the_invitation(client: Client, settings: Settings) -> None:
    settings.SIGN_UP = "invitation"
    form = {"username": "mara", "email": "mara@example.org", "password1": PASSWORD}

    refused = client.post(reverse("account_signup"), {**form, "invitation": "guessed"})
    form["invitation"] = Invitation.objects.create().code
    done = client.post(reverse("account_signup"), form)

    assert list(refused.context["form"].errors) == ["invitation"]
    assert done.status_code == 302


def test_unconfirmed_address_may_not_take_part_under_the_confirmed_policy(
    settings: Settings,
) -> None:
    user = services.register(username="mara", email="mara@example.org", password=PASSWORD)
    assert sign_up.may_take_part(user)

    settings.SIGN_UP = "confirmed"
    before = sign_up.may_take_part(user)
    services.confirm_email(user=user)

    assert (before, sign_up.may_take_part(user)) == (False, True)
    assert EmailNotConfirmed.code == "email_not_confirmed"


def test_unknown_policy_is_improperly_configured(settings: Settings) -> None:
    settings.SIGN_UP = "whoever"

    with pytest.raises(ImproperlyConfigured, match="open, confirmed, invitation, closed"):
        sign_up.policy()


def test_administrator_creates_invitations(client: Client, administrator: User) -> None:
    client.force_login(administrator)

    client.post(reverse("admin:accounts_invitation_add"), {"note": "The band", "most_uses": "5"})

    made = Invitation.objects.get()
    assert (made.note, made.most_uses, made.created_by) == ("The band", 5, administrator)
    assert made.code in client.get(reverse("admin:accounts_invitation_changelist")).content.decode()


def test_concurrent_sign_ups_with_one_name_make_one_account(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commit another account with this name between the second sign-up's check and its insert."""
    look = services._check_registration
    looked: list[str] = []

    def look_too_early(username: str, email: str, password: str) -> None:
        looked.append(username)
        if len(looked) > 1:
            look(username, email, password)
            return
        UserFactory(username="Mara", email="other@example.org")

    monkeypatch.setattr(services, "_check_registration", look_too_early)
    form = {"username": "mara", "email": "mara@example.org", "password1": PASSWORD}

    answer = client.post(reverse("account_signup"), form)

    assert answer.context["form"].errors == {"username": ["This username is taken."]}
    assert not User.objects.filter(email="mara@example.org").exists()


def test_client_without_address_gets_a_challenge() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="")

    assert sign_up.challenge(request).bits == 4
