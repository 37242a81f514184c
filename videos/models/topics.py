"""Categories and tags of videos."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Category(models.TextChoices):
    ANIMATION = "animation", _("Animation")
    EDUCATION = "education", _("Education")
    ENTERTAINMENT = "entertainment", _("Entertainment")
    FILM = "film", _("Film")
    FOOD = "food", _("Food")
    GAMING = "gaming", _("Gaming")
    MUSIC = "music", _("Music")
    NEWS = "news", _("News")
    PEOPLE = "people", _("People")
    SCIENCE = "science", _("Science & technology")
    SPORTS = "sports", _("Sports")
    TRAVEL = "travel", _("Travel")
    OTHER = "other", _("Other")


class Tag(models.Model):
    name = models.CharField(max_length=40, unique=True)

    def __str__(self) -> str:
        return self.name
