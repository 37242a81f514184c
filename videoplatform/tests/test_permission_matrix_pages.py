"""Permissions of pages, fragments and playlists for each asker; the admin has its own table."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from live.services import edit_stream
from videoplatform.tests.askers import Asker, answers, expected, routes, surprises, table
from videoplatform.tests.world import VIDEO_PASSWORD, World, world

__all__ = ["world"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.storage]

PAGES = table("""
                                                      anonymous person owner moderator administrator suspended
# For everyone
GET     /healthz                                            200    200   200       200           200       200
GET     /                                                   200    200   200       200           200       200
GET     /search/?q=owner                                    200    200   200       200           200       200
GET     /live/                                              200    200   200       200           200       200
POST    /i18n/setlang/                                      302-   302   302       302           302      302-
GET     /api/schema/                                        200    200   200       200           200       200
GET     /api/docs/                                          200    200   200       200           200       200
GET     /robots.txt                                         200    200   200       200           200       200
GET     /sitemap.xml                                        200    200   200       200           200       200
GET     /sitemap-videos.xml                                 200    200   200       200           200       200
GET     /site.webmanifest                                   200    200   200       200           200       200

# Channels
GET     /@{owner}/                                          200    200   200       200           200       404
GET     /@{owner}/feed/                                     200    200   200       200           200       404
GET     /@{owner}/live/                                     200    200   200       200           200       404
HX-POST /@{owner}/follow/#follow                          login   200-  200-       200           200       404
HX-POST /@{owner}/follow/#unfollow                        login    200  200-      200-          200-       404

# Watching
GET     /watch/{public}/                                    200    200   200       200           200       404
GET     /watch/{unlisted}/                                  200    200   200       200           200       404
GET     /watch/{private}/                                   404    404   200       200           200       404
GET     /watch/{locked}/                                    403    403   200       200           200       404
GET     /watch/{followed}/                                  403    200   200       200           200       404
GET     /watch/{scheduled}/                                 404    404   200       200           200       404
GET     /watch/{premiere}/                                  200    200   200       200           200       404
GET     /watch/{public}/download/                           404    404   302       404           404       404
GET     /watch/{downloadable}/download/                     302    302   302       302           302       404
POST    /watch/{downloadable}/download/                    302-   302-  302-      302-          302-       404
POST    /watch/{private}/download/                          404    404  302-       404           404       404
POST    /watch/{locked}/unlock/                            302-   302-  302-      302-          302-       404
POST    /watch/{locked}/unlock/#wrong                       422    422  302-      302-          302-       404
POST    /watch/{followed}/unlock/                           403   302-  302-      302-          302-       404
POST    /watch/{private}/unlock/                            404    404  302-      302-          302-       404
GET     /watch/{uploading}/                                 404    404   200       200           200       404
GET     /watch/{failed}/                                    404    404   200       200           200       404
GET     /watch/{hidden}/                                    404    404   200       200           200       404
GET     /watch/{removed}/                                   404    404   404       200           200       404
GET     /embed/{public}/                                    200    200   200       200           200       404
GET     /embed/{unlisted}/                                  200    200   200       200           200       404
GET     /embed/{private}/                                   404    404   404       404           404       404
GET     /embed/{locked}/                                    404    404   404       404           404       404
GET     /embed/{followed}/                                  404    404   404       404           404       404
GET     /embed/{scheduled}/                                 404    404   404       404           404       404
GET     /embed/{premiere}/                                  404    404   404       404           404       404
GET     /embed/{private}/?token={frame_token}               200    200   200       200           200       404
GET     /embed/{locked}/?token={frame_token}                404    404   404       404           404       404
GET     /watch/{private}/?token={frame_token}               404    404   200       200           200       404
GET     /embed/{hidden}/                                    404    404   404       404           404       404
GET     /oembed/?url=http://testserver/watch/{public}/      200    200   200       200           200       404
GET     /oembed/?url=http://testserver/watch/{private}/     404    404   404       404           404       404
GET     /oembed/?url=http://testserver/watch/{locked}/      404    404   404       404           404       404
GET     /oembed/?url=http://testserver/watch/{followed}/    404    404   404       404           404       404
GET     /watch/{locked}/poster.jpg                          404    404   404       404           404       404
GET     /watch/{followed}/poster.jpg                        404    404   404       404           404       404
GET     /oembed/?url=http://testserver/watch/{premiere}/    404    404   404       404           404       404
GET     /watch/{premiere}/poster.jpg                        404    404   404       404           404       404
GET     /watch/{public}/poster.jpg                          404    404   404       404           404       404
GET     /watch/{private}/poster.jpg                         404    404   404       404           404       404
GET     /@{owner}/live/embed/                               200    200   200       200           200       404
GET     /@{owner}/live/poster.jpg                           404    404   404       404           404       404
GET     /oembed/?url=http://testserver/@{owner}/live/       200    200   200       200           200       404

