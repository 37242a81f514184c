"""Form for a stream's settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from live import services
from live.models import Stream


class StreamForm(forms.ModelForm[Stream]):
    class Meta:
        model = Stream
        fields = services.EDITABLE
        labels = {
            "title": _("Title"),
            "category": _("Category"),
            "visibility": _("Visibility"),
            "latency": _("Latency"),
            "record": _("Save a replay: the broadcast becomes a video when it ends"),
        }
        widgets = {"latency": forms.RadioSelect, "title": forms.TextInput(attrs={"autocomplete": "off"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    def apply(self) -> Stream:
        """Save the stream through its service."""
        return services.edit_stream(self.instance, **self.cleaned_data)
