"""The form a video is edited with."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from videos import conversation, services
from videos.models import Video


class VideoForm(forms.ModelForm[Video]):
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=500,
        help_text=_("Separated by commas, twelve at most."),
    )

    class Meta:
        model = Video
        fields = ("title", "description", "category", "visibility", "comments_mode")
        labels = {
            "title": _("Title"),
            "description": _("Description"),
            "category": _("Category"),
            "visibility": _("Who may watch"),
            "comments_mode": _("Comments and danmaku"),
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 8}),
            "visibility": forms.RadioSelect,
            "comments_mode": forms.RadioSelect,
        }

    field_order = ("title", "description", "visibility", "comments_mode", "category", "tags")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        if self.instance.pk:
            self.initial["tags"] = ", ".join(tag.name for tag in self.instance.tags.all())
        self.fields["comments_mode"].required = False

    def clean_tags(self) -> list[str]:
        """Commas of either script divide."""
        typed = re.split("[,，、]", self.cleaned_data["tags"])
        return [name.strip() for name in typed if name.strip()]

    def clean_comments_mode(self) -> str:
        """Not asked for is not changed."""
        return self.cleaned_data["comments_mode"] or self.instance.comments_mode

    def apply(self) -> Video:
        """Change the video through its service."""
        fields = ("title", "description", "category", "visibility", "tags")
        conversation.set_comments_mode(video=self.instance, mode=self.cleaned_data["comments_mode"])
        return services.edit_video(self.instance, **{name: self.cleaned_data[name] for name in fields})
