from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        from accounts import figures
        from accounts.moderation import kinds

        kinds.register_channel()
        figures.register_charts()
