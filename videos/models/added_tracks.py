"""Audio tracks on their way to a video, with language, name and purpose, before they are renditions."""

from __future__ import annotations

from django.db import models

from videos.models.renditions import Rendition
from videos.models.videos import Video

UNCUT = "uncut"
"""The encode key of the whole added tracks of a trimmed video, which wait until the original is restored."""


class AddedTrack(models.Model):
    """Name, language and role of the audio track that an edition makes."""

    edition = models.OneToOneField(Video, models.CASCADE, primary_key=True, related_name="added_track")
    label = models.CharField(max_length=90)
    language = models.CharField(max_length=16)
    role = models.CharField(max_length=12, choices=Rendition.Role.choices)

    def __str__(self) -> str:
        return f"{self.edition_id}: {self.label}"
