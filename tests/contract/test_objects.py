"""One suite for every place that keeps files: memory, a folder behind its door, and S3."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import yaml
from moto import mock_aws

from infrastructure.local.objects import ObjectDoor
from tests.fixtures.cloudformation import ROOT
from tests.fixtures.edge import HandClock
from tests.fixtures.objects import LinkSpoilt, MemoryObjects, sha256
from wharfage.adapters.clock import SystemClock
from wharfage.adapters.folder import FolderObjects
from wharfage.adapters.s3 import S3Objects
from wharfage.domain import limits
from wharfage.domain.link import Link, ObjectHead
from wharfage.ports import Clock, Objects

KEY = "uploads/usr_1/upl_1"
OTHER = "outputs/usr_1/job_1/0001/00"
DATA = b"some bytes, and then a few more"
BUCKET = "wharfage-test-objects-123456789012"


@dataclass(frozen=True)
class Place:
    """A place on trial, and what the other end of its links answers: a status and bytes."""

    objects: Objects
    clock: Clock
    call: Callable[[str, Link, bytes], tuple[int, bytes]]

    def put(self, key: str, data: bytes, *, sent: bytes | None = None) -> int:
        link = self.objects.put_link(key, size_bytes=len(data), sha256=sha256(data), seconds=60)
        return self.call("PUT", link, data if sent is None else sent)[0]

    def get(self, key: str) -> tuple[int, bytes]:
        return self.call("GET", self.objects.get_link(key, name="a.png", seconds=60), b"")


def memory(_: Path) -> Iterator[Place]:
    objects = MemoryObjects(HandClock())

    def call(method: str, link: Link, body: bytes) -> tuple[int, bytes]:
        try:
            if method == "GET":
                return 200, objects.fetch(link.url)
            objects.send(link.url, [body])
        except LinkSpoilt as spoilt:
            return spoilt.status, b""
        return 200, b""

    yield Place(objects, objects.clock, call)


def folder(path: Path) -> Iterator[Place]:
    clock = HandClock()
    objects = FolderObjects(
        path / "objects", url="http://127.0.0.1:8080", key=b"k" * 32, clock=clock
    )
    door = ObjectDoor(objects)

    def call(method: str, link: Link, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(link.url)
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        said: list[str] = []
        content = door(environ, lambda status, headers: said.append(status))
        return int(said[0][:3]), b"".join(content)

    yield Place(objects, clock, call)


def s3(_: Path) -> Iterator[Place]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        objects = S3Objects(bucket=BUCKET, region="us-east-1", endpoint=None, clock=SystemClock())
        yield Place(objects, SystemClock(), _over_requests)


def _over_requests(method: str, link: Link, body: bytes) -> tuple[int, bytes]:
    import requests

    answer = requests.request(method, link.url, data=body, headers=dict(link.headers), timeout=5)
    return answer.status_code, answer.content


@pytest.fixture(params=[memory, folder, s3], ids=lambda make: make.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from request.param(tmp_path)


@pytest.fixture(params=[memory, folder], ids=lambda make: make.__name__)
def strict(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Places whose other end checks links; the stand-in for S3 believes them."""
    yield from request.param(tmp_path)


def test_what_is_sent_by_a_link_is_there_and_is_given_by_a_link(place: Place):
    assert place.objects.head(KEY) is None

    status = place.put(KEY, DATA)

    assert status == 200
    assert place.objects.head(KEY) == ObjectHead(size_bytes=len(DATA), sha256=sha256(DATA))
    assert place.get(KEY) == (200, DATA)


def test_nothing_at_all_can_be_kept_too(place: Place):
    assert place.put(KEY, b"") == 200

    assert place.objects.head(KEY) == ObjectHead(size_bytes=0, sha256=sha256(b""))
    assert place.get(KEY) == (200, b"")


def test_what_is_sent_again_replaces_what_was_there(place: Place):
    place.put(KEY, b"old")

    place.put(KEY, DATA)
    place.put(KEY, DATA)

    assert place.get(KEY) == (200, DATA)


def test_what_is_deleted_is_gone_and_a_repeat_agrees(place: Place):
    place.put(KEY, DATA)
    place.put(OTHER, DATA)

    place.objects.delete(KEY)
    place.objects.delete(KEY)

    assert place.objects.head(KEY) is None
    assert place.get(KEY)[0] in (403, 404)  # The stand-in for S3 does not say which.
    assert place.get(OTHER) == (200, DATA)


