"""Forms of the studio: a video's details, and its captions."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from videos import services
from videos.languages import USUAL, language_name
from videos.models import MAX_PASSWORD, MIN_PASSWORD, CaptionTrack, Playlist, Rendition, Video, VideoDefaults
from videos.services.errors import BadMoment, PasswordMissing
from videos.services.scheduling import scheduled_fields

SCHEDULED = "scheduled"


class VideoForm(forms.ModelForm[Video]):
    """Details of a video; its visibility has one choice more, the time at which it becomes public."""

    visibility = forms.ChoiceField(
        label=_("Visibility"),
        choices=lambda: [*Video.Visibility.choices, (SCHEDULED, _("Scheduled"))],
        widget=forms.RadioSelect,
    )
    publish_at = forms.DateTimeField(
        label=_("Publish at"), required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    is_premiere = forms.BooleanField(
        label=_("Premiere: the page opens now, and everyone watches together"), required=False
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=500,
        help_text=_("Separate with commas, 12 at most."),
    )

    class Meta:
        model = Video
        fields = ("title", "description", "category", "comments_mode", "downloads", "clipping")
        labels = {
            "title": _("Title"),
            "description": _("Description"),
            "category": _("Category"),
            "comments_mode": _("Comments and danmaku"),
            "downloads": _("Download"),
            "clipping": _("Who can make clips"),
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 8}),
            "comments_mode": forms.RadioSelect,
            "downloads": forms.RadioSelect,
            "clipping": forms.RadioSelect,
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

    field_order = (
        "title", "description", "visibility", "password", "publish_at", "is_premiere", "comments_mode",
        "downloads", "clipping", "category", "tags",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        if self.instance.pk:
            self.initial["tags"] = ", ".join(tag.name for tag in self.instance.tags.all())
            self.initial["visibility"] = self.instance.visibility
            if self.instance.publish_at:
                # In UTC; the page's script writes it in the zone of the browser.
                at = self.instance.publish_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
                self.initial["visibility"], self.initial["publish_at"] = SCHEDULED, at
                self.initial["is_premiere"] = self.instance.is_premiere
        self.fields["comments_mode"].required = False
        self.fields["downloads"].required = False
        self.fields["clipping"].required = False
        if self.instance.has_password:
            self.fields["password"].widget.attrs["placeholder"] = "••••••"

    def clean_tags(self) -> list[str]:
        """Split the tags at Latin and Chinese commas."""
        typed = re.split("[,，、]", self.cleaned_data["tags"])
        return [name.strip() for name in typed if name.strip()]

    def clean(self) -> dict[str, Any]:
        """Refuse a protection by password without a password, and a schedule without a time."""
        values: dict[str, Any] = super().clean() or {}
        is_chosen = values.get("visibility") == Video.Visibility.PASSWORD
        has_password = values.get("password") or self.instance.has_password
        if is_chosen and not has_password and "password" not in self.errors:
            self.add_error("password", str(PasswordMissing.sentence))
        if values.get("visibility") == SCHEDULED and "publish_at" not in self.errors:
            self._check_moment(values.get("publish_at"), values["is_premiere"])
        return values

    def clean_publish_at(self) -> datetime | None:
        """Return the current time, with its seconds, for the minute that the form showed."""
        sent: datetime | None = self.cleaned_data["publish_at"]
        current = self.instance.publish_at
        return current if current and sent == current.replace(second=0, microsecond=0) else sent

    def _check_moment(self, publish_at: datetime | None, is_premiere: bool) -> None:
        """Refuse a missing or wrong time; an unchanged schedule may be over meanwhile."""
        current = self.instance
        if publish_at and (publish_at, is_premiere) == (current.publish_at, current.is_premiere):
            return
        try:
            scheduled_fields(publish_at or datetime.min.replace(tzinfo=UTC), is_premiere=is_premiere)
        except BadMoment as error:
            self.add_error("publish_at", str(error))

    def clean_comments_mode(self) -> str:
        """Return the chosen mode, or the current one if the form was sent without it."""
        return self.cleaned_data["comments_mode"] or self.instance.comments_mode

    def clean_downloads(self) -> str:
        """Return the chosen file, or the current choice if the form was sent without it."""
        return self.cleaned_data["downloads"] or self.instance.downloads

    def clean_clipping(self) -> str:
        """Return the chosen users, or the current choice if the form was sent without it."""
        return self.cleaned_data["clipping"] or self.instance.clipping

    def apply(self) -> Video:
        """Change the video through its service."""
        values = dict(self.cleaned_data)
        schedule = {name: values.pop(name) for name in ("publish_at", "is_premiere")}
        if values["visibility"] == SCHEDULED:
            del values["visibility"]
            # An unchanged schedule may be over at this moment, and is then left alone.
            if schedule != {name: getattr(self.instance, name) for name in schedule}:
                values |= schedule
        return services.edit_video(self.instance, **values)


class DefaultsForm(forms.ModelForm[VideoDefaults]):
    class Meta:
        model = VideoDefaults
        fields = ("visibility", "comments_mode", "downloads", "clipping", "category")
        labels = {
            "visibility": _("Visibility"),
            "comments_mode": _("Comments and danmaku"),
            "downloads": _("Download"),
            "clipping": _("Who can make clips"),
            "category": _("Category"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class PlaylistForm(forms.ModelForm[Playlist]):
    class Meta:
        model = Playlist
        fields = ("title", "description", "visibility")
        labels = {"title": _("Title"), "description": _("Description"), "visibility": _("Visibility")}
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["title"].required = True


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


class ImportForm(forms.Form):
    url = forms.CharField(
        label=_("Link"),
        max_length=2000,
        help_text=_("A video file or a page with a video, on a public website."),
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class ChannelImportForm(forms.Form):
    address = forms.CharField(
        label=_("Channel"),
        max_length=2000,
        help_text=_("The link of a PeerTube channel, account or export (.zip), or of a MediaCMS user."),
        widget=forms.URLInput(attrs={"placeholder": "https://example.org/c/name", "type": "text"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class PlaybackTokenForm(forms.Form):
    domains = forms.CharField(
        label=_("Domains"),
        max_length=5000,
        help_text=_("One per line, such as example.org or *.example.org."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "off"}),
    )
    days = forms.ChoiceField(
        label=_("Expires"),
        choices=[
            ("1", _("in a day")),
            ("7", _("in a week")),
            ("30", _("in 30 days")),
            ("365", _("in a year")),
        ],
        initial="30",
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


class AudioTrackForm(forms.Form):
    """Name, language and role of an audio track, added or to be added."""

    language = forms.ChoiceField(
        label=_("Language"),
        choices=lambda: sorted(
            ((tag, language_name(tag)) for tag in USUAL), key=lambda choice: choice[1].casefold()
        ),
    )
    role = forms.ChoiceField(label=_("Type"), choices=Rendition.Role.choices)
    name = forms.CharField(
        label=_("Name"),
        max_length=90,
        required=False,
        help_text=_("Shown in the player. Empty: the name of the language."),
    )

    def __init__(self, *args: Any, track: Rendition | None = None, **kwargs: Any) -> None:
        """``track`` is an added track, whose form has its name as a prefix and its values at first."""
        if track is not None:
            known = {"language": track.language, "role": track.role, "name": track.label}
            kwargs |= {"prefix": track.name, "initial": known}
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        language = self.fields["language"]
        choices = list(language.choices)  # type: ignore[attr-defined]
        if track is not None and track.language not in dict(choices):
            # The API takes any language.
            language.choices = [*choices, (track.language, language_name(track.language))]  # type: ignore[attr-defined]


class PosterForm(forms.Form):
    """One of the offered stills by its number, or a picture."""

    choice = forms.IntegerField(required=False, min_value=0, max_value=100, widget=forms.HiddenInput)
    file = forms.FileField(
        label=_("Your own image"),
        help_text=_("JPEG, PNG, WebP or GIF, up to 5 MB."),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.auto_id = "poster_%s"  # another form of the page has a file, too

    def clean(self) -> dict[str, Any]:
        """Require one of the two."""
        if not self.errors and self.cleaned_data["choice"] is None and not self.cleaned_data["file"]:
            self.add_error("file", _("Choose an image."))
        return self.cleaned_data

    def apply(self, video: Video) -> Video:
        """Change the poster through its service."""
        if self.cleaned_data["file"]:
            return services.upload_poster(video, file=self.cleaned_data["file"].file)
        return services.choose_poster(video, number=self.cleaned_data["choice"])
