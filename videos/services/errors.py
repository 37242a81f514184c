"""Refusals of requests for videos, uploads and captions."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from common.errors import Refusal

# Trouble that passes: clients try again after this time.
RETRY_AFTER_S = 30


class UploadTooLarge(Refusal):
    code = "limits_exceeded"
    sentence = _("This file is too large.")


class TooManyUploads(Refusal):
    code = "too_many_uploads"
    status = 429
    retry_after_s = RETRY_AFTER_S
    sentence = _("You have too many unfinished uploads. Finish or cancel one first.")


class EnoughForToday(Refusal):
    code = "daily_limit"
    status = 429
    retry_after_s = RETRY_AFTER_S
    sentence = _("You have reached the daily upload limit. Try again tomorrow.")


class MayNotUpload(Refusal):
    code = "timed_out"
    status = 403
    sentence = _("Your account is restricted by moderators. You cannot upload at the moment.")


class NotUploading(Refusal):
    code = "not_uploading"
    status = 409
    sentence = _("This upload has already ended.")


class PartsMissing(Refusal):
    code = "parts_missing"
    status = 400
    sentence = _("Parts of the file are missing. Send them and complete the upload again.")


class WrongSize(Refusal):
    code = "wrong_size"
    status = 409
    sentence = _("The file size does not match the announced size. Upload the file again.")


class NoRoomLeft(Refusal):
    code = "storage_limit"
    status = 409
    sentence = _("Your storage is full. Delete some videos first.")


class StorageFull(Refusal):
    code = "storage_full"
    status = 503
    retry_after_s = RETRY_AFTER_S
    sentence = _("The server has no space for this file. Contact the site administrators.")


class StorageUnavailable(Refusal):
    code = "storage_failed"
    status = 503
    retry_after_s = RETRY_AFTER_S
    sentence = _("Storage is unavailable. Nothing is lost. Try again in a moment.")


class CannotRetry(Refusal):
    code = "cannot_retry"
    status = 409
    sentence = _("Only failed videos can be retried.")


class CannotRetryJob(Refusal):
    code = "cannot_retry_job"
    status = 409
    sentence = _("This step cannot be tried again now.")


class CannotCancelJob(Refusal):
    code = "cannot_cancel_job"
    status = 409
    sentence = _("This step cannot be canceled now.")


class CannotCancel(Refusal):
    code = "cannot_cancel"
    status = 409
    sentence = _("Only a running encode can be stopped.")


class NoOriginal(Refusal):
    code = "no_original"
    status = 409
    sentence = _("The original file of this video is not stored.")


class NotReadyYet(Refusal):
    code = "not_ready"
    status = 409
    sentence = _("Wait until the video is ready.")


class EditionRuns(Refusal):
    code = "edition_runs"
    status = 409
    sentence = _("A new version of this video is already being made. Wait for it, or cancel it first.")


class VersionChanged(Refusal):
    code = "version_changed"
    status = 409
    sentence = _("This video got a new version meanwhile. Reload the page and try again.")


class CannotTrim(Refusal):
    code = "cannot_trim"
    status = 409
    sentence = _("Replays of broadcasts cannot be trimmed.")


class UnderModeration(Refusal):
    code = "under_moderation"
    status = 409
    sentence = _("Moderators have hidden this video. It cannot be trimmed until they show it again.")


class BadParts(Refusal):
    code = "invalid_parts"
    attr = "parts"
    sentence = _("Choose parts in order that lie within the video and are at least a second long in all.")


class NothingCut(Refusal):
    code = "nothing_cut"
    attr = "parts"
    sentence = _("Choose something to cut.")


class TooManyTrims(Refusal):
    code = "too_many_trims"
    status = 409
    sentence = _("This video was trimmed too often. Restore the original first.")


class IsTrimmed(Refusal):
    code = "trimmed"
    status = 409
    sentence = _("This video is trimmed. Restore the original first.")


class NotTrimmed(Refusal):
    code = "not_trimmed"
    status = 409
    sentence = _("This video is not trimmed.")


class NoEdition(Refusal):
    code = "no_edition"
    status = 404
    sentence = _("No new version of this video is being made.")


class BadMoment(Refusal):
    code = "bad_moment"
    attr = "publish_at"
    sentence = _("Choose a time in the future, within two years.")


class NoDownload(Refusal):
    code = "no_download"
    status = 403
    sentence = _("This video cannot be downloaded.")


class Mp4TooLarge(Refusal):
    code = "limits_exceeded"
    status = 409
    sentence = _("This video is too large for a download as MP4.")


class TooManyMp4s(Refusal):
    code = "busy"
    status = 503
    retry_after_s = RETRY_AFTER_S
    sentence = _("Too many downloads are being prepared. Try again in a moment.")


class ClipsRefused(Refusal):
    code = "clips_refused"
    status = 403
    sentence = _("The owner of this video does not allow you to make clips of it.")


class MayNotClip(Refusal):
    code = "timed_out"
    status = 403
    sentence = _("Your account is restricted by moderators. You cannot make clips at the moment.")


class BadClipTimes(Refusal):
    code = "bad_times"
    sentence = _("Choose 5 seconds to 3 minutes within the video.")


class NotEncodedYet(Refusal):
    code = "not_encoded_yet"
    status = 409
    sentence = _("This part of the video is still processing. Choose an earlier one, or try again later.")


class TooManyClips(Refusal):
    code = "too_many_clips"
    status = 409
    sentence = _("You have made the maximum number of clips of this video. Delete one first.")


class ClipGone(Refusal):
    code = "gone"
    status = 410
    sentence = _("The video of this clip was deleted.")


class BadUrl(Refusal):
    code = "bad_url"
    attr = "url"
    sentence = _("Enter the link of a video file that begins with http:// or https://.")


class TooManyImports(Refusal):
    code = "too_many_imports"
    status = 429
    retry_after_s = RETRY_AFTER_S
    sentence = _("You have too many unfinished imports. Wait for one to finish.")


class UnknownSite(Refusal):
    code = "unknown_site"
    attr = "address"
    sentence = _(
        "Enter the link of a PeerTube channel, a PeerTube export (.zip) or a MediaCMS user, "
        "such as https://example.org/c/name."
    )


class TooManyLists(Refusal):
    code = "too_many_lists"
    status = 429
    retry_after_s = RETRY_AFTER_S
    sentence = _("You have too many channel imports. Delete an old one first.")


class NotListedYet(Refusal):
    code = "not_listed_yet"
    status = 409
    sentence = _("The list of this channel is not complete yet.")


class ArchiveExpired(Refusal):
    code = "archive_expired"
    status = 410
    sentence = _("This archive has expired. Import it again.")


class NothingChosen(Refusal):
    code = "nothing_chosen"
    attr = "items"
    sentence = _("Select at least one video.")


class BadDomain(Refusal):
    code = "bad_domain"
    attr = "domains"
    sentence = _("Enter 1 to 20 domains, such as example.org or *.example.org.")


class BadExpiry(Refusal):
    code = "bad_moment"
    attr = "expires_at"
    sentence = _("Choose a time in the future, within two years.")


class TooManyPlaybackTokens(Refusal):
    code = "too_many_tokens"
    status = 409
    sentence = _("This video has the maximum number of playback tokens. Revoke one first.")


class PasswordMissing(Refusal):
    code = "password_missing"
    attr = "password"
    sentence = _("Enter a password for this video.")


class PasswordRequired(Refusal):
    code = "password_required"
    status = 403
    sentence = _("This video is protected by a password.")


class FollowersOnly(Refusal):
    code = "followers_only"
    status = 403
    sentence = _("Only followers of this channel can watch this video.")


class NotLocked(Refusal):
    code = "not_locked"
    status = 409
    sentence = _("This video needs no password.")


class WrongPassword(Refusal):
    code = "wrong_password"
    attr = "password"
    sentence = _("Wrong password. Try again.")


class TooManyPasswords(Refusal):
    code = "too_many_attempts"
    status = 429
    retry_after_s = RETRY_AFTER_S
    sentence = _("Too many wrong passwords. Try again later.")


class UnknownLanguage(Refusal):
    code = "unknown_language"
    sentence = _("This is not a valid language tag, such as en or zh-Hans.")


class PosterUnreadable(Refusal):
    code = "invalid_image"
    sentence = _("Cannot read this image. Save it as JPEG or PNG and try again.")


class PosterTooLarge(Refusal):
    code = "too_large"
    sentence = _("This image is larger than 5 MB. Choose a smaller one.")


class PostersBusy(Refusal):
    code = "busy"
    status = 503
    retry_after_s = RETRY_AFTER_S
    sentence = _("Too many image uploads right now. Try again in a minute.")


class NoSuchPoster(Refusal):
    code = "no_such_choice"
    sentence = _("This picture is no longer offered. Reload the page and choose another one.")


class CaptionsTooLarge(Refusal):
    code = "limits_exceeded"
    sentence = _("This file is too large for captions.")


class CaptionsUnreadable(Refusal):
    code = "captions_unreadable"
    sentence = _("No captions found in this file. Export it as WebVTT or SRT and try again.")


class CaptionsBusy(Refusal):
    code = "busy"
    status = 503
    retry_after_s = RETRY_AFTER_S
    sentence = _("Too many caption uploads right now. Try again in a moment.")


class TooManyCaptions(Refusal):
    code = "too_many_captions"
    status = 409
    sentence = _("This video has the maximum number of caption languages.")


class CaptionsChanged(Refusal):
    code = "captions_changed"
    status = 409
    sentence = _("These captions were changed elsewhere. Your changes are kept on this device.")


class NoPicture(Refusal):
    code = "no_picture"
    status = 409
    sentence = _("Audio tracks can be added to videos only.")


class TooManyTracks(Refusal):
    code = "too_many_tracks"
    status = 409
    sentence = _("This video has the maximum number of added audio tracks.")


class NoTrack(Refusal):
    code = "not_found"
    status = 404
    sentence = _("This video has no added audio track with this name.")


class NoCaptions(Refusal):
    code = "not_found"
    status = 404
    sentence = _("This video has no captions in this language.")


class TranscriptionOff(Refusal):
    code = "transcription_off"
    status = 409
    sentence = _(
        "Automatic captions are not set up on this site. "
        "An administrator sets CAPTIONS_MODEL and installs requirements-captions.txt."
    )


class UnheardLanguage(Refusal):
    code = "unknown_language"
    sentence = _("Automatic captions do not know this language.")


class CannotTranscribe(Refusal):
    code = "cannot_transcribe"
    status = 409
    sentence = _("Automatic captions need a video that is ready or being processed.")


class TranscriptionRuns(Refusal):
    code = "transcription_runs"
    status = 409
    sentence = _("Automatic captions are already being created.")


class NothingToCancel(Refusal):
    code = "nothing_to_cancel"
    status = 409
    sentence = _("No automatic captions are being created.")


class NoTranscription(Refusal):
    code = "not_found"
    status = 404
    sentence = _("Automatic captions were not requested for this video.")


class MayNotMakePlaylists(Refusal):
    code = "timed_out"
    status = 403
    sentence = _("Your account is restricted by moderators. You cannot make playlists at the moment.")


class PlaylistNameless(Refusal):
    code = "title_missing"
    attr = "title"
    sentence = _("Give the playlist a title.")


class TooManyPlaylists(Refusal):
    code = "too_many_playlists"
    status = 409
    sentence = _("You have made the maximum number of playlists. Delete one first.")


class PlaylistFull(Refusal):
    code = "playlist_full"
    status = 409
    sentence = _("This playlist is full. Remove a video first.")


class VideoNotThere(Refusal):
    code = "video_not_found"
    status = 404
    sentence = _("Video not found.")


class NotInPlaylist(Refusal):
    code = "not_in_playlist"
    status = 404
    sentence = _("This video is not in the playlist any more. Reload the page.")
