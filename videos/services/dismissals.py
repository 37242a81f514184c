"""*Not interested*: a person keeps a video out of home, trending and related lists.

Search, channels, playlists and the feed of followed channels still show it.
"""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from videos.models import DismissedVideo, Video

MAX_DISMISSED = 1_000  # videos of one person; the oldest are shown again
FORGOTTEN_AT_ONCE = 20


@transaction.atomic
def dismiss(video: Video, user: User) -> None:
    """Leave the video out of the lists of ``user``; forget the oldest dismissal beyond ``MAX_DISMISSED``."""
    DismissedVideo.objects.bulk_create([DismissedVideo(user=user, video=video)], ignore_conflicts=True)
    own = DismissedVideo.objects.filter(user=user)
    latest = own.order_by("-pk").values_list("pk", flat=True)
    beyond = list(latest[MAX_DISMISSED : MAX_DISMISSED + FORGOTTEN_AT_ONCE])
    if beyond:
        own.filter(pk__in=beyond).delete()


def undo_dismissal(user: User, public_id: str) -> None:
    DismissedVideo.objects.filter(user=user, video__public_id=public_id).delete()


def clear_dismissals(user: User) -> None:
    DismissedVideo.objects.filter(user=user).delete()
