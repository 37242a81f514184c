"""Permissions of the API: the answer of every endpoint to each asker."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from accounts import services
from accounts.services import Role
from accounts.tests.factories import PASSWORD
from live.services import edit_stream
from videoplatform.tests.askers import Asker, answers, expected, routes, surprises, table
from videoplatform.tests.world import VIDEO_PASSWORD, World, world

__all__ = ["world"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.storage]

API = table("""
                                                      anonymous person owner moderator administrator suspended
# Oneself and others
POST    /api/v1/accounts/register/                          201    201   201       201           201       201
GET     /api/v1/accounts/register/challenge/                200    200   200       200           200       200
POST    /api/v1/accounts/token/                             200    200   200       200           200       401
GET     /api/v1/accounts/me/                                401    200   200       200           200       401
PATCH   /api/v1/accounts/me/                                401    200   200       200           200       401
GET     /api/v1/channels/{owner}/                           200    200   200       200           200       404
PUT     /api/v1/channels/{owner}/follow/                    401   204-   400       204           204       401
DELETE  /api/v1/channels/{owner}/follow/                    401    204  204-      204-          204-       401
GET     /api/v1/notifications/                              401    200   200       200           200       401
POST    /api/v1/notifications/read/                         401   200-   200      200-          200-       401
GET     /api/v1/playlists/                                  401    200   200       200           200       401
POST    /api/v1/playlists/                                  401    201   201       201           201       401
GET     /api/v1/playlists/{playlist}/                       200    200   200       200           200       404
GET     /api/v1/playlists/{private_playlist}/               404    404   200       200           200       404
PATCH   /api/v1/playlists/{playlist}/                       401    403   200       403           403       401
PATCH   /api/v1/playlists/{private_playlist}/               401    404   200       403           403       401
PUT     /api/v1/playlists/{playlist}/items/{unlisted}/      401    403   204       403           403       401
PUT     /api/v1/playlists/{private_playlist}/items/{unlisted}/ 401 404   204       403           403       401
PATCH   /api/v1/playlists/{playlist}/items/{public}/        401    403   204       403           403       401
DELETE  /api/v1/playlists/{playlist}/items/{public}/        401    403   204       403           403       401
DELETE  /api/v1/playlists/{playlist}/                       401    403   204       403           403       401
GET     /api/v1/history/                                    401    200   200       200           200       401
DELETE  /api/v1/history/                                    401   204-  204-      204-          204-       401
DELETE  /api/v1/history/{private}/                          401   204-  204-      204-          204-       401
GET     /api/v1/history/state/                              401    200   200       200           200       401
PUT     /api/v1/history/state/                              401    200   200       200           200       401
POST    /api/v1/reports/                                    401    201   201       201           201       401
POST    /api/v1/reports/#private                            401    404   201       201           201       401

