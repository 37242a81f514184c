"""The times that move with a video when it is trimmed, or when its original comes back.

Captions become new files before the take-over, so that its transaction waits for no
storage.  All others are rows, which move within it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db.models import F, QuerySet

from comments.danmaku import buckets
from comments.models import Danmaku
from common import deletion, storage
from videos import caption_tracks
from videos.hls import captions
from videos.models import MAX_CLIP_S, MAX_DESCRIPTION, MIN_CLIP_S, CaptionTrack, Clip, TimelineChange, Video
from videos.transcoding import chapters
from videos.transcoding.caption_conversion import MAX_CONVERTED_BYTES
from videos.transcoding.timeline import KeptParts

# The moment before the end of a cue or a clip, which lies in the part that it ends.
_MOMENT_S = 0.001
# As where clips are made (``services.clips``).
_ROUNDING_S = 0.05

MoveSection = Callable[[float, float], tuple[float, float] | None]


@dataclass(frozen=True, slots=True)
class TimesMove:
    """The move of a video's times: by a trim to ``kept``, or back from it to the original."""

    kept: KeptParts
    is_restored: bool = False

    def section(self, start_s: float, end_s: float) -> tuple[float, float] | None:
        """Return the new times of a section, or None if it is cut."""
        if not self.is_restored:
            return self.kept.section(start_s, end_s)
        return self.kept.old_s(start_s), self.kept.old_s(max(start_s, end_s - _MOMENT_S)) + _MOMENT_S

    def keeps(self, at_s: float) -> bool:
        """Return whether the video still shows the frame of a moment."""
        return self.is_restored or self.kept.moved_s(at_s) is not None


@dataclass(slots=True)
class MovedCaptions:
    """New files of captions: the row and the file that each replaces, by the new key."""

    files: dict[str, tuple[int, str, int]] = field(default_factory=dict)

    def drop(self) -> None:
        """Delete the new files, because the video did not change."""
        for key in self.files:
            deletion.delete_later(key)


def move_of(edition: Video, video: Video) -> TimesMove | None:
    """Return how the times of ``video`` move when ``edition`` takes over; None if they stay."""
    if edition.edition_kind == Video.EditionKind.TRIM:
        return TimesMove(KeptParts.of(edition.kept_parts or ()))
    if edition.edition_kind == Video.EditionKind.RESTORE and video.timeline:
        return TimesMove(video.timeline, is_restored=True)
    return None


def moved_captions(video: Video, move: TimesMove) -> MovedCaptions:
    """Store the captions of a video with moved times, beside the old ones.  Raises an error of storage."""
    moved = MovedCaptions()
    for track in video.captions.all():
        data = storage.read_range(track.key, 0, MAX_CONVERTED_BYTES + len(caption_tracks.TIMESTAMP_MAP))
        # A file from before the bound may end within a character.
        webvtt = data.decode(errors="ignore")
        text, cue_count = captions.moved(webvtt, move.section)
        key = caption_tracks.put(video, track.language, text.encode())
        moved.files[key] = (track.pk, track.key, cue_count)
    return moved


def are_current(video: Video, moved: MovedCaptions) -> bool:
    """Return whether the captions are still those that were moved."""
    seen = {(pk, old_key) for pk, old_key, _count in moved.files.values()}
    return seen == set(video.captions.values_list("pk", "key"))


def move(video: Video, move: TimesMove, moved: MovedCaptions) -> dict[str, object]:
    """Move all rows with times, in the caller's transaction; return the changed fields of the video."""
    for key, (pk, old_key, cue_count) in moved.files.items():
        CaptionTrack.objects.filter(pk=pk).update(key=key, cue_count=cue_count)
        # Players of the old encode may still read it.
        deletion.delete_later(old_key, after=storage.lifetime(video.duration_s) + storage.SIGNING_WINDOW)
    _move_danmaku(video, move)
    for clip in video.clips.all():
        _move_clip(clip, move, video.timeline)
    description = _description(video, move)
    TimelineChange.objects.create(
        video=video,
        parts=move.kept.to_json(),
        is_restored=move.is_restored,
        description_before=video.description,
        description_after=description,
    )
    parts = None if move.is_restored else move.kept.within(video.timeline).to_json()
    return {"kept_parts": parts, "description": description}