# Clips: of the owner's videos, made by a guest; one of another's video, made by the owner
GET     /clips/{public_clip}/                               200    200   200       200           200       404
GET     /clips/{private_clip}/                              404    404   200       200           200       404
GET     /clips/{locked_clip}/                               302    302   200       200           200       404
GET     /clips/{followed_clip}/                             302    200   200       200           200       404
GET     /clips/{owners_clip}/                               200    200   200       200           200       404
GET     /clips/{orphaned_clip}/                             410    410   410       410           410       410
GET     /clips/{public_clip}/embed/                         200    200   200       200           200       404
GET     /clips/{private_clip}/embed/                        404    404   404       404           404       404
GET     /clips/{locked_clip}/embed/                         404    404   404       404           404       404
GET     /clips/{public_clip}/poster.jpg                     404    404   404       404           404       404
GET     /oembed/?url=http://testserver/clips/{public_clip}/  200   200   200       200           200       404
GET     /oembed/?url=http://testserver/clips/{private_clip}/ 404   404   404       404           404       404
GET     /clips/{public_clip}/hls/{public_key}/multivariant.m3u8    200  200 200    200           200       404
GET     /clips/{public_clip}/hls/{public_key}/720p.m3u8            200  200 200    200           200       404
GET     /clips/{private_clip}/hls/{private_key}/multivariant.m3u8  404  404 200    200           200       404
GET     /clips/{private_clip}/hls/{private_key}/720p.m3u8          404  404 200    200           200       404
GET     /clips/{private_clip}/hls/{public_key}/720p.m3u8           404  404 404    404           404       404
GET     /clips/{locked_clip}/hls/{locked_key}/720p.m3u8            404  404 200    200           200       404
GET     /clips/{followed_clip}/hls/{followed_key}/720p.m3u8        404  200 200    200           200       404
GET     /clips/{private_clip}/hls/{private_key}/en.vtt             404  404 404    404           404       404
GET     /clips/{public_clip}/delete/                      login    404   200       200           200     login
POST    /clips/{public_clip}/delete/                      login    404   302       302           302     login
POST    /clips/{private_clip}/delete/                     login    404   302       302           302     login
POST    /clips/{owners_clip}/delete/                      login    404   302       302           302     login
POST    /clips/{orphaned_clip}/delete/                    login    404   404       404           404     login
POST    /clips/{public_clip}/rename/                      login    404   404       404           404     login
POST    /clips/{owners_clip}/rename/                      login    404   302       404           404     login
GET     /watch/{public}/clips/                              200    200   200       200           200       404
GET     /watch/{private}/clips/                             404    404   200       200           200       404
GET     /watch/{locked}/clips/                              404    404   200       200           200       404
GET     /watch/{premiere}/clips/                            404    404   200       200           200       404
GET     /@{owner}/clips/                                    200    200   200       200           200       404
GET     /@{owner}/playlists/                                200    200   200       200           200       404
GET     /@{owner}/about/                                    200    200   200       200           200       404
GET     /studio/imports/                                  login    200   200       200           200     login
POST    /studio/imports/                                  login    302   302       302           302     login
GET     /studio/imports/{channel_import}/                 login    404   200       404           404     login
GET     /studio/imports/{channel_import}/?list            login    404   200       404           404     login
POST    /studio/imports/{channel_import}/start/           login    404  302-       404           404     login
POST    /studio/imports/{channel_import}/retry/           login    404   302       404           404     login
POST    /studio/imports/{channel_import}/delete/          login    404   302       404           404     login
POST    /studio/imports/{channel_import}/items/{import_item}/retry/ login 404 302- 404   404         login
POST    /studio/imports/{channel_import}/items/{import_item}/cancel/ login 404 302- 404   404         login
GET     /studio/clips/                                    login    200   200       200           200     login
GET     /studio/defaults/                                 login    200   200       200           200     login
POST    /studio/defaults/                                 login    422   422       422           422     login
GET     /report/clip/{public_clip}/                       login    200   200       200           200     login
GET     /report/clip/{private_clip}/                      login    404   200       200           200     login

