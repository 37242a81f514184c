"""Mail to people: written in the reader's language, and sent by a worker.

A request never speaks SMTP.  allauth's mails go through :func:`post`; a mail that
needs only stored data is a handler of the outbox.
"""

from __future__ import annotations

import logging
from smtplib import SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import outbox
from accounts.models import Decision

logger = logging.getLogger(__name__)


def post(message: EmailMessage) -> None:
    """Have a worker send a plain text message; it stays in the outbox until the server accepts it."""
    outbox.add(deliver, str(message.subject), str(message.body), message.from_email, list(message.to))


def deliver(subject: str, body: str, sender: str, recipients: list[str]) -> None:
    """Send one message; an address that the server refuses is not tried again."""
    try:
        EmailMessage(subject, body, sender, recipients).send()
    except SMTPRecipientsRefused as error:
        logger.warning("Email refused", extra={"error": repr(error)})


def mail_decision(decision_id: int) -> None:
    """Mail a suspended or banned person the reason and the end, as they cannot sign in to read it."""
    decision = Decision.objects.select_related("person").filter(pk=decision_id).first()
    if decision is None or decision.person is None:
        return
    context = {"decision": decision, "person": decision.person, "site_name": settings.SITE_NAME}
    with translation.override(decision.person.preferred_language):
        subject = _("Your %(site)s account") % {"site": settings.SITE_NAME}
        body = render_to_string("accounts/mail/locked.txt", context)
    deliver(subject, body, settings.DEFAULT_FROM_EMAIL, [decision.person.email])
