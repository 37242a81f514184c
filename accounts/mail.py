"""Mail to people: written in the reader's language, and sent by a worker, as text and as HTML.

A request never speaks SMTP.  allauth's mails go through :func:`post`; a mail that
needs only stored data is a handler of the outbox.
"""

from __future__ import annotations

import logging
from smtplib import SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import outbox
from accounts.letters import blocks_of
from accounts.models import Decision

logger = logging.getLogger(__name__)


def post(message: EmailMessage) -> None:
    """Have a worker send a plain text message; it stays in the outbox until the server accepts it.

    The HTML beside it is written at once, in the language of the reader.
    """
    subject, body = str(message.subject), str(message.body)
    outbox.add(deliver, subject, body, message.from_email, list(message.to), in_html(subject, body))


def deliver(subject: str, body: str, sender: str, recipients: list[str], html: str = "") -> None:
    """Send one message; an address that the server refuses is not tried again."""
    message = EmailMultiAlternatives(subject, body, sender, recipients)
    if html:
        message.attach_alternative(html, "text/html")
    try:
        message.send()
    except SMTPRecipientsRefused as error:
        logger.warning("Email refused", extra={"error": repr(error)})


def in_html(subject: str, body: str) -> str:
    """Return a plain text mail as a page: an address on a line of its own becomes a button."""
    context = {"subject": subject, "blocks": blocks_of(body), "site_name": settings.SITE_NAME}
    return render_to_string("accounts/mail/page.html", context)


def mail_decision(decision_id: int) -> None:
    """Mail a suspended or banned person the reason and the end, as they cannot sign in to read it."""
    decision = Decision.objects.select_related("person").filter(pk=decision_id).first()
    if decision is None or decision.person is None:
        return
    context = {"decision": decision, "person": decision.person, "site_name": settings.SITE_NAME}
    with translation.override(decision.person.preferred_language):
        subject = _("Your %(site)s account") % {"site": settings.SITE_NAME}
        body = render_to_string("accounts/mail/locked.txt", context)
        html = in_html(subject, body)
    deliver(subject, body, settings.DEFAULT_FROM_EMAIL, [decision.person.email], html)
