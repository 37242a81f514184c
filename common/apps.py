"""Django app of the shared foundation; it registers lookups and admin lists before all other apps."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "common"

    def ready(self) -> None:
        from common import admin_lists, deletion, lookups, pool, tasks

        lookups.register()
        admin_lists.register()
        pool.forget_after_fork()
        deletion.deletion_wakeup.inject(tasks.delete_pending)