# Videos
GET     /api/v1/videos/                                     200    200   200       200           200       200
POST    /api/v1/videos/                                     401    201   201       201           201       401
POST    /api/v1/videos/import/                              401    202   202       202           202       401
GET     /api/v1/videos/{public}/                            200    200   200       200           200       404
GET     /api/v1/videos/{unlisted}/                          200    200   200       200           200       404
GET     /api/v1/videos/{private}/                           404    404   200       200           200       404
GET     /api/v1/videos/{locked}/                            403    403   200       200           200       404
GET     /api/v1/videos/{followed}/                          403    200   200       200           200       404
GET     /api/v1/videos/{scheduled}/                         404    404   200       200           200       404
GET     /api/v1/videos/{premiere}/                          200    200   200       200           200       404
GET     /api/v1/videos/{uploading}/                         404    404   200       200           200       404
GET     /api/v1/videos/{failed}/                            404    404   200       200           200       404
GET     /api/v1/videos/{hidden}/                            404    404   200       200           200       404
GET     /api/v1/videos/{removed}/                           404    404   404       200           200       404
PATCH   /api/v1/videos/{public}/                            401    403   200       403           403       401
PATCH   /api/v1/videos/{private}/                           401    404   200       403           403       401
PATCH   /api/v1/videos/{locked}/                            401    403   200       403           403       401
PATCH   /api/v1/videos/{followed}/                          401    403   200       403           403       401
PATCH   /api/v1/videos/{hidden}/                            401    404   200       403           403       401
PATCH   /api/v1/videos/{removed}/                           401    404   404       403           403       401
DELETE  /api/v1/videos/{public}/                            401    403   204       403           403       401
DELETE  /api/v1/videos/{private}/                           401    404   204       403           403       401
DELETE  /api/v1/videos/{locked}/                            401    403   204       403           403       401
DELETE  /api/v1/videos/{removed}/                           401    404   404       403           403       401
PUT     /api/v1/videos/{public}/like/                       401    204   204       204           204       401
PUT     /api/v1/videos/{private}/like/                      401    404   204       204           204       401
PUT     /api/v1/videos/{locked}/like/                       401    403   204       204           204       401
PUT     /api/v1/videos/{followed}/like/                     401    204   204       204           204       401
DELETE  /api/v1/videos/{public}/like/                       401   204-  204-      204-          204-       401
DELETE  /api/v1/videos/{private}/like/                      401    404  204-      204-          204-       401
POST    /api/v1/videos/{public}/views/                     200-    200   200       200           200       404
POST    /api/v1/videos/{private}/views/                     404    404   200       200           200       404
POST    /api/v1/videos/{locked}/views/                      403    403   200       200           200       404
POST    /api/v1/videos/{followed}/views/                    403    200   200       200           200       404
POST    /api/v1/videos/{locked}/unlock/                    200-   200-  200-      200-          200-       404
POST    /api/v1/videos/{locked}/unlock/#wrong               400    400   400       400           400       404
POST    /api/v1/videos/{followed}/unlock/                   409    409   409       409           409       404
POST    /api/v1/videos/{private}/unlock/                    404    404   409       409           409       404
GET     /api/v1/videos/{public}/download/                   403    403   200       403           403       404
GET     /api/v1/videos/{downloadable}/download/             200    200   200       200           200       404
GET     /api/v1/videos/{private}/download/                  404    404   200       403           403       404
GET     /api/v1/videos/{locked}/download/                   403    403   200       403           403       404
POST    /api/v1/videos/{public}/download/                   403    403  202-       403           403       404
POST    /api/v1/videos/{downloadable}/download/            202-   202-  202-      202-          202-       404
POST    /api/v1/videos/{private}/download/                  404    404  202-       403           403       404
GET     /api/v1/videos/{public}/playback-tokens/            401    403   200       403           403       401
GET     /api/v1/videos/{private}/playback-tokens/           401    404   200       403           403       401
POST    /api/v1/videos/{private}/playback-tokens/           401    404   201       403           403       401
DELETE  /api/v1/videos/{private}/playback-tokens/{playback_token}/ 401 404 204    403           403       401
DELETE  /api/v1/videos/{public}/playback-tokens/{playback_token}/ 401 403 404     403           403       401
POST    /api/v1/videos/{failed}/retry/                      401    404   202       403           403       401
POST    /api/v1/videos/{public}/retry/                      401    403   409       403           403       401

# New versions
POST    /api/v1/videos/{private}/edition/reencode/          401    404   202       403           403       401
POST    /api/v1/videos/{public}/edition/reencode/           401    403   202       403           403       401
GET     /api/v1/videos/{public}/edition/                    401    403   404       403           403       401
GET     /api/v1/videos/{private}/edition/                   401    404   404       403           403       401
DELETE  /api/v1/videos/{public}/edition/                    401    403   404       403           403       401
DELETE  /api/v1/videos/{private}/edition/                   401    404   404       403           403       401
POST    /api/v1/videos/{private}/edition/trim/              401    404   202       403           403       401
POST    /api/v1/videos/{public}/edition/trim/               401    403   202       403           403       401
POST    /api/v1/videos/{private}/edition/restore/           401    404   409       403           403       401
POST    /api/v1/videos/{public}/edition/restore/            401    403   409       403           403       401
POST    /api/v1/videos/{private}/edition/upload/            401    404   201       403           403       401
POST    /api/v1/videos/{public}/edition/upload/             401    403   201       403           403       401
POST    /api/v1/videos/{private}/edition/import/            401    404   202       403           403       401
POST    /api/v1/videos/{public}/edition/import/             401    403   202       403           403       401
POST    /api/v1/videos/{public}/edition/retry/              401    403   404       403           403       401
POST    /api/v1/videos/{private}/edition/retry/             401    404   404       403           403       401
GET     /api/v1/videos/{public}/audio-tracks/               401    403   200       403           403       401
GET     /api/v1/videos/{private}/audio-tracks/              401    404   200       403           403       401
POST    /api/v1/videos/{public}/audio-tracks/               401    403   201       403           403       401
POST    /api/v1/videos/{private}/audio-tracks/              401    404   201       403           403       401
PUT     /api/v1/videos/{public}/audio-tracks/{track}/       401    403   200       403           403       401
PUT     /api/v1/videos/{private}/audio-tracks/{track}/      401    404   404       403           403       401
DELETE  /api/v1/videos/{public}/audio-tracks/{track}/       401    403   204       403           403       401
DELETE  /api/v1/videos/{private}/audio-tracks/{track}/      401    404   404       403           403       401

