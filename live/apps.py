from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LiveConfig(AppConfig):
    name = "live"
    verbose_name = _("Live")

    def ready(self) -> None:
        from accounts import access
        from live import moderation
        from live.chat import log
        from live.recording import replay_chat

        moderation.register_message()
        moderation.register_broadcast()
        moderation.register_stream()
        moderation.register_charts()
        replay_chat.register()
        access.on_revoked(log.sign_out)
