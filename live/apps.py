from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LiveConfig(AppConfig):
    name = "live"
    verbose_name = _("Live")

    def ready(self) -> None:
        from live import moderation, replay_chat

        moderation.register_message()
        moderation.register_broadcast()
        moderation.register_charts()
        replay_chat.register()
