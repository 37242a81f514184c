"""What can be wrong with a request; the API answers ``code`` and the sentence, a page shows the sentence."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _


class ServiceError(Exception):
    """Base: something the person can put right, or has to wait for."""

    code = "invalid"
    status = 400
    sentence = _("That did not work.")

    def __init__(self, sentence: str | None = None, *, attr: str | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.detail = sentence or str(self.sentence)
        self.attr = attr


class UploadTooLarge(ServiceError):
    code = "limits_exceeded"
    sentence = _("This file is larger than we accept.")


class TooManyUploads(ServiceError):
    code = "too_many_uploads"
    status = 429
    sentence = _("You have many uploads open. Finish or cancel one of them first.")


class EnoughForToday(ServiceError):
    code = "daily_limit"
    status = 429
    sentence = _("You have uploaded as much as one may in a day. Please go on tomorrow.")


class MayNotUpload(ServiceError):
    code = "timed_out"
    status = 403
    sentence = _("Moderators have paused your account: you may not upload for now.")


class NotUploading(ServiceError):
    code = "not_uploading"
    status = 409
    sentence = _("This upload has already ended.")


class PartsMissing(ServiceError):
    code = "parts_missing"
    status = 400
    sentence = _("Parts of the file have not arrived. Send them and complete the upload again.")


class StorageUnavailable(ServiceError):
    code = "storage_failed"
    status = 503
    sentence = _("The storage does not answer. Nothing is lost: please try again in a moment.")


class CannotRetry(ServiceError):
    code = "cannot_retry"
    status = 409
    sentence = _("Only a video that failed can be tried again.")


class CannotCancel(ServiceError):
    code = "cannot_cancel"
    status = 409
    sentence = _("Only an encode that is under way can be stopped.")


class UnknownLanguage(ServiceError):
    code = "unknown_language"
    sentence = _("This is not the tag of a language, such as en or zh-Hans.")


class CaptionsTooLarge(ServiceError):
    code = "limits_exceeded"
    sentence = _("This file is larger than captions are.")


class CaptionsUnreadable(ServiceError):
    code = "captions_unreadable"
    sentence = _("We found no captions in this file. Export it as WebVTT or SRT and try again.")


class TooManyCaptions(ServiceError):
    code = "too_many_captions"
    status = 409
    sentence = _("This video has captions in as many languages as we keep.")


class NoCaptions(ServiceError):
    code = "not_found"
    status = 404
    sentence = _("There are no captions in this language.")
