"""Forms of the account pages; each field brings its label, its help and its errors."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import AddEmailForm, LoginForm, SignupForm
from allauth.account.models import EmailAddress
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.models import Channel, Reason, User
from accounts.models.cases import MAX_DETAIL
from accounts.models.tokens import MAX_NAME
from accounts.proof import MAX_PROOF
from accounts.sign_up import SignUpPolicy, policy


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        login = self.fields["login"]
        login.label = _("Username or email")
        login.widget.attrs.update(autocomplete="username", autocapitalize="none", spellcheck="false")
        drop_placeholders(self)


class SignUpForm(SignupForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        username = self.fields["username"]
        username.help_text = _("Your public name. 3 to 30 letters, digits, dots or dashes.")
        username.widget.attrs.update(autocapitalize="none", spellcheck="false")
        self.fields["proof"] = forms.CharField(
            required=False, max_length=MAX_PROOF, widget=forms.HiddenInput(attrs={"autocomplete": "off"})
        )
        if policy() is SignUpPolicy.INVITATION:
            self.fields["invitation"] = forms.CharField(
                label=_("Invitation"), max_length=40, help_text=_("Enter your invitation code.")
            )
        drop_placeholders(self)

    def save(self, request: HttpRequest) -> User:
        """Create the account; raise the errors of :func:`accounts.services.sign_up`."""
        given = self.cleaned_data
        return services.sign_up(
            request=request,
            username=given["username"],
            email=given["email"],
            password=given["password1"],
            invitation=given.get("invitation", ""),
            proof=given["proof"],
        )


class ChangeEmailForm(AddEmailForm):
    """Form for a new address, which waits for confirmation while the old one stays in use."""

    def clean_email(self) -> str:
        email: str = super().clean_email()
        services.check_email(email)
        return email

    def save(self, request: HttpRequest) -> EmailAddress:
        """Add the address; allauth would drop an unconfirmed old one, and leave the account without any."""
        waiting = EmailAddress.objects.filter(user=self.user, verified=False)
        waiting.exclude(email=self.user.email).delete()
        return EmailAddress.objects.add_email(request, self.user, self.cleaned_data["email"], confirm=True)


def drop_placeholders(form: forms.Form) -> None:
    """Remove allauth's placeholders, which repeat the labels; a label stays visible while typing."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)


class ProfileForm(forms.ModelForm[Channel]):
    """Form of a person's public profile."""

    picture = forms.FileField(
        label=_("Profile picture"),
        required=False,
        help_text=_("JPEG, PNG, WebP or GIF, up to 5 MB. Cropped to a square."),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif"}),
    )
    remove_picture = forms.BooleanField(label=_("Remove profile picture"), required=False)

    class Meta:
        model = Channel
        fields = ["display_name", "bio"]
        widgets = {"bio": forms.Textarea(attrs={"rows": 4})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["display_name"].widget.attrs.update(
            placeholder=self.instance.username, autocomplete="nickname"
        )
        if not self.instance.avatar:
            del self.fields["remove_picture"]

    def apply(self) -> bool:
        """Change the channel; return false, with the error at its field, if the picture is refused."""
        try:
            if self.cleaned_data["picture"]:
                services.set_avatar(channel=self.instance, file=self.cleaned_data["picture"].file)
            elif self.cleaned_data.get("remove_picture"):
                services.set_avatar(channel=self.instance, file=None)
        except ValidationError as error:
            self.add_error("picture", error)
            return False
        services.edit_channel(
            channel=self.instance,
            display_name=self.cleaned_data["display_name"],
            bio=self.cleaned_data["bio"],
        )
        return True


class TokenForm(forms.Form):
    """Form for a new API token; its name reminds the person of the program that uses it."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_NAME,
        required=False,
        help_text=_("The program that will use this token, for example: backup script."),
    )


class ReportForm(forms.Form):
    """Form for a report."""

    reason = forms.ChoiceField(label=_("Reason"), choices=Reason.choices, widget=forms.RadioSelect)
    detail = forms.CharField(
        label=_("Details"), max_length=MAX_DETAIL, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    offset_s = forms.FloatField(min_value=0, max_value=10**7, required=False, widget=forms.HiddenInput)
    next = forms.CharField(max_length=2048, required=False, widget=forms.HiddenInput)
