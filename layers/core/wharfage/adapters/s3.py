"""Files in S3. Length and checksum are signed into each link, so S3 itself refuses other bytes."""

import base64
import logging
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from wharfage.domain.errors import Unavailable
from wharfage.domain.link import Link, ObjectHead
from wharfage.ports import Clock

ALGORITHM = "SHA256"
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"total_max_attempts": 1},
    signature_version="s3v4",
)
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})

log = logging.getLogger(__name__)


class S3Objects:
    """`ports.Objects` over boto3. Links are signed here: making one asks nobody."""

    def __init__(self, *, bucket: str, region: str, endpoint: str | None, clock: Clock) -> None:
        self._bucket = bucket
        self._region = region
        self._endpoint = endpoint
        self._clock = clock
        self._lock = threading.Lock()
        self._made: Any = None

    def put_link(self, key: str, *, size_bytes: int, sha256: str, seconds: int) -> Link:
        """Make a link that takes exactly these bytes."""
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        asked = {
            "ContentLength": size_bytes,
            "ChecksumAlgorithm": ALGORITHM,
            "ChecksumSHA256": checksum,
        }
        headers = {
            "content-length": str(size_bytes),
            "x-amz-checksum-sha256": checksum,
            "x-amz-sdk-checksum-algorithm": ALGORITHM,
        }
        return self._link("put_object", key, asked, seconds, headers)

    def get_link(self, key: str, *, name: str, seconds: int) -> Link:
        """Make a link that gives the bytes, to be saved as *name* and never shown in place."""
        asked = {
            "ResponseContentType": "application/octet-stream",
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        }
        return self._link("get_object", key, asked, seconds, {})

    def head(self, key: str) -> ObjectHead | None:
        """Say what is there. Raises: Unavailable."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except (ClientError, BotoCoreError) as error:
            if _code(error) in _GONE:
                return None
            log.warning("object not looked at", extra={"action": "head", "code": _code(error)})
            raise Unavailable from None
        checksum = base64.b64decode(found.get("ChecksumSHA256", ""))
        return ObjectHead(size_bytes=found["ContentLength"], sha256=checksum.hex())

    def delete(self, key: str) -> None:
        """Remove what is there. Raises: Unavailable."""
        try:
            self._client.delete_object(Bucket=self._bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            log.warning("object not removed", extra={"action": "delete", "code": _code(error)})
            raise Unavailable from None

    def _link(
        self, method: str, key: str, asked: dict[str, Any], seconds: int, headers: dict[str, str]
    ) -> Link:
        params = {"Bucket": self._bucket, "Key": key, **asked}
        url = self._client.generate_presigned_url(method, Params=params, ExpiresIn=seconds)
        expires_at = self._clock.now() + timedelta(seconds=seconds)
        return Link(url=url, expires_at=expires_at, headers=headers)

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                import boto3

                self._made = boto3.client(
                    "s3", region_name=self._region, endpoint_url=self._endpoint, config=_CONFIG
                )
            return self._made


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__