# Playlists
GET     /videos/{public}/hls/{public_key}/multivariant.m3u8     200  200 200       200           200       404
GET     /videos/{public}/hls/{public_key}/720p.m3u8             200  200 200       200           200       404
GET     /videos/{unlisted}/hls/{unlisted_key}/720p.m3u8         200  200 200       200           200       404
GET     /videos/{private}/hls/{private_key}/multivariant.m3u8   404  404 200       200           200       404
GET     /videos/{private}/hls/{private_key}/720p.m3u8           404  404 200       200           200       404
GET     /videos/{private}/hls/{public_key}/720p.m3u8            404  404 404       404           404       404
GET     /videos/{locked}/hls/{locked_key}/multivariant.m3u8     404  404 200       200           200       404
GET     /videos/{locked}/hls/{locked_key}/720p.m3u8             404  404 200       200           200       404
GET     /videos/{followed}/hls/{followed_key}/multivariant.m3u8 404  200 200       200           200       404
GET     /videos/{followed}/hls/{followed_key}/720p.m3u8         404  200 200       200           200       404
GET     /videos/{public}/hls/{public_key}/720p/0.m4s            302  302 302       302           302     404
GET     /videos/{public}/hls/{public_key}/720p/init.mp4         302  302 302       302           302     404
GET     /videos/{private}/hls/{private_key}/720p/0.m4s          404  404 302       302           302     404
GET     /videos/{private}/hls/{private_key}/720p/init.mp4       404  404 302       302           302     404
GET     /videos/{removed}/hls/{removed_key}/720p/0.m4s          404  404 404       302           302     404
GET     /videos/{scheduled}/hls/{scheduled_key}/720p.m3u8       404  404 200       200           200       404
GET     /videos/{premiere}/hls/{premiere_key}/multivariant.m3u8 404  404 200       200           200       404
GET     /videos/{premiere}/hls/{premiere_key}/720p.m3u8         404  404 200       200           200       404
GET     /videos/{public}/hls/{public_key}/storyboard.vtt        200  200 200       200           200       404
GET     /videos/{private}/hls/{private_key}/storyboard.vtt      404  404 200       200           200       404
GET     /videos/{private}/hls/{private_key}/720p.m3u8?token={frame_token} 200 200 200 200 200 404
GET     /videos/{locked}/hls/{locked_key}/720p.m3u8?token={frame_token} 404 404 200 200 200 404
GET     /videos/{hidden}/hls/{hidden_key}/storyboard.vtt        404  404 200       200           200       404
GET     /videos/{locked}/hls/{locked_key}/storyboard.vtt        404  404 200       200           200       404
GET     /videos/{followed}/hls/{followed_key}/storyboard.vtt    404  200 200       200           200       404
GET     /videos/{hidden}/hls/{hidden_key}/720p.m3u8             404  404 200       200           200       404
GET     /videos/{removed}/hls/{removed_key}/multivariant.m3u8   404  404 404       200           200       404
GET     /videos/{removed}/hls/{removed_key}/720p.m3u8           404  404 404       200           200       404
GET     /live-dvr/{broadcast}/open/multivariant.m3u8            200  200 200       200           200       404
GET     /live-dvr/{broadcast}/open/r0.m3u8                      200  200 200       200           200       404
GET     /live-dvr/{broadcast}/{access_key}/r0.m3u8              404  404 404       404           404       404

