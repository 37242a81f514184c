"""The Celery application. It only wakes workers: the queue is in SQL (see ``videos.models.Job``)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoplatform.settings")

app = Celery("videoplatform", task_cls="common.heartbeat:LivelyTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Given by name, because the module needs the settings, which are not loaded yet.
app.steps["consumer"].add("videoplatform.workers:WorkerLife")
