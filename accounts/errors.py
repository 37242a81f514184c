"""Refusals of accounts and moderation."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from common.errors import Refusal


class WrongCredentials(Refusal):
    code = "wrong_credentials"
    status = 401
    sentence = _("Incorrect username or password.")


class SecondFactorRequired(Refusal):
    code = "mfa_required"
    status = 401
    sentence = _("This account requires a code from its authenticator app. Send it as “code”.")


class WrongCode(Refusal):
    code = "mfa_code_invalid"
    status = 401
    sentence = _("This code is incorrect or was already used. Wait for the next one.")


class TooManyAttempts(Refusal):
    """Refusal after too many wrong passwords or codes for one account, by page and API together."""

    code = "too_many_attempts"
    status = 429
    retry_after_s = 300
    sentence = _("Too many attempts. Wait a few minutes and try again.")


class SignUpClosed(Refusal):
    code = "sign_up_closed"
    status = 403
    sentence = _("New accounts cannot be created at the moment.")


class ProofRequired(Refusal):
    """Refusal that asks for ``proof``, the solution of a challenge of ``accounts/register/challenge/``."""

    code = "proof_required"
    status = 403
    sentence = _(
        "Many accounts were created from your network. Solve the challenge of "
        "/api/v1/accounts/register/challenge/ and send it as “proof”."
    )


class ProofInvalid(Refusal):
    code = "proof_invalid"
    attr = "proof"
    sentence = _("This proof is incorrect or has expired. Fetch a new challenge.")


class TooManySignUps(Refusal):
    """Refusal of a sign-up for the next ``retry_after_s`` seconds."""

    code = "too_many_sign_ups"
    status = 429
    sentence = _("Too many accounts were created from your network. Try again later.")


class EmailNotConfirmed(Refusal):
    code = "email_not_confirmed"
    status = 403
    sentence = _("Confirm your email address first: open the link in our email or request a new one.")


class FollowsItself(Refusal):
    code = "own_channel"
    sentence = _("You cannot follow your own channel.")


class NotTheirs(Refusal):
    """Refusal for moderators who act on people with a role, or on themselves."""

    code = "not_allowed"
    status = 409
    sentence = _(
        "Only administrators can moderate users who have a role, and nobody can moderate themselves."
    )


class NoSuchTarget(Refusal):
    """Refusal for a target that does not exist or that the requester may not know of."""

    code = "not_found"
    status = 404
    sentence = _("This content is no longer available.")


class TooManyReports(Refusal):
    code = "too_many_reports"
    status = 429
    retry_after_s = 3600
    sentence = _(
        "You have sent many reports in a short time. Moderators will review all of them. Try "
        "again in an hour."
    )


class InOtherHands(Refusal):
    code = "in_other_hands"
    status = 409
    sentence = _("Another moderator is reviewing this.")


class AlreadyDecided(Refusal):
    code = "already_decided"
    status = 409
    sentence = _("This case was already decided.")


class OwnCase(Refusal):
    code = "own_case"
    status = 409
    sentence = _("You cannot decide a case about yourself.")


class NotOffered(Refusal):
    code = "not_offered"
    status = 409
    sentence = _("This action is not available here.")


class DurationMissing(Refusal):
    code = "duration_missing"
    status = 409
    sentence = _("Choose a duration.")


class CannotUndo(Refusal):
    code = "cannot_take_back"
    status = 409
    sentence = _("Only the latest decision can be undone, and only once.")
