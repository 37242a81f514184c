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
