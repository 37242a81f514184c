"""Views that set up, remove and renew the second factor: allauth's, which also revoke access.

allauth asks for the password or the code again in front of each of them.
"""

from __future__ import annotations

from typing import Any

from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts import access


class RevokesAccess:
    """Mixin that revokes access in the transaction of the form's change; the current session stays."""

    request: HttpRequest

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
                access.revoke(self.request.user, keep=self.request)  # type: ignore[arg-type]
        except IntegrityError:
            return redirect("mfa_index")  # the same form was sent twice, and the first request has done it
        return response


class ActivateFactorView(RevokesAccess, ActivateTOTPView):
    pass


class DeactivateFactorView(RevokesAccess, DeactivateTOTPView):
    pass


class RenewRecoveryCodesView(RevokesAccess, GenerateRecoveryCodesView):
    pass
