"""Errors between an upload and its segments, each with a sentence that its owner can act on."""

from __future__ import annotations

from typing import ClassVar


class TranscodeError(Exception):
    """Base class of all transcoding errors.

    ``code`` is the contract's failure code.  ``parameters`` are JSON values that tell this
    failure from others of its code.  ``retryable`` says whether the same work may succeed on
    another try.  ``sentence`` is for readers of the code: the owner's sentences are translated
    in ``videos.models`` and ``videos.failures``.  ``reason`` is for the log: short, technical,
    never a URL.
    """

    code: ClassVar[str] = "encode_failed"
    retryable: ClassVar[bool] = False
    sentence: ClassVar[str] = "The video could not be converted. Upload it again."

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or self.code)
        self.reason = reason
        self.parameters: dict[str, str | float] = {}


class EmptyFile(TranscodeError):
    """A file of 0 bytes."""

    code = "empty_file"
    sentence = "This file is empty. Select it again and repeat the upload."


class NotMedia(TranscodeError):
    """An unknown container, or one with an unreadable header."""

    code = "not_media"
    sentence = "This is not a supported video or audio file. Export it as MP4 and try again."


class NoStreams(TranscodeError):
    """A container with neither a video nor an audio track."""

    code = "no_streams"
    sentence = "This file contains no readable video or audio. Export it as MP4 and try again."


class UnsupportedCodec(TranscodeError):
    """A video or audio track in a codec outside our allow list."""

    code = "unsupported_codec"
    sentence = "The format of this video is not supported. Export it as H.264 MP4 and try again."


class Encrypted(TranscodeError):
    """A source protected by DRM or by another key that we do not hold."""

    code = "encrypted"
    sentence = "This video is copy-protected. Upload an unprotected copy."


class LimitsExceeded(TranscodeError):
    """A source larger, longer, faster or busier than ``Limits`` allows.

    ``limit`` names the limit: size_bytes, duration_s, picture, frame_rate, tracks or
    reading_time; ``most`` is its value.
    """

    code = "limits_exceeded"
    sentence = "This video is too large or too long. Upload a smaller version."

    def __init__(self, reason: str = "", *, limit: str = "", most: float = 0) -> None:
        super().__init__(reason)
        if limit:
            self.parameters = {"limit": limit, "most": most}


class ReferencesOutside(TranscodeError):
    """A playlist or manifest, which points at other files instead of being media."""

    code = "references_outside"
    sentence = "This file only links to other files. Upload the video file itself."


class DecodeFailed(TranscodeError):
    """A source with a readable header of which nothing, or too little, decodes."""

    code = "decode_failed"
    sentence = "The video or audio in this file is damaged. Export it again and upload the new file."


class StorageFailed(TranscodeError):
    """A source that could not be fetched just now."""

    code = "storage_failed"
    retryable = True
    sentence = "Your upload could not be read from storage. The conversion will be retried automatically."


class SourceGone(TranscodeError):
    """A source that does not exist in storage, although storage answers."""

    code = "storage_failed"
    sentence = "The video could not be stored. Upload it again."


class NoRoomToStore(TranscodeError):
    """A file without room: on the ``disk``, in the owner's ``day``, or in their storage (``kept``)."""

    code = "storage_failed"
    sentence = "There is no room for this file. Delete some videos and try again."

    def __init__(self, limit: str) -> None:
        super().__init__(f"no room: {limit}")
        self.parameters = {"limit": limit}


class FetchFailed(TranscodeError):
    """An import whose file could not be fetched just now."""

    code = "import_failed"
    retryable = True
    sentence = "The file could not be fetched from its address. Check the link, or upload the file."


class FetchRefused(FetchFailed):
    """An import from an address that is not public, whose server refuses, or without a video.

    ``page`` says why a page of another site gave no video: a key of ``videos.failures.OF_PAGE``.
    """

    retryable = False

    def __init__(self, reason: str = "", *, page: str = "") -> None:
        super().__init__(reason)
        if page:
            self.parameters = {"page": page}


class EncodeFailed(TranscodeError):
    """An encode that failed, for example by a stall or a time limit."""

    code = "encode_failed"
    retryable = True
    sentence = "The conversion failed. Upload the video again, or export it as MP4 first."


class EncodeStopped(EncodeFailed):
    """An encode that an administrator stopped."""

    retryable = False

    def __init__(self) -> None:
        super().__init__("stopped")
        self.parameters = {"reason": "stopped"}


class HostTrouble(TranscodeError):
    """A fault of the machine: its disk is full, or FFmpeg's output is missing or cut.

    The media is fine; another host, or this one later, can do the same work.
    """

    code = "encode_failed"
    retryable = True
    sentence = "The conversion is delayed. It will be retried automatically."


class FFmpegFailed(EncodeFailed):
    """An exit of FFmpeg with a code other than 0."""

    def __init__(self, exit_code: int, stderr_tail: str) -> None:
        super().__init__(f"FFmpeg exited with {exit_code}: {stderr_tail}")
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail


_BY_CODE: dict[str, type[TranscodeError]] = {
    error.code: error
    for error in (
        EmptyFile,
        NotMedia,
        NoStreams,
        UnsupportedCodec,
        Encrypted,
        LimitsExceeded,
        ReferencesOutside,
        DecodeFailed,
        StorageFailed,
        FetchFailed,
        EncodeFailed,
    )
}

FAILURE_SENTENCES: dict[str, str] = {code: error.sentence for code, error in _BY_CODE.items()}
"""Failure code to sentence, for whoever translates them."""


def error_for(code: str) -> TranscodeError:
    """Return the error with this failure code; an EncodeFailed for an unknown code."""
    return _BY_CODE.get(code, EncodeFailed)(code)
