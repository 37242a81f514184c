from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LiveConfig(AppConfig):
    name = "live"
    verbose_name = _("Live")

    def ready(self) -> None:
        from accounts import access
        from live import broadcasting, figures, reportable, stored_objects
        from live.chat import log
        from live.recording import replay_chat

        reportable.register_message()
        reportable.register_broadcast()
        reportable.register_stream()
        figures.register_charts()
        stored_objects.register()
        broadcasting.register_check()
        replay_chat.register()
        access.on_revoked(log.sign_out)