# Talking
HX-GET  /watch/{public}/comments/                           200    200   200       200           200       404
HX-GET  /watch/{private}/comments/                          404    404   200       200           200       404
HX-GET  /watch/{locked}/comments/                           404    404   200       200           200       404
HX-GET  /watch/{followed}/comments/                         404    200   200       200           200       404
HX-POST /watch/{followed}/comments/                         404    200   200       200           200       404
HX-POST /watch/{public}/comments/                         login    200   200       200           200       404
HX-POST /watch/{private}/comments/                          404    404   200       200           200       404
HX-GET  /watch/{public}/comments/{comment}/                 200    200   200       200           200       404
HX-GET  /watch/{public}/comments/{comment}/?show=reply    login    200   200       200           200       404
HX-GET  /watch/{public}/comments/{own_comment}/?show=edit login    404   200       404           404       404
HX-GET  /watch/{public}/comments/{held_comment}/            404    404   200       200           200       404
HX-GET  /watch/{public}/comments/{hidden_comment}/          404    404   404       200           200       404
HX-GET  /watch/{private}/comments/{private_comment}/        404    404   200       200           200       404
HX-POST /watch/{public}/comments/{own_comment}/#edit      login    422   200       422           422       404
HX-POST /watch/{public}/comments/{comment}/#delete        login   204-   200       200           200       404
HX-POST /watch/{public}/comments/{comment}/#like          login    200   200       200           200       404
HX-POST /watch/{public}/comments/{comment}/#unlike        login   200-  200-      200-          200-       404
HX-POST /watch/{public}/comments/{comment}/#pin           login   204-   200      204-          204-       404
HX-POST /watch/{public}/comments/{comment}/#unpin         login   204-   200      204-          204-       404
HX-POST /watch/{public}/comments/{comment}/#heart         login   204-   200      204-          204-       404
HX-POST /watch/{public}/comments/{comment}/#unheart       login   204-   200      204-          204-       404
HX-POST /watch/{public}/comments/{held_comment}/#approve    404    404   200       200           200       404
HX-POST /watch/{public}/comments/{comment}/#hide          login   204-  204-       200           200       404
HX-POST /watch/{public}/comments/{hidden_comment}/#restore  404    404   404       200           200       404
HX-POST /watch/{private}/comments/{private_comment}/#delete 404    404   200       200           200       404
GET     /report/video/{public}/                           login    200   200       200           200     login
POST    /report/video/{public}/                           login    302   302       302           302     login
GET     /report/video/{private}/                          login    404   200       200           200     login
POST    /report/video/{private}/                          login    404   302       302           302     login
GET     /report/video/{locked}/                           login    404   200       200           200     login
GET     /report/video/{followed}/                         login    200   200       200           200     login
GET     /report/comment/{locked_comment}/                 login    404   200       200           200     login
GET     /report/danmaku/{locked_danmaku}/                 login    404   200       200           200     login
GET     /report/chat_message/{message}/                   login    200   200       200           200     login

# The studio: one's own, whatever one's role
GET     /upload/                                          login    200   200       200           200     login
GET     /upload/import/                                   login    200   200       200           200     login
POST    /upload/import/                                   login    302   302       302           302     login
GET     /studio/                                          login    200   200       200           200     login
GET     /studio/{public}/                                 login    404   200       404           404     login
POST    /studio/{public}/                                 login    404   302       404           404     login
GET     /studio/{private}/                                login    404   200       404           404     login
POST    /studio/{private}/                                login    404   302       404           404     login
GET     /studio/{removed}/                                login    404   404       404           404     login
POST    /studio/{public}/poster/                          login    404   302       404           404     login
POST    /studio/{private}/poster/                         login    404   302       404           404     login
POST    /studio/{public}/captions/                        login    404   302       404           404     login
POST    /studio/{public}/captions/en/remove/              login    404   302       404           404     login
GET     /studio/{public}/captions/en/edit/                login    404   200       404           404     login
GET     /studio/{public}/captions/new/                    login    302   302       302           302     login
POST    /studio/{public}/transcription/                   login    404   302-      404           404     login
POST    /studio/{public}/transcription/cancel/            login    404   302       404           404     login
GET     /studio/{public}/delete/                          login    404   200       404           404     login
POST    /studio/{public}/delete/                          login    404   302       404           404     login
POST    /studio/{private}/delete/                         login    404   302       404           404     login
GET     /studio/{public}/audio/                           login    404   200       404           404     login
GET     /studio/{private}/audio/                          login    404   200       404           404     login
POST    /studio/{public}/audio/{track}/                   login    404   302       404           404     login
POST    /studio/{public}/audio/{track}/remove/            login    404   302       404           404     login
POST    /studio/{private}/audio/{track}/                  login    404   404       404           404     login
POST    /studio/{removed}/delete/                         login    404   404       404           404     login
GET     /studio/{public}/jobs/                            login    404   200       404           404     login
GET     /studio/{public}/jobs/?list                       login    404   200       404           404     login
POST    /studio/{public}/jobs/{hopeless_job}/retry/       login    404   302       404           404     login
POST    /studio/{private}/jobs/{hopeless_job}/retry/      login    404   404       404           404     login
POST    /studio/{public}/jobs/{waiting_job}/cancel/       login    404   302       404           404     login
POST    /studio/{private}/jobs/{waiting_job}/cancel/      login    404   404       404           404     login
GET     /studio/{private}/tokens/                         login    404   200       404           404     login
POST    /studio/{private}/tokens/                         login    404   200       404           404     login
POST    /studio/{private}/tokens/{playback_token}/revoke/ login    404   302       404           404     login
POST    /studio/{public}/tokens/{playback_token}/revoke/  login    404   404       404           404     login
POST    /studio/{failed}/retry/                           login    404   302       404           404     login
GET     /studio/{public}/trim/                            login    404   200       404           404     login
GET     /studio/{private}/trim/                           login    404   200       404           404     login
GET     /studio/{removed}/trim/                           login    404   404       404           404     login
POST    /studio/{public}/trim/restore/                    login    404   302-      404           404     login
POST    /studio/{private}/trim/restore/                   login    404   302-      404           404     login
GET     /studio/{private}/file/                           login    404   200       404           404     login
GET     /studio/{removed}/file/                           login    404   404       404           404     login
POST    /studio/{private}/file/reencode/                  login    404   302       404           404     login
POST    /studio/{removed}/file/reencode/                  login    404   404       404           404     login
POST    /studio/{private}/file/import/                    login    404   302       404           404     login
POST    /studio/{public}/file/retry/                      login    404   422       404           404     login
POST    /studio/{public}/file/cancel/                     login    404   422       404           404     login