# Channel imports
GET     /api/v1/channel-imports/                            401    200   200       200           200       401
POST    /api/v1/channel-imports/                            401    202   202       202           202       401
GET     /api/v1/channel-imports/{channel_import}/           401    404   200       404           404       401
POST    /api/v1/channel-imports/{channel_import}/start/     401    404   202       404           404       401
DELETE  /api/v1/channel-imports/{channel_import}/           401    404   204       404           404       401

# Uploads
GET     /api/v1/videos/{uploading}/upload/                  401    404   200       403           403       401
POST    /api/v1/videos/{uploading}/upload/parts/            401    404   200       403           403       401
POST    /api/v1/videos/{uploading}/upload/complete/         401    404   202       403           403       401
DELETE  /api/v1/videos/{uploading}/upload/                  401    404   204       403           403       401

# Clips
GET     /api/v1/clips/                                      200    200   200       200           200       200
GET     /api/v1/videos/{public}/clips/                      200    200   200       200           200       404
GET     /api/v1/videos/{private}/clips/                     404    404   200       200           200       404
GET     /api/v1/videos/{locked}/clips/                      403    403   200       200           200       404
GET     /api/v1/videos/{premiere}/clips/                    404    404   200       200           200       404
POST    /api/v1/videos/{public}/clips/                      401    201   201       201           201       401
POST    /api/v1/videos/{private}/clips/                     401    404   201       201           201       401
POST    /api/v1/videos/{locked}/clips/                      401    403   201       201           201       401
POST    /api/v1/videos/{followed}/clips/                    401    201   201       201           201       401
POST    /api/v1/videos/{unclippable}/clips/                 401    403   201       403           403       401
GET     /api/v1/clips/{public_clip}/                        200    200   200       200           200       404
GET     /api/v1/clips/{private_clip}/                       404    404   200       200           200       404
GET     /api/v1/clips/{locked_clip}/                        403    403   200       200           200       404
GET     /api/v1/clips/{followed_clip}/                      403    200   200       200           200       404
GET     /api/v1/clips/{orphaned_clip}/                      410    410   410       410           410       410
PATCH   /api/v1/clips/{public_clip}/                        401    403   403       403           403       401
PATCH   /api/v1/clips/{private_clip}/                       401    404   403       403           403       401
PATCH   /api/v1/clips/{owners_clip}/                        401    403   200       403           403       401
DELETE  /api/v1/clips/{public_clip}/                        401    403   204       204           204       401
DELETE  /api/v1/clips/{private_clip}/                       401    404   204       204           204       401
DELETE  /api/v1/clips/{owners_clip}/                        401    403   204       204           204       401
DELETE  /api/v1/clips/{orphaned_clip}/                      401    404   404       404           404       401
POST    /api/v1/clips/{public_clip}/views/                 200-   200-  200-      200-          200-       404
POST    /api/v1/clips/{private_clip}/views/                 404    404  200-      200-          200-       404
POST    /api/v1/clips/{locked_clip}/views/                  403    403  200-      200-          200-       404

