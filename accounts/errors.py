"""What can be refused to people, each with the code a program reads and the sentence a person reads."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class AccountError(Exception):
    """Base of all refusals."""

    code = "refused"
    sentence: str | Promise = _("This is not possible.")

    def __str__(self) -> str:
        return str(self.sentence)


class WrongCredentials(AccountError):
    code = "wrong_credentials"
    sentence = _("The name or the password is not right.")


class SecondFactorRequired(AccountError):
    code = "mfa_required"
    sentence = _("This account asks for a code from its authenticator app. Send it as “code”.")


class WrongCode(AccountError):
    code = "mfa_code_invalid"
    sentence = _("This code is not right, or was used before. Wait for the next one.")


class FollowsItself(AccountError):
    code = "own_channel"
    sentence = _("This is your own channel. Follow somebody else’s.")


class NotTheirs(AccountError):
    """A moderator reached for somebody with powers, or for themselves."""

    code = "not_allowed"
    sentence = _("Only administrators may suspend or restore people with a role, and nobody themselves.")


# --- Moderation -------------------------------------------------------------------


class NoSuchTarget(AccountError):
    """Nothing of that kind and id that the asker may know of."""

    code = "not_found"
    sentence = _("This is not there any more.")


class TooManyReports(AccountError):
    code = "too_many_reports"
    sentence = _(
        "You have reported a lot in a short time. We look at all of it; please come back in an hour."
    )


class InOtherHands(AccountError):
    code = "in_other_hands"
    sentence = _("Another moderator is looking at this.")


class AlreadyDecided(AccountError):
    code = "already_decided"
    sentence = _("This was decided in the meantime.")


class OwnCase(AccountError):
    code = "own_case"
    sentence = _("Nobody decides about themselves.")


class NotOffered(AccountError):
    code = "not_offered"
    sentence = _("This cannot be done here.")


class DurationMissing(AccountError):
    code = "duration_missing"
    sentence = _("Say for how long.")


class CannotTakeBack(AccountError):
    code = "cannot_take_back"
    sentence = _("Only the latest decision can be taken back, and only once.")
