"""The project as a Django app: its commands and templates."""

from django.apps import AppConfig


class PlatformConfig(AppConfig):
    name = "videoplatform"