# Captions
GET     /api/v1/videos/{public}/poster/                     401    403   200       403           403       401
GET     /api/v1/videos/{private}/poster/                    401    404   200       403           403       401
PATCH   /api/v1/videos/{public}/poster/                     401    403   200       403           403       401
PATCH   /api/v1/videos/{private}/poster/                    401    404   200       403           403       401
POST    /api/v1/videos/{public}/poster/                     401    403   200       403           403       401
POST    /api/v1/videos/{locked}/poster/                     401    403   200       403           403       401
GET     /api/v1/videos/{public}/captions/                   200    200   200       200           200       404
GET     /api/v1/videos/{private}/captions/                  404    404   200       200           200       404
GET     /api/v1/videos/{locked}/captions/                   403    403   200       200           200       404
GET     /api/v1/videos/{followed}/captions/                 403    200   200       200           200       404
POST    /api/v1/videos/{public}/captions/                   401    403   201       403           403       401
POST    /api/v1/videos/{private}/captions/                  401    404   201       403           403       401
DELETE  /api/v1/videos/{public}/captions/en/                401    403   204       403           403       401
DELETE  /api/v1/videos/{private}/captions/en/               401    404   404       403           403       401
PUT     /api/v1/videos/{public}/captions/en/                401    403   409!      403           403       401
PUT     /api/v1/videos/{private}/captions/en/               401    404   200       403           403       401
GET     /api/v1/videos/{public}/transcription/              401    403   200       403           403       401
GET     /api/v1/videos/{private}/transcription/             401    404   404       403           403       401
POST    /api/v1/videos/{public}/transcription/              401    403   409       403           403       401
POST    /api/v1/videos/{private}/transcription/             401    404   409       403           403       401
DELETE  /api/v1/videos/{public}/transcription/              401    403   204       403           403       401
DELETE  /api/v1/videos/{private}/transcription/             401    404   409       403           403       401

# Comments and danmaku
GET     /api/v1/videos/{public}/comments/                   200    200   200       200           200       404
GET     /api/v1/videos/{private}/comments/                  404    404   200       200           200       404
GET     /api/v1/videos/{locked}/comments/                   404    404   200       200           200       404
GET     /api/v1/videos/{followed}/comments/                 404    200   200       200           200       404
POST    /api/v1/videos/{public}/comments/                   401    201   201       201           201       401
POST    /api/v1/videos/{private}/comments/                  401    404   201       201           201       401
GET     /api/v1/videos/{public}/danmaku/                    200    200   200       200           200       404
GET     /api/v1/videos/{private}/danmaku/                   404    404   200       200           200       404
GET     /api/v1/videos/{locked}/danmaku/                    404    404   200       200           200       404
GET     /api/v1/videos/{followed}/danmaku/                  404    200   200       200           200       404
POST    /api/v1/videos/{public}/danmaku/                    401    201   201       201           201       401
POST    /api/v1/videos/{private}/danmaku/                   401    404   201       201           201       401
GET     /api/v1/comments/{comment}/                         200    200   200       200           200       404
GET     /api/v1/comments/{held_comment}/                    404    404   200       200           200       404
GET     /api/v1/comments/{hidden_comment}/                  404    404   404       200           200       404
GET     /api/v1/comments/{private_comment}/                 404    404   200       200           200       404
GET     /api/v1/comments/{locked_comment}/                  404    404   200       200           200       404
PUT     /api/v1/comments/{locked_comment}/like/             401    404   204       204           204       401
DELETE  /api/v1/danmaku/{locked_danmaku}/                   401    404   204       204           204       401
PATCH   /api/v1/comments/{comment}/                         401    403   403       403           403       401
PATCH   /api/v1/comments/{own_comment}/                     401    403   200       403           403       401
PATCH   /api/v1/comments/{private_comment}/                 401    404   200       403           403       401
DELETE  /api/v1/comments/{comment}/                         401    403   204       204           204       401
DELETE  /api/v1/comments/{own_comment}/                     401    403   204       204           204       401
DELETE  /api/v1/comments/{private_comment}/                 401    404   204       204           204       401
PUT     /api/v1/comments/{held_comment}/approve/            401    404   204       204           204       401
PUT     /api/v1/comments/{comment}/approve/                 401    403  204-      204-          204-       401
PUT     /api/v1/comments/{comment}/like/                    401    204   204       204           204       401
PUT     /api/v1/comments/{private_comment}/like/            401    404   204       204           204       401
DELETE  /api/v1/comments/{comment}/like/                    401   204-  204-      204-          204-       401
DELETE  /api/v1/comments/{private_comment}/like/            401    404  204-      204-          204-       401
PUT     /api/v1/comments/{comment}/pin/                     401    403   204       403           403       401
PUT     /api/v1/comments/{private_comment}/pin/             401    404   204       403           403       401
DELETE  /api/v1/comments/{comment}/pin/                     401    403   204       403           403       401
PUT     /api/v1/comments/{comment}/heart/                   401    403   204       403           403       401
PUT     /api/v1/comments/{private_comment}/heart/           401    404   204       403           403       401
DELETE  /api/v1/comments/{comment}/heart/                   401    403   204       403           403       401
DELETE  /api/v1/danmaku/{danmaku}/                          401    403   204       204           204       401
DELETE  /api/v1/danmaku/{private_danmaku}/                  401    404   204       204           204       401

