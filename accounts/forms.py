"""Forms of the account pages; each field brings its label, its help and where it says what is wrong."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import AddEmailForm, LoginForm, SignupForm
from allauth.account.models import EmailAddress
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.models import Channel, Reason
from accounts.models.moderation import MAX_DETAIL


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        login = self.fields["login"]
        login.label = _("User name or e-mail")
        login.widget.attrs.update(autocomplete="username", autocapitalize="none", spellcheck="false")
        drop_placeholders(self)


class SignUpForm(SignupForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        username = self.fields["username"]
        username.help_text = _("Others find you under this name. 3 to 30 letters, digits, dots or dashes.")
        username.widget.attrs.update(autocapitalize="none", spellcheck="false")
        drop_placeholders(self)


class ChangeEmailForm(AddEmailForm):
    """The new address waits beside the old one, which stays the account's until then."""

    def clean_email(self) -> str:
        email: str = super().clean_email()
        services.check_email(email)
        return email

    def save(self, request: HttpRequest) -> EmailAddress:
        """allauth would drop an old address that was never confirmed, and the account with none."""
        waiting = EmailAddress.objects.filter(user=self.user, verified=False)
        waiting.exclude(email=self.user.email).delete()
        return EmailAddress.objects.add_email(request, self.user, self.cleaned_data["email"], confirm=True)


def drop_placeholders(form: forms.Form) -> None:
    """A label stays while one types; allauth's placeholders only repeat it."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)


class ProfileForm(forms.ModelForm[Channel]):
    """What others see of a person."""

    picture = forms.FileField(
        label=_("Picture"),
        required=False,
        help_text=_("JPEG, PNG, WebP or GIF, up to 5 MB. It is cut to a square."),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif"}),
    )
    remove_picture = forms.BooleanField(label=_("Remove the picture"), required=False)

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
        """Change the channel; false if the picture will not do, which its field then says."""
        try:
            self._apply_picture()
        except ValidationError as error:
            self.add_error("picture", error)
            return False
        services.edit_channel(
            channel=self.instance,
            display_name=self.cleaned_data["display_name"],
            bio=self.cleaned_data["bio"],
        )
        return True

    def _apply_picture(self) -> None:
        if self.cleaned_data["picture"]:
            services.set_avatar(channel=self.instance, file=self.cleaned_data["picture"].file)
        elif self.cleaned_data.get("remove_picture"):
            services.set_avatar(channel=self.instance, file=None)


class ReportForm(forms.Form):
    """Why somebody reports what they see."""

    reason = forms.ChoiceField(label=_("Reason"), choices=Reason.choices, widget=forms.RadioSelect)
    detail = forms.CharField(
        label=_("Detail"), max_length=MAX_DETAIL, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    offset_s = forms.FloatField(min_value=0, max_value=10**7, required=False, widget=forms.HiddenInput)
    next = forms.CharField(max_length=2048, required=False, widget=forms.HiddenInput)