def test_a_link_says_when_it_ends(place: Place):
    link = place.objects.get_link(KEY, name="a", seconds=60)

    late = link.expires_at - place.clock.now() - timedelta(seconds=60)

    assert abs(late) < timedelta(seconds=1)


@pytest.mark.parametrize("wrong", [DATA[:-1], DATA + b"!", b"S" + DATA[1:], b""])
def test_a_link_takes_no_other_bytes_and_keeps_none_of_them(strict: Place, wrong: bytes):
    assert strict.put(KEY, DATA, sent=wrong) == 400

    assert strict.objects.head(KEY) is None


def test_a_link_that_has_ended_does_nothing(strict: Place):
    assert isinstance(strict.clock, HandClock)
    strict.put(KEY, DATA)
    given = strict.objects.get_link(KEY, name="a", seconds=60)
    taken = strict.objects.put_link(OTHER, size_bytes=len(DATA), sha256=sha256(DATA), seconds=60)

    strict.clock.pass_(seconds=59)
    before = [strict.call("GET", given, b"")[0], strict.call("PUT", taken, DATA)[0]]
    strict.clock.pass_(seconds=1)
    after = [strict.call("GET", given, b"")[0], strict.call("PUT", taken, DATA)[0]]

    assert (before, after) == ([200, 200], [403, 403])


def test_a_link_is_good_for_one_thing(strict: Place):
    strict.put(KEY, DATA)
    given = strict.objects.get_link(KEY, name="a", seconds=60)
    taken = strict.objects.put_link(KEY, size_bytes=len(DATA), sha256=sha256(DATA), seconds=60)

    assert strict.call("PUT", given, DATA)[0] == 403
    assert strict.call("GET", taken, b"")[0] == 403


def test_s3_is_bound_to_length_and_checksum_by_the_signature(tmp_path: Path):
    for place in s3(tmp_path):
        link = place.objects.put_link(KEY, size_bytes=3, sha256=sha256(b"abc"), seconds=60)

    asked = parse_qs(urlsplit(link.url).query)
    assert asked["X-Amz-SignedHeaders"] == [
        "content-length;host;x-amz-checksum-sha256;x-amz-sdk-checksum-algorithm"
    ]
    assert asked["X-Amz-Expires"] == ["60"]
    assert link.headers == {
        "content-length": "3",
        "x-amz-checksum-sha256": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        "x-amz-sdk-checksum-algorithm": "SHA256",
    }


def test_s3_gives_files_to_be_saved_and_never_shown(tmp_path: Path):
    for place in s3(tmp_path):
        link = place.objects.get_link(KEY, name='a "b" \u8239.html', seconds=60)

    asked = parse_qs(urlsplit(link.url).query)
    assert asked["response-content-type"] == ["application/octet-stream"]
    assert asked["response-content-disposition"] == [
        "attachment; filename*=UTF-8''a%20%22b%22%20%E8%88%B9.html"
    ]


def test_the_bucket_is_private_encrypted_and_empties_itself_after_the_longest_times():
    text = (ROOT / "infrastructure/objects.yaml").read_text()
    document: Any = yaml.load(text, _Plain)
    bucket = document["Resources"]["Bucket"]
    found = bucket["Properties"]
    rules = {
        rule["Id"]: rule.get("ExpirationInDays")
        for rule in found["LifecycleConfiguration"]["Rules"]
    }
    [policy] = document["Resources"]["OnlyEncrypted"]["Properties"]["PolicyDocument"]["Statement"]

    assert rules == {
        "uploads": limits.UPLOAD_DAYS_MAX + 1,
        "outputs": limits.OUTPUT_DAYS + 1,
        "broken-off": None,
    }
    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    assert found["BucketEncryption"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert (policy["Effect"], policy["Principal"], policy["Action"]) == ("Deny", "*", "s3:*")
    assert policy["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


class _Plain(yaml.SafeLoader):
    """YAML in which CloudFormation's short forms are what they are written as."""


_Plain.add_multi_constructor("!", lambda loader, suffix, node: node.value)
