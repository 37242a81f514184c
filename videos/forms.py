"""Forms of the studio: a video's details, and its captions."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from videos import services
from videos.languages import USUAL, language_name
from videos.models import MAX_PASSWORD, MIN_PASSWORD, CaptionTrack, Video
from videos.services.errors import PasswordMissing


class VideoForm(forms.ModelForm[Video]):
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=500,
        help_text=_("Separate with commas, 12 at most."),
    )

    class Meta:
        model = Video
        fields = ("title", "description", "category", "visibility", "comments_mode")
        labels = {
            "title": _("Title"),
            "description": _("Description"),
            "category": _("Category"),
            "visibility": _("Visibility"),
            "comments_mode": _("Comments and danmaku"),
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 8}),
            "visibility": forms.RadioSelect,
            "comments_mode": forms.RadioSelect,
        }

    password = forms.CharField(
        label=_("Password"),
        required=False,
        strip=False,
        min_length=MIN_PASSWORD,
        max_length=MAX_PASSWORD,
        help_text=_("A new password locks the video again for everyone."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    field_order = ("title", "description", "visibility", "password", "comments_mode", "category", "tags")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        if self.instance.pk:
            self.initial["tags"] = ", ".join(tag.name for tag in self.instance.tags.all())
        self.fields["comments_mode"].required = False
        if self.instance.has_password:
            self.fields["password"].widget.attrs["placeholder"] = "••••••"

    def clean_tags(self) -> list[str]:
        """Split the tags at Latin and Chinese commas."""
        typed = re.split("[,，、]", self.cleaned_data["tags"])
        return [name.strip() for name in typed if name.strip()]

    def clean(self) -> dict[str, Any]:
        """Refuse a protection by password without a password."""
        values: dict[str, Any] = super().clean() or {}
        is_chosen = values.get("visibility") == Video.Visibility.PASSWORD
        has_password = values.get("password") or self.instance.has_password
        if is_chosen and not has_password and "password" not in self.errors:
            self.add_error("password", str(PasswordMissing.sentence))
        return values

    def clean_comments_mode(self) -> str:
        """Return the chosen mode, or the current one if the form was sent without it."""
        return self.cleaned_data["comments_mode"] or self.instance.comments_mode

    def apply(self) -> Video:
        """Change the video through its service."""
        return services.edit_video(self.instance, **self.cleaned_data)


class UnlockForm(forms.Form):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=MAX_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "autofocus": True}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class CaptionForm(forms.Form):
    language = forms.ChoiceField(
        label=_("Language"),
        choices=lambda: sorted(
            ((tag, language_name(tag)) for tag in USUAL), key=lambda choice: choice[1].casefold()
        ),
    )
    file = forms.FileField(
        label=_("File"),
        help_text=_("WebVTT, SRT or ASS, up to 5 MB. Replaces existing captions in this language."),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".vtt,.srt,.ass,.ssa,text/vtt,text/plain"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    def apply(self, video: Video) -> tuple[CaptionTrack, int]:
        """Add the captions through their service."""
        return services.add_captions(video, **self.cleaned_data)
