"""Files in S3: what its failures are to those who ask."""

import boto3
import pytest
from moto import mock_aws

from wharfage.adapters.clock import SystemClock
from wharfage.adapters.s3 import S3Objects
from wharfage.domain.errors import Unavailable


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


def objects(bucket: str = "bucket-a", endpoint: str | None = None) -> S3Objects:
    return S3Objects(bucket=bucket, region="us-east-1", endpoint=endpoint, clock=SystemClock())


def test_an_s3_that_does_not_answer_is_unavailable():
    silent = objects(endpoint="http://127.0.0.1:9")

    with pytest.raises(Unavailable):
        silent.head("uploads/a/b")
    with pytest.raises(Unavailable):
        silent.delete("uploads/a/b")


@mock_aws
def test_a_bucket_that_is_not_there_is_unavailable_and_not_empty():
    with pytest.raises(Unavailable):
        objects("no-such-bucket").delete("uploads/a/b")


@mock_aws
def test_an_object_without_a_checksum_is_not_taken_for_one_that_was_announced():
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="bucket-a")
    client.put_object(Bucket="bucket-a", Key="uploads/a/b", Body=b"abc")

    found = objects().head("uploads/a/b")

    assert found is not None
    assert (found.size_bytes, found.sha256) == (3, "")


def test_links_are_made_without_asking_anybody():
    link = objects(endpoint="http://127.0.0.1:9").get_link("uploads/a/b", name="a", seconds=60)

    assert link.url.startswith("http://127.0.0.1:9/bucket-a/uploads/a/b?")
