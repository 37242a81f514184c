"""Errors of requests: the API answers ``code`` and the sentence, a page shows the sentence."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.errors import EmailNotConfirmed


class ServiceError(Exception):
    """Base of errors that the person can correct, or that pass with time."""

    code = "invalid"
    status = 400
    sentence = _("Something went wrong.")

    def __init__(self, sentence: str | None = None, *, attr: str | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.detail = sentence or str(self.sentence)
        self.attr = attr


class UploadTooLarge(ServiceError):
    code = "limits_exceeded"
    sentence = _("This file is too large.")


class TooManyUploads(ServiceError):
    code = "too_many_uploads"
    status = 429
    sentence = _("You have too many unfinished uploads. Finish or cancel one first.")


class EnoughForToday(ServiceError):
    code = "daily_limit"
    status = 429
    sentence = _("You have reached the daily upload limit. Try again tomorrow.")


class CreatorNotConfirmed(ServiceError):
    code = EmailNotConfirmed.code
    status = 403
    sentence = EmailNotConfirmed.sentence


class MayNotUpload(ServiceError):
    code = "timed_out"
    status = 403
    sentence = _("Your account is restricted by moderators. You cannot upload at the moment.")


class NotUploading(ServiceError):
    code = "not_uploading"
    status = 409
    sentence = _("This upload has already ended.")


class PartsMissing(ServiceError):
    code = "parts_missing"
    status = 400
    sentence = _("Parts of the file are missing. Send them and complete the upload again.")


class WrongSize(ServiceError):
    code = "wrong_size"
    status = 409
    sentence = _("The file size does not match the announced size. Upload the file again.")


class NoRoomLeft(ServiceError):
    code = "storage_limit"
    status = 409
    sentence = _("Your storage is full. Delete some videos first.")


class StorageFull(ServiceError):
    code = "storage_full"
    status = 503
    sentence = _("The server has no space for this file. Contact the site administrators.")


class StorageUnavailable(ServiceError):
    code = "storage_failed"
    status = 503
    sentence = _("Storage is unavailable. Nothing is lost. Try again in a moment.")


class CannotRetry(ServiceError):
    code = "cannot_retry"
    status = 409
    sentence = _("Only failed videos can be retried.")


class CannotCancel(ServiceError):
    code = "cannot_cancel"
    status = 409
    sentence = _("Only a running encode can be stopped.")


class UnknownLanguage(ServiceError):
    code = "unknown_language"
    sentence = _("This is not a valid language tag, such as en or zh-Hans.")


class CaptionsTooLarge(ServiceError):
    code = "limits_exceeded"
    sentence = _("This file is too large for captions.")


class CaptionsUnreadable(ServiceError):
    code = "captions_unreadable"
    sentence = _("No captions found in this file. Export it as WebVTT or SRT and try again.")


class CaptionsBusy(ServiceError):
    code = "busy"
    status = 503
    sentence = _("Too many caption uploads right now. Try again in a moment.")


class TooManyCaptions(ServiceError):
    code = "too_many_captions"
    status = 409
    sentence = _("This video has the maximum number of caption languages.")


class NoCaptions(ServiceError):
    code = "not_found"
    status = 404
    sentence = _("This video has no captions in this language.")
