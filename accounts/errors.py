"""Refusals of accounts and moderation: a code for programs and a sentence for people."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class AccountError(Exception):
    """Base of all refusals."""

    code = "refused"
    sentence: str | Promise = _("This action is not possible.")

    def __str__(self) -> str:
        return str(self.sentence)


class WrongCredentials(AccountError):
    code = "wrong_credentials"
    sentence = _("Incorrect username or password.")


class SecondFactorRequired(AccountError):
    code = "mfa_required"
    sentence = _("This account requires a code from its authenticator app. Send it as “code”.")


class WrongCode(AccountError):
    code = "mfa_code_invalid"
    sentence = _("This code is incorrect or was already used. Wait for the next one.")


class TooManyAttempts(AccountError):
    """Refusal after too many wrong passwords or codes for one account, by page and API together."""

    code = "too_many_attempts"
    sentence = _("Too many attempts. Wait a few minutes and try again.")


class SignUpClosed(AccountError):
    code = "sign_up_closed"
    sentence = _("New accounts cannot be created at the moment.")


class ProofRequired(AccountError):
    """Refusal that asks for ``proof``, the solution of a challenge of ``accounts/register/challenge/``."""

    code = "proof_required"
    sentence = _(
        "Many accounts were created from your network. Solve the challenge of "
        "/api/v1/accounts/register/challenge/ and send it as “proof”."
    )


class ProofInvalid(AccountError):
    code = "proof_invalid"
    sentence = _("This proof is incorrect or has expired. Fetch a new challenge.")


class TooManySignUps(AccountError):
    """Refusal of a sign-up for the next ``wait_s`` seconds."""

    code = "too_many_sign_ups"
    sentence = _("Too many accounts were created from your network. Try again later.")

    def __init__(self, wait_s: int) -> None:
        super().__init__()
        self.wait_s = wait_s


class EmailNotConfirmed(AccountError):
    code = "email_not_confirmed"
    sentence = _("Confirm your email address first: open the link in our email or request a new one.")


class FollowsItself(AccountError):
    code = "own_channel"
    sentence = _("You cannot follow your own channel.")


class NotTheirs(AccountError):
    """Refusal for moderators who act on people with a role, or on themselves."""

    code = "not_allowed"
    sentence = _(
        "Only administrators can moderate users who have a role, and nobody can moderate themselves."
    )


class NoSuchTarget(AccountError):
    """Refusal for a target that does not exist or that the requester may not know of."""

    code = "not_found"
    sentence = _("This content is no longer available.")


class TooManyReports(AccountError):
    code = "too_many_reports"
    sentence = _(
        "You have sent many reports in a short time. Moderators will review all of them. Try "
        "again in an hour."
    )


class InOtherHands(AccountError):
    code = "in_other_hands"
    sentence = _("Another moderator is reviewing this.")


class AlreadyDecided(AccountError):
    code = "already_decided"
    sentence = _("This case was already decided.")


class OwnCase(AccountError):
    code = "own_case"
    sentence = _("You cannot decide a case about yourself.")


class NotOffered(AccountError):
    code = "not_offered"
    sentence = _("This action is not available here.")


class DurationMissing(AccountError):
    code = "duration_missing"
    sentence = _("Choose a duration.")


class CannotTakeBack(AccountError):
    code = "cannot_take_back"
    sentence = _("Only the latest decision can be undone, and only once.")
