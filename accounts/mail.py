"""Letters to people who cannot read their notifications, because they cannot sign in."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from accounts.models import Decision


def mail_decision(decision_id: int) -> None:
    """Tell somebody who was suspended or banned why, and until when."""
    decision = Decision.objects.select_related("person").get(pk=decision_id)
    if decision.person is None:
        return
    context = {"decision": decision, "person": decision.person, "site_name": settings.SITE_NAME}
    subject = _("Your account on %(site)s") % {"site": settings.SITE_NAME}
    body = render_to_string("accounts/mail/locked.txt", context)
    send_mail(subject, body, None, [decision.person.email])
