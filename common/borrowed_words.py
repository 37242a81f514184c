"""Messages of Django, allauth and REST framework whose Chinese our own catalogue replaces.

Theirs address readers as 您 and say 电子邮件; the site says 你 and 邮箱.  Django looks up
our catalogue first, and a message stays in it because it stands here.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

BORROWED = (
    # Fields.
    _("Email"),
    _("Email address"),
    _("Email (again)"),
    _("Email (optional)"),
    _("Email address confirmation"),
    _("email address"),
    _("email addresses"),
    _("Enter a valid email address."),
    _("You must type the same email each time."),
    _("Upload a valid image. The file you uploaded was either not an image or a corrupted image."),
    # allauth: signing in and up, addresses.
    _("Be patient, you are sending too many requests."),
    _("The username and/or password you specified are not correct."),
    _("The email address and/or password you specified are not correct."),
    _("Please type your current password."),
    _("The password reset token was invalid."),
    _("A user is already registered with this email address."),
    _("This email address is already associated with this account."),
    _("The email address is not assigned to any user account."),
    _("You cannot add more than %d email addresses."),
    _("You cannot remove your primary email address."),
    _("Your primary email address must be verified."),
    _("Use your password"),
    # allauth: the second factor.
    _("You cannot add an email address to an account protected by two-factor authentication."),
    _("You cannot deactivate two-factor authentication."),
    _("You cannot generate recovery codes without having two-factor authentication enabled."),
    _("You cannot activate two-factor authentication until you have verified your email address."),
    # REST framework.
    _("You do not have permission to perform this action."),
    # Django's admin.
    _("Email address:"),
    _("Forgotten your password or username?"),
    _("You may edit it again below."),
    _("Log out"),
    _("Thanks for spending some quality time with the web site today."),
    _(
        "You are authenticated as %(username)s, but are not authorized to access this page. "
        "Would you like to login to a different account?"
    ),
    # The admin's filters: 以 for "by" reads like a machine.
    _(" By %(filter_title)s "),
)
