"""Tests of preparing the bucket: on SeaweedFS, and on a fake S3 that answers like other storages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from common import storage
from common.tests.servers import POLL_S
from videoplatform import bucket as buckets

ERROR = "<Error><Code>{code}</Code><Message>No.</Message></Error>"
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class FakeS3:
    """A fake S3 with one bucket: its answers by method and subresource, and the requests it received."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, tuple[int, str, dict[str, str]]] = {}
        self.asked: list[tuple[str, str]] = []

    def will_answer(self, request: str, status: int = 200, body: str = "", **headers: str) -> None:
        """Set the answer to ``request``, such as ``"GET cors"``."""
        self.answers[request] = (status, body, {n.replace("_", "-"): v for n, v in headers.items()})

    def refuse(self, request: str, status: int, code: str) -> None:
        self.will_answer(request, status, ERROR.format(code=code))

    def body_of(self, request: str) -> str:
        return next(body for asked, body in self.asked if asked == request)

    @property
    def requests(self) -> list[str]:
        return [asked for asked, _body in self.asked]


@pytest.fixture
def s3(settings: Any) -> Iterator[FakeS3]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            subresource = self.path.partition("?")[2].partition("=")[0]
            request = f"{self.command} {subresource}".strip()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            fake.asked.append((request, body))
            status, text, headers = fake.answers.get(request, (200, "", {}))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            sent = b"" if self.command == "HEAD" else text.encode()
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True)
    thread.start()
    fake = FakeS3(f"http://127.0.0.1:{server.server_port}")
    fake.refuse("GET cors", 404, "NoSuchCORSConfiguration")
    fake.refuse("GET lifecycle", 404, "NoSuchLifecycleConfiguration")
    settings.S3_ENDPOINT_URL, settings.S3_BUCKET = fake.url, "media"
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


def test_bucket_is_created_in_the_configured_region(s3: FakeS3, settings: Any) -> None:
    settings.S3_REGION = "eu-central-1"
    s3.refuse("HEAD", 404, "NoSuchBucket")

    buckets.prepare_bucket()

    assert "<LocationConstraint>eu-central-1</LocationConstraint>" in s3.body_of("PUT")
    assert s3.requests == ["HEAD", "PUT", "GET cors", "PUT cors", "GET lifecycle", "PUT lifecycle"]


def test_bucket_in_us_east_1_is_created_without_a_location(s3: FakeS3, settings: Any) -> None:
    settings.S3_REGION = "us-east-1"
    s3.refuse("HEAD", 404, "NoSuchBucket")

    buckets.prepare_bucket()

    assert s3.body_of("PUT") == ""


def test_bucket_created_by_another_host_meanwhile_is_accepted(s3: FakeS3) -> None:
    s3.refuse("HEAD", 404, "NoSuchBucket")
    s3.refuse("PUT", 409, "BucketAlreadyOwnedByYou")

    buckets.prepare_bucket()

    assert "PUT cors" in s3.requests


def test_bucket_in_another_region_is_reported_with_the_setting(s3: FakeS3) -> None:
    s3.will_answer("HEAD", 400, x_amz_bucket_region="eu-west-1")

    with pytest.raises(ClientError, match="set AWS_REGION=eu-west-1"):
        buckets.prepare_bucket()


def test_rules_of_the_operator_are_kept(s3: FakeS3) -> None:
    s3.will_answer(
        "GET cors",
        body=f"<CORSConfiguration {XMLNS}><CORSRule><ID>theirs</ID><AllowedOrigin>https://a.example</AllowedOrigin>"
        "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>",
    )
    s3.will_answer(
        "GET lifecycle",
        body=f"<LifecycleConfiguration {XMLNS}><Rule><ID>to-glacier</ID>"
        "<Filter><Prefix>backup/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>",
    )

    buckets.prepare_bucket()

    for written, theirs, ours in [
        ("PUT cors", "<ID>theirs</ID>", "<ID>zoetrope-browsers</ID>"),
        ("PUT lifecycle", "<ID>to-glacier</ID>", "<ID>zoetrope-abandoned-uploads</ID>"),
    ]:
        body = s3.body_of(written)
        assert body.index(theirs) < body.index(ours)


def test_present_rules_are_not_written_again(s3: FakeS3) -> None:
    buckets.prepare_bucket()
    s3.will_answer("GET cors", body=s3.body_of("PUT cors"))
    s3.will_answer("GET lifecycle", body=s3.body_of("PUT lifecycle"))
    s3.asked.clear()

    buckets.prepare_bucket()

    assert s3.requests == ["HEAD", "GET cors", "GET lifecycle"]


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented"), (405, "MethodNotAllowed")]
)
@pytest.mark.parametrize("verb", ["GET", "PUT"])
def test_refused_rules_are_logged_for_the_operator(
    verb: str, status: int, code: str, s3: FakeS3, caplog: pytest.LogCaptureFixture
) -> None:
    s3.will_answer("HEAD", 403)
    s3.refuse(f"{verb} cors", status, code)
    s3.refuse(f"{verb} lifecycle", status, code)

    with caplog.at_level(logging.WARNING):
        buckets.prepare_bucket()

    warnings = [(record.getMessage(), record.rule) for record in caplog.records]  # type: ignore[attr-defined]
    assert [sentence.split("'s ")[1].split(" rules")[0] for sentence, _rule in warnings] == [
        "CORS",
        "lifecycle",
    ]
    assert "AllowedOrigins" in warnings[0][1]
    assert "AbortIncompleteMultipartUpload" in warnings[1][1]
    assert "PUT" not in s3.requests


def test_other_storage_error_stops_the_start(s3: FakeS3) -> None:
    s3.refuse("PUT cors", 400, "MalformedXML")

    with pytest.raises(ClientError, match="MalformedXML"):
        buckets.prepare_bucket()


@pytest.mark.storage
def test_seaweedfs_keeps_other_rules_and_gets_ours_once(bucket: str) -> None:
    s3: Any = storage.client()
    theirs = {"ID": "theirs", "AllowedOrigins": ["https://a.example"], "AllowedMethods": ["GET"]}
    before = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [theirs]})

    buckets.prepare_bucket()
    buckets.prepare_bucket()

    rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": before})
    assert [rule["ID"] for rule in rules] == ["theirs", "zoetrope-browsers"]
