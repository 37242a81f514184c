"""Preparation of the bucket at each start: create it if absent, and add our rules to the operator's.

Keys without permission to configure the bucket are enough if the operator has configured
it: the start continues, and the log names each rule that was refused.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from django.conf import settings

from common import storage

if TYPE_CHECKING:
    from collections.abc import Callable

    Rules = list[dict[str, Any]]

logger = logging.getLogger(__name__)

# Browsers upload parts and read segments from any host name of the site. The signature of
# each URL decides about access.
CORS_RULE: dict[str, Any] = {
    "ID": "zoetrope-browsers",
    "AllowedOrigins": ["*"],
    "AllowedMethods": ["GET", "HEAD", "PUT"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag", "Content-Length", "Content-Range", "Accept-Ranges"],
    "MaxAgeSeconds": 86_400,
}
# The clean-up aborts abandoned uploads first; this rule applies if the clean-up fails.
LIFECYCLE_RULE: dict[str, Any] = {
    "ID": "zoetrope-abandoned-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": "videos/"},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}
# The keys lack permission, or the storage lacks the feature.
REFUSED = {"AccessDenied", "AllAccessDisabled", "403", "NotImplemented", "MethodNotAllowed", "405", "501"}
EMPTY = {"NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration"}


def prepare_bucket() -> None:
    """Create the bucket if it is absent, and add our rules to the present ones. Idempotent."""
    s3: Any = storage.client()
    bucket = settings.S3_BUCKET
    if not _exists():
        _create()
    _add_rule(
        "CORS",
        CORS_RULE,
        read=lambda: list(s3.get_bucket_cors(Bucket=bucket)["CORSRules"]),
        write=lambda rules: s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules}),
    )
    _add_rule(
        "lifecycle",
        LIFECYCLE_RULE,
        read=lambda: list(s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]),
        write=lambda rules: s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": rules}
        ),
    )


def _exists() -> bool:
    """Return whether the bucket exists. A bucket that the keys may not inspect counts as existing."""
    try:
        storage.client().head_bucket(Bucket=settings.S3_BUCKET)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = headers.get("x-amz-bucket-region", "")
        if region and region != settings.S3_REGION:
            message = f"The bucket {settings.S3_BUCKET} is in region {region}: set AWS_REGION={region}"
            raise ClientError({"Error": {"Code": str(status), "Message": message}}, "HeadBucket") from error
        if status not in (403, 404):
            raise
        return status == 403
    return True


def _create() -> None:
    """Create the bucket in the configured region. S3 refuses us-east-1 as a location constraint."""
    options: dict[str, Any] = {}
    if settings.S3_REGION != "us-east-1":
        options["CreateBucketConfiguration"] = {"LocationConstraint": settings.S3_REGION}
    try:
        storage.client().create_bucket(Bucket=settings.S3_BUCKET, **options)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "BucketAlreadyOwnedByYou":
            raise  # otherwise another host created it at the same moment


def _add_rule(
    kind: str, rule: dict[str, Any], *, read: Callable[[], Rules], write: Callable[[Rules], object]
) -> None:
    """Add ``rule`` to the present rules. If that is refused, log the rule for the operator to set by hand."""
    try:
        present = _read(read)
        if rule not in present:
            write([*(other for other in present if not _is_ours(other, rule)), rule])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in REFUSED:
            raise
        logger.warning(
            "The bucket's %s rules could not be set: check that this rule exists",
            kind,
            extra={"rule": json.dumps(rule), "reason": error.response["Error"]["Code"]},
        )


def _read(read: Callable[[], Rules]) -> Rules:
    try:
        return read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in EMPTY:
            return []
        raise


def _is_ours(other: dict[str, Any], rule: dict[str, Any]) -> bool:
    """Return whether ``other`` is an older version of ``rule``, or the same rule under another ID."""
    return other.get("ID") == rule["ID"] or {**other, "ID": ""} == {**rule, "ID": ""}
