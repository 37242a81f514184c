from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class VideosConfig(AppConfig):
    name = "videos"
    verbose_name = _("Videos")

    def ready(self) -> None:
        from videos import channel_listing, figures, queue, reportable, stored_objects, tasks, transcriptions
        from videos.services import scheduling

        reportable.register_video()
        reportable.register_clip()
        reportable.register_playlist()
        figures.register_charts()
        stored_objects.register()
        scheduling.register_check()
        queue.job_wakeup.inject(tasks.work)
        channel_listing.listing_wakeup.inject(tasks.list_channel)
        transcriptions.transcription_wakeup.inject(tasks.transcribe)
