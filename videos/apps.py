from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class VideosConfig(AppConfig):
    name = "videos"
    verbose_name = _("Videos")

    def ready(self) -> None:
        from videos import moderation, queue, tasks

        moderation.register_video()
        moderation.register_charts()
        queue.job_wakeup.inject(tasks.work)
