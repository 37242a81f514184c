"""Uploads, and the bytes that they count against a daily limit."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models

from accounts.models import Channel
from videos.models.videos import Video


class UploadCharge(models.Model):
    """Bytes that count against a person's daily upload limit, even after the video is deleted."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="+")
    size_bytes = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.channel_id}: {self.size_bytes}"


class Upload(models.Model):
    """A source on its way from the browser to the bucket: one S3 multipart upload.

    The row is written before the multipart upload is opened, so SQL knows every upload
    in S3.  ``multipart_id`` is empty until S3 has answered.
    """

    video = models.OneToOneField(Video, models.CASCADE, related_name="upload")
    charge = models.OneToOneField(UploadCharge, models.SET_NULL, null=True, related_name="upload")
    multipart_id = models.CharField(max_length=1024, blank=True)
    size_bytes = models.BigIntegerField()
    part_size_bytes = models.BigIntegerField()
    part_count = models.PositiveIntegerField(validators=[MaxValueValidator(10_000)])
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    # Set while S3 joins the parts: if the process is killed meanwhile, the sweep goes on.
    completing_at = models.DateTimeField(null=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.video.public_id}: {self.part_count} × {self.part_size_bytes}"

    @property
    def numbers(self) -> range:
        """Return the numbers of the parts, from 1."""
        return range(1, self.part_count + 1)

    def part_size(self, number: int) -> int:
        """Return the size in bytes of part ``number`` (from 1); only the last may be smaller."""
        if number < self.part_count:
            return self.part_size_bytes
        return self.size_bytes - self.part_size_bytes * (self.part_count - 1)
