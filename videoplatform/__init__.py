"""The project: settings, and the places where the apps meet."""

from videoplatform.celery import app as celery_app

__all__ = ["celery_app"]