# Going live: everyone on their own stream, of which the owner's alone is on air and has a key
GET     /studio/live/                                     login    200   200       200           200     login
POST    /studio/live/                                     login    302   302       302           302     login
POST    /studio/live/key/                                 login    200   200       200           200     login
GET     /studio/live/key/revoke/                          login    200   200       200           200     login
POST    /studio/live/key/revoke/                          login    302   302       302           302     login
GET     /studio/live/end/                                 login    200   200       200           200     login
POST    /studio/live/end/                                 login   302-   302      302-          302-     login

# Oneself
GET     /accounts/settings/                               login    200   200       200           200     login
POST    /accounts/settings/                               login    302   302       302           302     login
POST    /accounts/settings/tokens/create/                 login   302-  302-      302-          302-     login
POST    /accounts/settings/tokens/revoke/                 login   302-   302      302-          302-     login
GET     /playlists/                                       login    200   200       200           200     login
GET     /playlists/later/                                 login    302   302       302           302     login
GET     /playlists/{playlist}/                              200    200   200       200           200       404
GET     /playlists/{private_playlist}/                      404    404   200       200           200       404
GET     /playlists/{playlist}/feed/                         200    200   200       200           200       404
GET     /playlists/{private_playlist}/feed/                 404    404   404       404           404       404
POST    /playlists/                                       login    302   302       302           302     login
POST    /playlists/{playlist}/edit/                       login    404   302       404           404     login
POST    /playlists/{playlist}/{public}/move/              login    404   302       404           404     login
POST    /playlists/{playlist}/{public}/remove/            login    404   302       404           404     login
POST    /playlists/{playlist}/delete/                     login    404   302       404           404     login
GET     /watch/{public}/save/                             login    200   200       200           200     login
GET     /watch/{private}/save/                            login    404   200       200           200     login
POST    /watch/{public}/save/                             login    200   200       200           200     login
POST    /watch/{private}/save/                            login    404   200       200           200     login
GET     /report/playlist/{playlist}/                      login    200   200       200           200     login
GET     /report/playlist/{private_playlist}/              login    404   200       200           200     login
GET     /watch/{public}/actions/                            200    200   200       200           200       404
GET     /watch/{private}/actions/                           404    404   200       200           200       404
GET     /watch/{locked}/actions/                            404    404   200       200           200       404
POST    /watch/{public}/dismiss/                          login    302   302       302           302     login
POST    /watch/{private}/dismiss/                         login    404   302       302           302     login
GET     /not-interested/                                  login    200   200       200           200     login
POST    /not-interested/clear/                            login   302-  302-      302-          302-     login
GET     /following/                                       login    200   200       200           200     login
GET     /history/                                         login    200   200       200           200     login
POST    /history/pause/                                   login    302   302       302           302     login
POST    /history/{private}/forget/                        login   302-  302-      302-          302-     login
POST    /history/clear/                                   login   302-  302-      302-          302-     login
GET     /notifications/                                   login    200   200       200           200     login
POST    /notifications/                                   login   302-   302      302-          302-     login
GET     /notifications/recent/                            login    200   200       200           200     login

