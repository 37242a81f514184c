"""Notifications of people."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User


class NotificationQuerySet(models.QuerySet["Notification"]):
    def of(self, person: User) -> NotificationQuerySet:
        return self.filter(person=person)

    def unread(self) -> NotificationQuerySet:
        return self.filter(read_at=None)


class Notification(models.Model):
    class Kind(models.TextChoices):
        REPLY = "reply", _("Reply")
        MENTION = "mention", _("Mention")
        FOLLOW = "follow", _("Follower")
        VIDEO_READY = "video_ready", _("Video ready")
        VIDEO_FAILED = "video_failed", _("Video failed")
        EDITION_READY = "edition_ready", _("Video updated")
        EDITION_FAILED = "edition_failed", _("Update failed")
        VIDEO_PUBLISHED = "video_published", _("Video published")
        PREMIERE = "premiere", _("Premiere")
        CHANNEL_LIVE = "channel_live", _("Live")
        MODERATION = "moderation", _("Moderation")
        REPORT_DECIDED = "report_decided", _("Report decided")

    person = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    data = models.JSONField(default=dict, help_text="what the sentence is made of")
    url = models.CharField(max_length=500, blank=True)
    # Idempotency key: a second notification with the same key is dropped.
    key = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["person", "key"], condition=~Q(key=""), name="notification_once")
        ]
        indexes = [
            models.Index(fields=["person", "-created_at", "-id"], name="notification_of_person"),
            models.Index(fields=["person"], condition=Q(read_at=None), name="notification_unread"),
            models.Index(fields=["created_at"], name="notification_created"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.kind}"