def _move_danmaku(video: Video, move: TimesMove) -> None:
    """Move danmaku with their parts; those of cut moments are kept aside with their times in the original."""
    rows = Danmaku.objects.of(video)
    parts = zip(move.kept.parts, move.kept.starts_s[:-1], strict=True)
    if move.is_restored:
        # From the end, so that no row is moved twice.
        for (start_s, end_s), new_s in reversed(list(parts)):
            after_s = None if (start_s, end_s) == move.kept.parts[-1] else new_s + end_s - start_s
            _shift(rows.filter(is_cut=False), new_s, after_s, start_s - new_s)
        rows.filter(is_cut=True).update(is_cut=False)
    else:
        for from_s, to_s in move.kept.cut():
            _set_aside(rows.filter(is_cut=False), from_s, to_s, video.timeline)
        for (start_s, end_s), new_s in parts:
            _shift(rows.filter(is_cut=False), start_s, end_s, new_s - start_s)
    buckets.forget(video)


def _between(rows: QuerySet[Danmaku], start_s: float, end_s: float | None) -> QuerySet[Danmaku]:
    rows = rows.filter(offset_ms__gte=round(start_s * 1000))
    return rows if end_s is None else rows.filter(offset_ms__lt=round(end_s * 1000))


def _shift(rows: QuerySet[Danmaku], start_s: float, end_s: float | None, by_s: float) -> None:
    if by_ms := round(by_s * 1000):
        _between(rows, start_s, end_s).update(offset_ms=F("offset_ms") + by_ms)


def _set_aside(rows: QuerySet[Danmaku], start_s: float, end_s: float | None, outer: KeptParts | None) -> None:
    """Hide the danmaku of a cut section; ``outer`` are the parts of the original that the video held."""
    if outer is None:
        _between(rows, start_s, end_s).update(is_cut=True)
        return
    for (old_s, _), new_s, new_end_s in zip(outer.parts, outer.starts_s, outer.starts_s[1:], strict=False):
        is_last = new_end_s == outer.duration_s
        first_s = max(start_s, new_s)
        last_s = end_s if is_last else new_end_s if end_s is None else min(end_s, new_end_s)
        if last_s is None or first_s < last_s:
            by_ms = round((old_s - new_s) * 1000)
            _between(rows, first_s, last_s).update(is_cut=True, offset_ms=F("offset_ms") + by_ms)


def _move_clip(clip: Clip, move: TimesMove, outer: KeptParts | None) -> None:
    """Move a clip; one with too little left is set aside with its times in the original."""
    fields: dict[str, float | bool | str]
    if clip.is_cut:
        fields = {"is_cut": False} if move.is_restored else {}
    else:
        section = move.section(clip.start_s, clip.end_s)
        if section and section[1] - section[0] >= MIN_CLIP_S - _ROUNDING_S:
            start_s, end_s = section
            # A part that came back may make it longer than clips may be.
            fields = {"start_s": start_s, "end_s": min(end_s, start_s + MAX_CLIP_S)}
        else:
            fields = {"is_cut": True}
            if outer:
                end_s = outer.old_s(clip.end_s - _MOMENT_S) + _MOMENT_S
                fields |= {"start_s": outer.old_s(clip.start_s), "end_s": end_s}
    if clip.poster_key and (fields.get("is_cut") or not move.keeps(clip.start_s)):
        # It shows a frame that was cut.
        deletion.delete_later(clip.poster_key)
        fields |= {"poster_key": ""}
    if fields:
        Clip.objects.filter(pk=clip.pk).update(**fields)


def _description(video: Video, move: TimesMove) -> str:
    """Return the description with moved chapters; an unchanged one comes back with the original."""
    if not move.is_restored:
        text = chapters.moved_text(video.description, video.duration_s or 0.0, move.kept)
        return text if len(text) <= MAX_DESCRIPTION else video.description
    changes = list(video.timeline_changes.order_by("-pk"))
    if not changes or changes[0].description_after != video.description:
        return video.description
    text = video.description
    for change in changes:
        if change.is_restored or change.description_after != text:
            break
        text = change.description_before
    return text