# Signing in and its relatives
GET     /accounts/login/                                    200    302   302       302           302       200
GET     /accounts/signup/                                   200    302   302       302           302       200
GET     /accounts/inactive/                                 200    200   200       200           200       200
GET     /accounts/logout/                                   302    200   200       200           200       302
GET     /accounts/reauthenticate/                         login    200   200       200           200     login
GET     /accounts/email/                                  login    200   200       200           200     login
GET     /accounts/confirm-email/                            200    200   200       200           200       200
GET     /accounts/confirm-email/no-such-key/                200    200   200       200           200       200
GET     /accounts/password/change/                        login    200   200       200           200     login
GET     /accounts/password/set/                           login    302   302       302           302     login
GET     /accounts/password/reset/                           200    200   200       200           200       200
GET     /accounts/password/reset/done/                      200    200   200       200           200       200
GET     /accounts/password/reset/key/1-no-such-key/         200    200   200       200           200       200
GET     /accounts/password/reset/key/done/                  200    200   200       200           200       200
GET     /accounts/login/code/confirm/                     login    302   302       302           302     login
GET     /accounts/2fa/                                    login    200   200       200           200     login
GET     /accounts/2fa/authenticate/                       login    302   302       302           302     login
GET     /accounts/2fa/reauthenticate/                     login    302   302       302           302     login
GET     /accounts/2fa/totp/activate/                      login    302   302       302           302     login
GET     /accounts/2fa/totp/deactivate/                    login    404   404       404           404     login
GET     /accounts/2fa/recovery-codes/                     login    404   404       404           404     login
GET     /accounts/2fa/recovery-codes/generate/            login    302   302       302           302     login
GET     /accounts/2fa/recovery-codes/download/            login    404   404       404           404     login
""")

# The same stream after it became private. Its recording is private as well, except with the
# access key.
PRIVATE_STREAM = table("""
                                                      anonymous person owner moderator administrator suspended
