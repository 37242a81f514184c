"""Page of the sign-up; sign-in and related pages are allauth's."""

from __future__ import annotations

from typing import Any

from allauth.account.views import SignupView
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils.translation import gettext as _

from accounts import sign_up
from accounts.errors import ProofInvalid, ProofRequired
from accounts.forms import SignUpForm
from common.errors import Refusal


class SignUpView(SignupView):
    """Sign-up page of allauth, with the site's policy."""

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        answer: HttpResponse
        try:
            answer = super().form_valid(form)
        except (ProofRequired, ProofInvalid):
            form.add_error(None, _("Your browser must complete a short check first. Submit the form again."))
        except Refusal as error:
            form.add_error(None, str(error))
        except ValidationError as error:
            for field, problems in error.error_dict.items():
                form.add_error("password1" if field == "password" else field, problems)
        else:
            return answer
        form.data = {**form.data.dict(), "proof": ""}  # a used proof is not sent again
        answer = self.form_invalid(form)
        return answer

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**more)
        context["challenge"] = sign_up.needed(self.request)
        return context