# Live
GET     /api/v1/live/                                       200    200   200       200           200       200
GET     /api/v1/live/{owner}/                               200    200   200       200           200       404
PATCH   /api/v1/live/{owner}/                               401    403   200       403           403       401
GET     /api/v1/live/{owner}/chat/                          200    200   200       200           200       404
POST    /api/v1/live/{owner}/chat/ticket/                   401   200-  200-      200-          200-       401
POST    /api/v1/live/{owner}/heartbeat/                    200-   200-  200-      200-          200-       404
GET     /api/v1/live/{owner}/health/                        401    403   200       200           200       401
POST    /api/v1/live/{owner}/end/                           401    403   204       204           204       401
POST    /api/v1/live/{owner}/stream-key/                    401    403   201       403           403       401
DELETE  /api/v1/live/{owner}/stream-key/                    401    403   204       403           403       401
""")

# The same stream after it became private.
PRIVATE_STREAM = table("""
                                                      anonymous person owner moderator administrator suspended
GET     /api/v1/channels/{owner}/                           200    200   200       200           200       404
GET     /api/v1/live/{owner}/                               404    404   200       200           200       404
PATCH   /api/v1/live/{owner}/                               401    404   200       403           403       401
GET     /api/v1/live/{owner}/chat/                          404    404   200       200           200       404
POST    /api/v1/live/{owner}/chat/ticket/                   401    404  200-      200-          200-       401
POST    /api/v1/live/{owner}/heartbeat/                     404    404  200-      200-          200-       404
GET     /api/v1/live/{owner}/health/                        401    404   200       200           200       401
POST    /api/v1/live/{owner}/end/                           401    404   204       204           204       401
POST    /api/v1/live/{owner}/stream-key/                    401    404   201       403           403       401
DELETE  /api/v1/live/{owner}/stream-key/                    401    404   204       403           403       401
""")

# One grey pixel as a GIF.
PICTURE = b"GIF89a\1\0\1\0\x80\0\0\x80\x80\x80\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
VTT = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
BODIES: dict[str, dict[str, Any]] = {
    "PUT /api/v1/history/state/": {"is_paused": True},
    "POST /api/v1/playlists/": {"title": "Made"},
    "PATCH /api/v1/playlists/{playlist}/": {"title": "Changed"},
    "PATCH /api/v1/playlists/{private_playlist}/": {"title": "Changed"},
    "POST /api/v1/accounts/register/": {
        "username": "newcomer", "email": "newcomer@example.org", "password": PASSWORD,
    },
    "POST /api/v1/accounts/token/": {"username": "{owner}", "password": PASSWORD},
    "PATCH /api/v1/accounts/me/": {"bio": "new"},
    "POST /api/v1/reports/": {"target_type": "video", "target_id": "{public}", "reason": "spam"},
    "POST /api/v1/reports/#private": {"target_type": "video", "target_id": "{private}", "reason": "spam"},
    "POST /api/v1/channel-imports/": {"address": "walks@video.example"},
    "POST /api/v1/videos/import/": {"url": "https://example.org/film.mp4"},
    "POST /api/v1/videos/": {"title": "New", "filename": "new.mp4", "size_bytes": 5},
    "POST /api/v1/videos/{private}/edition/trim/": {"parts": [{"start_s": 1, "end_s": 4}]},
    "POST /api/v1/videos/{public}/edition/trim/": {"parts": [{"start_s": 1, "end_s": 4}]},
    "POST /api/v1/videos/{private}/edition/upload/": {"filename": "new.mp4", "size_bytes": 5},
    "POST /api/v1/videos/{public}/edition/upload/": {"filename": "new.mp4", "size_bytes": 5},
    **{
        f"{method} /api/v1/videos/{{{name}}}/audio-tracks/{rest}": {
            "filename": "dub.m4a",
            "size_bytes": 5,
            "language": "fr",
        }
        for method, rest in (("POST", ""), ("PUT", "{track}/"))
        for name in ("private", "public")
    },
    "POST /api/v1/videos/{private}/edition/import/": {"url": "https://example.org/film.mp4"},
    "POST /api/v1/videos/{public}/edition/import/": {"url": "https://example.org/film.mp4"},
    "PATCH /api/v1/videos/{public}/": {"title": "Changed"},
    "PATCH /api/v1/videos/{private}/": {"title": "Changed"},
    "PATCH /api/v1/videos/{hidden}/": {"title": "Changed"},
    "PATCH /api/v1/videos/{removed}/": {"title": "Changed"},
    "POST /api/v1/videos/{public}/views/": {"position_s": 10},
    "POST /api/v1/videos/{private}/views/": {"position_s": 10},
    "POST /api/v1/videos/{locked}/views/": {"position_s": 10},
    "POST /api/v1/videos/{private}/playback-tokens/": {
        "domains": ["example.org"], "expires_at": "{tomorrow}",
    },
    "POST /api/v1/videos/{followed}/views/": {"position_s": 10},
    "PATCH /api/v1/videos/{locked}/": {"title": "Changed"},
    "PATCH /api/v1/videos/{followed}/": {"title": "Changed"},
    "POST /api/v1/videos/{locked}/unlock/": {"password": VIDEO_PASSWORD},
    "POST /api/v1/videos/{locked}/unlock/#wrong": {"password": "bridges"},
    "POST /api/v1/videos/{followed}/unlock/": {"password": VIDEO_PASSWORD},
    "POST /api/v1/videos/{private}/unlock/": {"password": VIDEO_PASSWORD},
    "POST /api/v1/videos/{uploading}/upload/parts/": {"numbers": [1]},
    "POST /api/v1/videos/{uploading}/upload/complete/": {"parts": [{"number": 1, "etag": "{etag}"}]},
    "PATCH /api/v1/videos/{public}/poster/": {"choice": 0},
    "PATCH /api/v1/videos/{private}/poster/": {"choice": 0},
    "POST /api/v1/videos/{public}/poster/": {"file": PICTURE},
    "POST /api/v1/videos/{locked}/poster/": {"file": PICTURE},
    "POST /api/v1/videos/{public}/captions/": {"language": "de", "file": VTT},
    "POST /api/v1/videos/{private}/captions/": {"language": "de", "file": VTT},
    "PUT /api/v1/videos/{public}/captions/en/": {"webvtt": VTT.decode(), "based_on": ""},
    "PUT /api/v1/videos/{private}/captions/en/": {"webvtt": VTT.decode(), "based_on": ""},
    **{
        f"POST /api/v1/videos/{{{name}}}/clips/": {"start_s": 1, "end_s": 7}
        for name in ("public", "private", "locked", "followed", "unclippable")
    },
    **{
        f"PATCH /api/v1/clips/{{{name}_clip}}/": {"title": "Changed"}
        for name in ("public", "private", "owners")
    },
    **{
        f"POST /api/v1/clips/{{{name}_clip}}/views/": {"position_s": 10}
        for name in ("public", "private", "locked")
    },
    "POST /api/v1/videos/{public}/comments/": {"text": "For everyone"},
    "POST /api/v1/videos/{private}/comments/": {"text": "For few"},
    "POST /api/v1/videos/{public}/danmaku/": {"text": "Flies", "offset_ms": 1000},
    "POST /api/v1/videos/{private}/danmaku/": {"text": "Flies alone", "offset_ms": 1000},
    "PATCH /api/v1/comments/{comment}/": {"text": "Other words"},
    "PATCH /api/v1/comments/{own_comment}/": {"text": "Other words"},
    "PATCH /api/v1/comments/{private_comment}/": {"text": "Other words"},
    "PATCH /api/v1/live/{owner}/": {"title": "Changed"},
}  # fmt: skip

# Endpoints without authentication: an invalid token is ignored.
BLIND = (
    "GET /api/v1/accounts/register/challenge/",
    "POST /api/v1/accounts/register/",
    "POST /api/v1/accounts/token/",
    "GET /api/v1/videos/{public}/danmaku/",
)


def answered(client: Client, world: World, rows: Any = API) -> dict[str, str]:
    return answers(client, rows, world.names, BODIES, frozenset(world.secrets))


@pytest.mark.slow
def test_endpoints_answer_according_to_the_table(world: World) -> None:
    for asker in Asker:
        assert surprises(answered(world.client(asker), world), expected(API, asker)) == {}, asker


def test_private_stream_answers_according_to_the_table(world: World) -> None:
    edit_stream(world.rows["stream"], visibility="private")

    for asker in Asker:
        answers = answered(world.client(asker), world, PRIVATE_STREAM)
        assert surprises(answers, expected(PRIVATE_STREAM, asker)) == {}, asker


@pytest.mark.slow
def test_suspended_person_gets_the_answers_of_anonymous_people(world: World) -> None:
    client = world.client(Asker.PERSON)

    world.suspend("person")

    assert surprises(answered(client, world), expected(API, Asker.ANONYMOUS)) == {}


@pytest.mark.parametrize("who", ["person", "administrator"])
def test_token_stops_working_after_suspension(who: str, world: World) -> None:
    client = Client(headers={"Authorization": f"Token {world.token_of(who)}"})
    before = client.get("/api/v1/accounts/me/").status_code

    world.suspend(who)

    seen = dict.fromkeys(expected(API, Asker.ANONYMOUS), "401")
    blind = {request: expected(API, Asker.ANONYMOUS)[request] for request in BLIND}
    assert before == 200
    assert surprises(answered(client, world), seen | blind) == {}


@pytest.mark.parametrize("role", Role)
def test_revoked_role_gives_no_permissions(role: Role, world: World) -> None:
    client = world.client(Asker(role.value))

    services.revoke_role(user=world.person(role.value), role=role)

    follows_nobody = {
        "PUT /api/v1/channels/{owner}/follow/": "204",
        "DELETE /api/v1/channels/{owner}/follow/": "204-",
        "GET /api/v1/videos/{followed}/": "403",
        "PUT /api/v1/videos/{followed}/like/": "403",
        "POST /api/v1/videos/{followed}/views/": "403",
        "GET /api/v1/videos/{followed}/captions/": "403",
        "POST /api/v1/videos/{followed}/clips/": "403",
        "GET /api/v1/clips/{followed_clip}/": "403",
        "GET /api/v1/videos/{followed}/comments/": "404",
        "GET /api/v1/videos/{followed}/danmaku/": "404",
    }
    assert surprises(answered(client, world), expected(API, Asker.PERSON) | follows_nobody) == {}


def nameless(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


def test_every_endpoint_of_the_openapi_document_is_in_the_table() -> None:
    paths = SchemaGenerator().get_schema(public=True)["paths"]  # type: ignore[no-untyped-call]
    documented = {(method.upper(), nameless(path)) for path, methods in paths.items() for method in methods}

    tabled = {(row.method, nameless(row.target.partition("#")[0].replace("/en/", "/{}/"))) for row in API}

    assert tabled == documented


def test_every_route_below_the_api_is_in_the_table(world: World) -> None:
    below = {route for route in routes() if route.startswith("api/v1/")}
    # The router's second form of the same URLs, ``videos.json``.
    spelt_otherwise = {route for route in below if "(?P<format>" in route}

    tabled = {resolve(row.path(world.names)).route for row in API}

    assert tabled == below - spelt_otherwise
