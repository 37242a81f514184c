"""The Celery application: it wakes workers; SQL holds the queue (see ``videos.models.Job``)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "videoplatform.settings")

app = Celery("videoplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# By name: it needs the settings, which are not read yet here.
app.steps["consumer"].add("videoplatform.health:Heartbeat")
