"""What can go wrong between an upload and its segments, in words its owner can act on."""

from __future__ import annotations

from typing import ClassVar


class TranscodeError(Exception):
    """Base of all of them.

    ``code`` is the contract's failure code, ``detail`` an English sentence for the
    owner, and ``retryable`` says whether the same work may succeed on another try.
    ``reason`` is for the log: short, technical, never a URL.
    """

    code: ClassVar[str] = "encode_failed"
    retryable: ClassVar[bool] = False
    sentence: ClassVar[str] = "We could not convert this video. Please upload it again."

    def __init__(self, reason: str = "", *, detail: str | None = None) -> None:
        super().__init__(reason or self.code)
        self.reason = reason
        self.detail = detail or self.sentence


class EmptyFile(TranscodeError):
    """Not a single byte."""

    code = "empty_file"
    sentence = "This file is empty. Please choose it again and upload it once more."


class NotMedia(TranscodeError):
    """No container we know, or one whose header cannot be read."""

    code = "not_media"
    sentence = "We cannot read this as a video or sound file. Export it as MP4 and try again."


class NoStreams(TranscodeError):
    """A container with neither picture nor sound."""

    code = "no_streams"
    sentence = "This file has no picture or sound we can read. Export it as MP4 and try again."


class UnsupportedCodec(TranscodeError):
    """Picture or sound in a codec outside our allow list."""

    code = "unsupported_codec"
    sentence = "This video uses a format we do not support yet. Export it as H.264 MP4 and try again."


class Encrypted(TranscodeError):
    """Protected by DRM or another key we do not hold."""

    code = "encrypted"
    sentence = "This video is copy-protected, so we cannot convert it. Upload an unprotected copy."


class LimitsExceeded(TranscodeError):
    """Larger, longer, faster or busier than ``Limits`` allows; ``detail`` says which."""

    code = "limits_exceeded"
    sentence = "This video is larger or longer than we can convert. Upload a smaller version."


class ReferencesOutside(TranscodeError):
    """A playlist or a name pattern: it points at other files instead of being one."""

    code = "references_outside"
    sentence = "This file only points to other files. Upload the video file itself."


class DecodeFailed(TranscodeError):
    """The header reads well and not one picture or sound comes out."""

    code = "decode_failed"
    sentence = "The picture or sound in this file is damaged. Export it again and upload the new file."


class StorageFailed(TranscodeError):
    """The source could not be fetched just now."""

    code = "storage_failed"
    retryable = True
    sentence = "We could not read your upload from storage. We will try again by ourselves."


class EncodeFailed(TranscodeError):
    """The encoder stood still, or ran longer than it may."""

    code = "encode_failed"
    retryable = True
    sentence = "Converting this video did not work. Please upload it again, or export it as MP4 first."


class FFmpegFailed(EncodeFailed):
    """FFmpeg ended with an exit code other than 0."""

    def __init__(self, exit_code: int, stderr_tail: str) -> None:
        super().__init__(f"FFmpeg ended with {exit_code}: {stderr_tail}")
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail


FAILURE_SENTENCES: dict[str, str] = {
    error.code: error.sentence
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
        EncodeFailed,
    )
}
"""Failure code to sentence, for whoever translates them."""