GET     /@{owner}/                                          200    200   200       200           200       404
GET     /@{owner}/live/                                     404    404   200       200           200       404
GET     /@{owner}/live/embed/                               404    404   404       404           404       404
GET     /@{owner}/live/poster.jpg                           404    404   404       404           404       404
GET     /oembed/?url=http://testserver/@{owner}/live/       404    404   404       404           404       404
GET     /live-dvr/{broadcast}/open/multivariant.m3u8        404    404   404       404           404       404
GET     /live-dvr/{broadcast}/open/r0.m3u8                  404    404   404       404           404       404
GET     /live-dvr/{broadcast}/{access_key}/r0.m3u8          200    200   200       200           200       404
GET     /report/chat_message/{message}/                   login    404   200       200           200     login
GET     /report/broadcast/{broadcast}/                    login    404   200       200           200     login
""")

# It depends on servers and workers that do not run in tests.
ELSEWHERE = {"readyz"}

VTT = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
VIDEO = {"title": "Changed", "category": "other", "visibility": "unlisted", "comments_mode": "open"}
A_COMMENT = "HX-POST /watch/{public}/comments/"
BODIES: dict[str, dict[str, Any]] = {
    "POST /studio/{public}/audio/{track}/": {
        "track-1-language": "en",
        "track-1-role": "commentary",
        "track-1-name": "Director",
    },
    "POST /i18n/setlang/": {"language": "en"},
    "HX-POST /@{owner}/follow/#follow": {"following": "true"},
    "HX-POST /@{owner}/follow/#unfollow": {"following": "false"},
    A_COMMENT: {"text": "For everyone"},
    "HX-POST /watch/{private}/comments/": {"text": "For few"},
    "HX-POST /watch/{followed}/comments/": {"text": "For followers"},
    "POST /watch/{locked}/unlock/": {"password": VIDEO_PASSWORD},
    "POST /watch/{locked}/unlock/#wrong": {"password": "bridges"},
    "POST /watch/{followed}/unlock/": {"password": VIDEO_PASSWORD},
    "POST /watch/{private}/unlock/": {"password": VIDEO_PASSWORD},
    f"{A_COMMENT}{{own_comment}}/#edit": {"do": "edit", "text": "Other words"},
    **{
        f"{A_COMMENT}{{comment}}/#{do}": {"do": do}
        for do in ("delete", "like", "unlike", "pin", "unpin", "heart", "unheart", "hide")
    },
    f"{A_COMMENT}{{held_comment}}/#approve": {"do": "approve"},
    f"{A_COMMENT}{{hidden_comment}}/#restore": {"do": "restore"},
    "HX-POST /watch/{private}/comments/{private_comment}/#delete": {"do": "delete"},
    "POST /clips/{owners_clip}/rename/": {"title": "Changed"},
    "POST /playlists/": {"title": "Made", "visibility": "private"},
    "POST /playlists/{playlist}/edit/": {"title": "Changed", "visibility": "private"},
    "POST /watch/{public}/save/": {"title": "Made"},
    "POST /watch/{private}/save/": {"title": "Made"},
    "POST /clips/{public_clip}/rename/": {"title": "Changed"},
    "POST /report/video/{public}/": {"reason": "spam"},
    "POST /report/video/{private}/": {"reason": "spam"},
    "POST /studio/{public}/": VIDEO,
    "POST /studio/imports/": {"address": "walks@video.example"},
    "POST /upload/import/": {"url": "https://example.org/film.mp4"},
    "POST /studio/{private}/file/import/": {"url": "https://example.org/film.mp4"},
    "POST /studio/{private}/": VIDEO,
    "POST /studio/{private}/tokens/": {"domains": "example.org", "days": "7"},
    "POST /studio/{public}/poster/": {"choice": "0"},
    "POST /studio/{private}/poster/": {"choice": "0"},
    "POST /studio/{public}/captions/": {"language": "de", "file": VTT},
    "POST /studio/live/": {"title": "Changed", "category": "other", "visibility": "public", "latency": "low"},
    "POST /accounts/settings/": {"display_name": "Changed", "bio": ""},
    "POST /accounts/settings/tokens/revoke/": {"digest": "{token_digest}"},
}


def answered(client: Client, world: World, rows: Any = PAGES) -> dict[str, str]:
    return answers(client, rows, world.names, BODIES, frozenset(world.secrets))


@pytest.mark.slow
@pytest.mark.any_database
def test_pages_answer_according_to_the_table(world: World) -> None:
    for asker in Asker:
        assert surprises(answered(world.client(asker), world), expected(PAGES, asker)) == {}, asker


def test_private_stream_answers_according_to_the_table(world: World) -> None:
    edit_stream(world.rows["stream"], visibility="private")

    for asker in Asker:
        answers = answered(world.client(asker), world, PRIVATE_STREAM)
        assert surprises(answers, expected(PRIVATE_STREAM, asker)) == {}, asker


@pytest.mark.slow
def test_suspended_person_gets_the_pages_of_anonymous_people(world: World) -> None:
    client = world.client(Asker.PERSON)

    world.suspend("person")

    assert surprises(answered(client, world), expected(PAGES, Asker.ANONYMOUS)) == {}


@pytest.mark.parametrize("who", ["owner", "moderator"])
def test_token_opens_playlists_until_suspension(who: str, world: World) -> None:
    client = Client(headers={"Authorization": f"Token {world.token_of(who)}"})
    address = "/videos/{private}/hls/{private_key}/720p.m3u8".format(**world.names)

    before = client.get(address).status_code
    world.suspend(who)

    assert (before, client.get(address).status_code) == (200, 404)


def test_every_route_of_the_site_is_in_the_table(world: World) -> None:
    elsewhere = {route for route in routes() if route.startswith(("admin/", "api/v1/"))} | ELSEWHERE

    rows = [row for row in PAGES if row.target != "/healthz"]  # answered by middleware, before any route
    tabled = {resolve(row.path(world.names).partition("?")[0]).route for row in rows}

    assert tabled == routes() - elsewhere
