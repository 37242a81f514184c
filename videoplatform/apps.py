"""The project as a Django app: its commands and templates."""

from django.apps import AppConfig
from django.core import checks

from videoplatform.sandbox_checks import check_sandbox


class PlatformConfig(AppConfig):
    name = "videoplatform"

    def ready(self) -> None:
        checks.register(check_sandbox, checks.Tags.security, deploy=True)
