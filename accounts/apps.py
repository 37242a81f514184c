from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Users")

    def ready(self) -> None:
        from accounts import figures, outbox, stored_objects, tasks
        from accounts.moderation import reportable

        reportable.register_channel()
        figures.register_charts()
        stored_objects.register()
        outbox.outbox_wakeup.inject(tasks.work_outbox)
